//! Losses and accuracies.

use serde::{Deserialize, Serialize};
use tandem_kernels::Outcome;

/// What some images gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of images that were told right.
    pub accuracy: f64,
}

impl From<Outcome> for Score {
    fn from(outcome: Outcome) -> Self {
        Self { loss: outcome.mean_loss(), accuracy: outcome.accuracy() }
    }
}

/// What an epoch gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochScore {
    /// The training images, as they were changed, while the network learnt.
    pub train: Score,
    /// The images held out, after the epoch.
    pub validation: Option<Score>,
}
