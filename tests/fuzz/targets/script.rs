//! The fuzz target over script source.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tandem::threads;

fuzz_target!(|text: &str| {
    // As in the program, scripts are called on a thread with a stack that suffices.
    std::thread::scope(|scope| {
        let run = threads::builder().spawn_scoped(scope, || tandem_fuzz::script(text));
        if let Err(panic) = run.expect("a thread can be started").join() {
            std::panic::resume_unwind(panic);
        }
    });
});
