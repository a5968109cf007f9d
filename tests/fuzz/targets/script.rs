//! The fuzz target over script source.

#![no_main]

mod dictionary;

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tandem::util::alloc_meter::CountingAllocator;
use tandem::util::deep_stack;

/// A counting allocator, as in the program: limits on scripts' memory need it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::ABORTING;

fuzz_target!(
    // libFuzzer calls this before it reads its dictionary.
    init: {
        if let Some(file) = std::env::var_os("TANDEM_FUZZ_DICTIONARY") {
            dictionary::write_dictionary(Path::new(&file));
        }
    },
    |text: &str| {
        // As in the program, scripts are called on a thread with a stack that suffices.
        std::thread::scope(|scope| {
            let run = deep_stack::builder().spawn_scoped(scope, || tandem_fuzz::script(text));
            if let Err(panic) = run.expect("a thread can be started").join() {
                std::panic::resume_unwind(panic);
            }
        });
    }
);
