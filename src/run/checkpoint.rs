//! The state of a run's controllers at one step.

use serde::{Deserialize, Serialize};

/// A controller's saved state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedController {
    /// The name of its random streams; of a kept controller, also the name by which later phases find it.
    pub name: String,
    /// The number of combinations that it was asked for.
    pub asked: u64,
    /// The result of `Controller::save`.
    pub state: Vec<u8>,
}

/// The state of a run that does not follow from its trials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunCheckpoint {
    /// The number of trials it covers.
    pub step: u64,
    /// The number of phases entered.
    pub phases: u32,
    /// The controllers that continue, including that of the current phase.
    pub controllers: Vec<SavedController>,
}

impl RunCheckpoint {
    /// Encodes the checkpoint.
    pub(super) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// Decodes the result of `encode`.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}
