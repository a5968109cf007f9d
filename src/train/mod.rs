//! Training networks on the processor: parameters as Candle variables, plans of our own kernels.

mod checkpoint;
pub mod data;
mod error;
mod executor;
mod feed;
mod kernels;
mod model;
mod optimiser;
mod plan;
mod pool;
mod recipe;
mod simd;
mod trainer;

pub use error::TrainError;
pub use executor::{Executor, Outcome};
pub use model::{LayerVariables, Model, NormVariables, Role};
pub use optimiser::{Optimiser, OptimiserState, Rule, clip};
pub use recipe::{Augment, Recipe, Schedule, training_key};
pub use simd::Level;
pub use trainer::{EpochScore, Job, Score, TrainProgress, Training, Watch, fit};

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trainer_tests;
