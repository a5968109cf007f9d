//! Reasons that settings cannot be used.

use std::path::PathBuf;

use crate::script::diagnostic::Diagnostic;
use crate::script::sources::Sources;

/// Reasons that settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A setting is wrong.
    #[error("{diagnostic}")]
    Wrong {
        /// The mistake, with its place if it is known.
        diagnostic: Box<Diagnostic>,
        /// The text that the place is in.
        sources: Sources,
    },
    /// A settings file that names no script.
    #[error("{path} names no script; add a line such as `script: experiment.rhai`")]
    NoScript {
        /// The file.
        path: PathBuf,
    },
    /// An override that is not of the form `key=value`.
    #[error("`--set {0}` is not of the form key=value")]
    Form(String),
    /// A setting whose value is out of range.
    #[error("setting `{key}` is {value}; it must be {expected}")]
    Range {
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// The range.
        expected: String,
    },
    /// An override with a value of a wrong type.
    #[error("`--set {key}=...`: {reason}")]
    Value {
        /// The key.
        key: String,
        /// The reason.
        reason: String,
    },
}

impl SettingsError {
    /// Returns an error without a place.
    pub(super) fn wrong(diagnostic: Diagnostic) -> Self {
        Self::Wrong { diagnostic: Box::new(diagnostic), sources: Sources::default() }
    }
}
