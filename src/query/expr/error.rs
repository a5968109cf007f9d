//! The error of a query.

use crate::script::{Diagnostic, Sources};

/// The error of a query that cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("{diagnostic}")]
pub struct QueryError {
    /// The message and its place.
    pub diagnostic: Box<Diagnostic>,
    /// The texts that the place refers to.
    pub sources: Sources,
}
