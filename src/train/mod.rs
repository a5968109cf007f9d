//! Training networks on the CPU, with parameters as Candle variables and the kernels of `tandem_kernels`.

mod activation;
mod augment;
mod checkpoint;
pub mod data;
mod error;
mod model;
mod optimizer;
mod recipe;
mod score;
mod trainer;

pub use error::TrainError;
pub use model::{Model, VariableRole};
pub use optimizer::{Optimizer, OptimizerState, UpdateRule, clip};
pub use recipe::{Augment, Recipe, Schedule, training_key};
pub use score::{EpochScore, Score};
pub use tandem_kernels::{
    BatchOutcome, Executor, LayerVariables, NormVariables, SimdLevel, check_activations,
};
pub use trainer::{Job, TrainProgress, Training, TrainingWatch, fit};

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trainer_tests;
