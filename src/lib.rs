//! Tandem searches a CNN and the accelerator that runs it together.
//!
//! An experiment script (Rhai) says what may be chosen, how a choice is judged, and which
//! controller explores when. The library evaluates pairs natively and keeps every trial in a store,
//! so that any run can be interrupted, resumed and questioned later.
//!
//! Each room knows only what is before it here: [`util`], [`metrics`], [`space`], [`network`], [`accel`], [`train`],
//! [`accuracy`], [`search`], [`pareto`], [`store`], [`run`], [`sweep`], [`study`], [`report`], [`script`],
//! [`query`]. The program's commands are not part of the library.

pub mod accel;
pub mod accuracy;
pub mod metrics;
pub mod network;
pub mod pareto;
pub mod query;
pub mod report;
pub mod run;
pub mod script;
pub mod search;
pub mod session;
pub mod space;
pub mod store;
pub mod study;
pub mod sweep;
#[cfg(test)]
mod test_support;
pub mod train;
pub mod util;

/// The tests' allocator: scripts' limits of memory need one that counts.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: util::alloc_meter::CountingAllocator =
    util::alloc_meter::CountingAllocator::ABORTING;
