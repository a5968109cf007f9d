//! Execution of plans: forward, loss, backward, on memory that is kept from step to step.

mod convolution;
mod loss;
mod memory;
mod normalisation;
mod passes;
#[cfg(test)]
mod tests;
mod variables;

pub use loss::BatchOutcome;
pub use passes::Executor;
pub use variables::{change_values, with_values};
