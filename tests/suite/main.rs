//! Tests of the program from outside: arguments in, text, files and exit codes out.

mod accelerators;
mod architecture;
mod bad_input;
mod check;
mod commands;
mod controllers;
mod cookbook;
mod crash;
mod damage;
mod data;
mod data_folder;
mod definitions;
mod diagnostics;
mod feel;
#[cfg(unix)]
mod foreign;
mod guide;
mod hostile;
mod imports;
mod mutations;
mod nasbench101;
mod queries;
mod resuming;
mod sandbox;
mod server;
#[cfg(unix)]
mod serving;
mod spaces;
mod store;
mod study;
mod support;
mod sweep;
#[cfg(unix)]
mod terminal;
mod thresholds;
mod training;

/// A counting allocator, as in the program: limits on scripts' memory need it.
#[global_allocator]
static ALLOCATOR: tandem::util::alloc_meter::CountingAllocator =
    tandem::util::alloc_meter::CountingAllocator::ABORTING;
