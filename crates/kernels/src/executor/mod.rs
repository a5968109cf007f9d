//! Runs plans: forward, loss, backward, on memory that is kept from step to step.

mod convolution;
mod loss;
mod memory;
mod normalisation;
mod variables;
mod passes;

pub use loss::Outcome;
pub use variables::{change_values, with_values};
pub use passes::Executor;
