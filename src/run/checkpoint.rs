//! The state of a run's controllers at one step.

use serde::{Deserialize, Serialize};

/// A controller's saved state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedController {
    /// The name of its random streams and, if it is kept, under which later phases find it.
    pub name: String,
    /// The combinations it was asked for.
    pub asked: u64,
    /// What `Controller::save` gave.
    pub state: Vec<u8>,
}

/// The state of a run that its trials do not tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The number of trials it covers.
    pub step: u64,
    /// The phases entered.
    pub phases: u32,
    /// The controllers that go on, the current phase's included.
    pub controllers: Vec<SavedController>,
}

impl Checkpoint {
    /// The checkpoint as bytes.
    pub(super) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// Reads what `encode` gave.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}
