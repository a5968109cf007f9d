//! Reasons that an experiment cannot be loaded.

use std::path::PathBuf;

use super::diagnostic::Diagnostics;
use super::settings::SettingsError;
use super::sources::Sources;

/// Reasons that an experiment cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The script file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The script is wrong.
    #[error("{diagnostics}")]
    Script {
        /// The mistakes, with their places.
        diagnostics: Diagnostics,
        /// The texts that the places are in.
        sources: Sources,
    },
}
