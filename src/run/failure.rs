//! Failed trials.

/// Why a trial has no metrics or no reward: one clear message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);
