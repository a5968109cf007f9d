//! The error of a query.

use crate::script::{Diagnostic, Sources};

/// A query that cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("{diagnostic}")]
pub struct QueryError {
    /// What is wrong and where.
    pub diagnostic: Box<Diagnostic>,
    /// The text it points into.
    pub sources: Sources,
}
