//! A predictor of the test accuracy of NASBench-101 cells, for machines without the table.
//!
//! A graph network over the cell's vertices: every vertex starts from its operation, its width and
//! whether it touches input and output; [`LAYERS`] times it adds what it, its predecessors and its
//! successors make of each other; the sum over all vertices and the output vertex are read out. It is
//! trained on a share of the table ([`train`]) and embedded with its weights ([`Predictor::embedded`]).
//! Prediction is plain f32 arithmetic in a fixed order, the same on every processor.

mod cached;
mod features;
mod model;
mod quality;
mod train;

pub use model::{LAYERS, Predictor, PredictorError, WIDTH};
pub use quality::{Quality, kendall_tau, spearman};
pub use train::{Recipe, TrainError, split, train};
