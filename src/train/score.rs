//! Losses and accuracies.

use serde::{Deserialize, Serialize};
use tandem_kernels::BatchOutcome;

/// Loss and accuracy over a set of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The fraction of images that were classified correctly.
    pub accuracy: f64,
}

impl From<BatchOutcome> for Score {
    fn from(outcome: BatchOutcome) -> Self {
        Self { loss: outcome.mean_loss(), accuracy: outcome.accuracy() }
    }
}

/// The scores of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochScore {
    /// The score on the augmented training images, during the epoch.
    pub train: Score,
    /// The score on the validation images, after the epoch.
    pub validation: Option<Score>,
}
