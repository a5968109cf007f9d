//! The error of a place that keeps results between runs of the program.

use std::error::Error;

/// A result cannot be read from where it is kept, or not be written there.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KeepError(Box<dyn Error + Send + Sync>);

impl KeepError {
    /// The error of a place, whatever kind of place it is.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}
