//! What keeps an experiment from being loaded.

use std::path::PathBuf;

use super::diagnostic::Diagnostics;
use super::settings::SettingsError;
use super::sources::Sources;

/// What keeps an experiment from being loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The script file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The script is wrong.
    #[error("{diagnostics}")]
    Script {
        /// What is wrong and where.
        diagnostics: Diagnostics,
        /// The texts that it points into.
        sources: Sources,
    },
}
