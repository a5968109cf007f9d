//! Hot code: the training of networks on the processor, and arithmetic that is the same everywhere.
//!
//! [`Executor`] trains and evaluates a network through a plan of kernels, written over vectors of the widest
//! kind that the processor has ([`Level`]), on a pool of threads that keeps the order of every sum, so that the
//! numbers do not depend on how many there are. [`deterministic_math`] has matrix products and functions of
//! which every processor computes the same bits. [`widest`] compiles other code for wide vectors.
//!
//! All of Tandem's unsafe code is in this crate, which is optimised in every profile.

mod activations;
pub mod alloc_meter;
pub mod deterministic_math;
mod error;
mod executor;
mod kernels;
mod parameters;
mod plan;
mod simd;
mod thread_pool;
mod widest;

pub use activations::check_activations;
pub use error::KernelError;
pub use executor::{Executor, Outcome, change_values, with_values};
pub use parameters::{EPSILON, LayerVariables, NormVariables, Parameters};
pub use simd::{Level, multiply_adds};
pub use thread_pool::ThreadPool;
pub use widest::{Wide, every_width, widest};
