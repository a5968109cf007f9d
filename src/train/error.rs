//! What can go wrong in training.

use std::path::PathBuf;

/// Why a training cannot be done or has failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The tensor library fails.
    #[error("training fails: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The network cannot be trained.
    #[error("the network cannot be trained: {0}")]
    Network(String),
    /// A batch that does not fit.
    #[error("a batch of {given} images was given; it takes 1 to {most}")]
    Batch {
        /// Images given.
        given: usize,
        /// Images at most.
        most: usize,
    },
    /// A label that the network does not tell apart.
    #[error("label {label} is out of range; the network tells {classes} classes apart")]
    Label {
        /// The label.
        label: u32,
        /// The network's classes.
        classes: usize,
    },
    /// A file of weights does not serve.
    #[error("{path}: {reason}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
