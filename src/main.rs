//! The `tandem` program.

mod cli;

use std::process::ExitCode;

use tandem::util::alloc_meter::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator { end: end_above_memory_limit };

/// Ends the program when a single step of a script holds far more than the script may.
fn end_above_memory_limit(held: i64, step: i64) -> ! {
    let (held, step) = (held >> 20, step >> 20);
    eprintln!(
        "error: the script holds {held} MB, {step} MB of them by one step, which is far above the limit of its \
         memory\nhint: what was done before is stored; `limits.memory_mb` in the settings raises the limit"
    );
    std::process::exit(3);
}

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
