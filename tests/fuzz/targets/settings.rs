//! The fuzz target over settings and studies in YAML.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tandem::util::alloc_meter::CountingAllocator;

/// A counting allocator, as in the program: limits on scripts' memory need it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::ABORTING;

fuzz_target!(|text: &str| tandem_fuzz::settings(text));
