//! Tests of the program as its users meet it: arguments in, text, files and exit codes out.

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

/// As in the program: scripts' limits of memory need an allocator that counts.
#[global_allocator]
static ALLOCATOR: tandem::util::alloc_meter::CountingAllocator =
    tandem::util::alloc_meter::CountingAllocator::ABORTING;
