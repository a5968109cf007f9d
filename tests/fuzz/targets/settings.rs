//! The fuzz target over settings and studies in YAML.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tandem::util::alloc_meter::CountingAllocator;

/// As in the program: scripts' limits of memory need an allocator that counts.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::ABORTING;

fuzz_target!(|text: &str| tandem_fuzz::settings(text));
