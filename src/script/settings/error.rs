//! Settings that cannot be used.

use std::path::PathBuf;

use crate::script::diagnostic::Diagnostic;
use crate::script::sources::Sources;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is not what it should be.
    #[error("{diagnostic}")]
    Wrong {
        /// What is wrong and where.
        diagnostic: Box<Diagnostic>,
        /// The text that it points into.
        sources: Sources,
    },
    /// A settings file that names no script.
    #[error("{path} names no script; add a line such as `script: experiment.rhai`")]
    NoScript {
        /// The file.
        path: PathBuf,
    },
    /// An override that is not `key=value`.
    #[error("`--set {0}` is not of the form key=value")]
    Form(String),
    /// A setting with a value that makes no sense.
    #[error("setting `{key}` is {value}; it must be {expected}")]
    Range {
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// An override with a value of the wrong kind.
    #[error("`--set {key}=...`: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl SettingsError {
    /// An error without a place.
    pub(super) fn wrong(diagnostic: Diagnostic) -> Self {
        Self::Wrong { diagnostic: Box::new(diagnostic), sources: Sources::default() }
    }
}
