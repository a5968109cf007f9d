//! Performance-critical code: training of networks on the CPU, and arithmetic that is reproducible
//! everywhere.
//!
//! [`Executor`] trains and evaluates a network through a plan of kernels, which use the widest vectors of the
//! processor ([`SimdLevel`]). Its pool of threads keeps the order of every sum, so results do not depend on the
//! number of threads. [`deterministic_math`] has matrix products and functions that give the same bits on
//! every processor. [`widest`] compiles other code for wide vectors.
//!
//! All of Tandem's unsafe code is in this crate, which is optimized in every profile.

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
pub use executor::{BatchOutcome, Executor, change_values, with_values};
pub use parameters::{EPSILON, LayerVariables, NormVariables, Parameters};
pub use simd::{SimdLevel, multiply_adds};
pub use thread_pool::ThreadPool;
pub use widest::{Wide, every_width, widest};
