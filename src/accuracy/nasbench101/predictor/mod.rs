//! A predictor of the test accuracy of NASBench-101 cells, for machines without the table.
//!
//! It is a graph network over the vertices of a cell. The features of a vertex are its operation, its width,
//! and its edges from the input and to the output. In each of [`LAYERS`] rounds, a vertex adds a layer of its
//! own state and the sums over its predecessors and its successors. The read-out takes the sum over all
//! vertices and the output vertex.
//!
//! [`train`] fits it to a share of the table; [`Predictor::embedded`] has its weights in the program.
//! Prediction is plain f32 arithmetic in a fixed order, so that results are equal on all processors.

mod cached;
mod features;
mod model;
mod quality;
mod train;

pub use model::{LAYERS, Predictor, PredictorError, WIDTH};
pub use quality::{Quality, kendall_tau, spearman};
pub use train::{PredictorRecipe, PredictorTrainError, split, train};
