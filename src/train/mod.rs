//! Training networks on the processor: parameters as Candle variables, plans of our own kernels.

mod error;
mod executor;
mod kernels;
mod model;
mod optimiser;
mod plan;
mod pool;
mod simd;

pub use error::TrainError;
pub use executor::{Executor, Outcome};
pub use model::{LayerVariables, Model, NormVariables, Role};
pub use optimiser::{Optimiser, OptimiserState, Rule, clip};
pub use simd::Level;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
