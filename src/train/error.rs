//! Errors of training.

use std::path::PathBuf;

use tandem_kernels::KernelError;

use super::data::DataError;
use crate::util::keep_error::KeepError;

/// Reasons that a training run cannot start or has failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The tensor library failed.
    #[error("training fails: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The network or a batch cannot be executed.
    #[error(transparent)]
    Kernel(KernelError),
    /// The images are not available.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The recipe does not fit the network or the images.
    #[error("the training makes no sense: {0}")]
    Recipe(String),
    /// The loss or a gradient is not finite.
    #[error(
        "the training diverged at step {step} of epoch {epoch}, with loss {loss}; a lower learning \
         rate than {rate}, more warming up or `clip` may help"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
        /// The step of the epoch, from 1.
        step: u64,
        /// The loss at that step.
        loss: f64,
        /// The recipe's peak learning rate.
        rate: f64,
    },
    /// The training was interrupted and can be resumed.
    #[error("the training was interrupted")]
    Interrupted,
    /// A dry run does not train.
    #[error("a dry run does not train")]
    Dry,
    /// A checkpoint cannot be written or read.
    #[error("cannot use the checkpoint {}: {source}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Trained accuracies cannot be stored or looked up.
    #[error(transparent)]
    Cache(#[from] KeepError),
    /// A file of weights cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
}

impl From<KernelError> for TrainError {
    fn from(error: KernelError) -> Self {
        match error {
            KernelError::Tensor(error) => Self::Tensor(error),
            error => Self::Kernel(error),
        }
    }
}
