//! Small tools for all modules.

pub mod atomic_file;
pub mod checksum;
pub mod deep_stack;
pub mod keep_error;
pub mod rng;
pub mod single_flight;
pub mod suggest;
pub mod yaml;

pub use tandem_kernels::alloc_meter;
