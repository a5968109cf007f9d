//! Errors of image sets.

use std::io;
use std::path::{Path, PathBuf};

/// Reasons that an image set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// An unknown name.
    #[error("there is no data set `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The known names.
        known: String,
    },
    /// A set that is not in the data folder.
    #[error("{name} is not there: looked for {looked}; {help}")]
    Missing {
        /// The set.
        name: String,
        /// The folders that were searched.
        looked: String,
        /// Advice for obtaining the set.
        help: String,
    },
    /// A name of a folder of images that leaves the data folder.
    #[error("`images/{name}` leaves the folder of data; name a folder directly below it")]
    Outside {
        /// The name.
        name: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file or folder with unexpected content.
    #[error("{}: {what}", path.display())]
    Wrong {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        what: String,
    },
}

impl DataError {
    pub(in crate::train::data) fn wrong(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Wrong { path: path.into(), what: what.into() }
    }

    /// The message, with paths relative to a folder.
    pub(in crate::train::data) fn within(&self, folder: &Path) -> String {
        let inner = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
        match self {
            Self::Read { path, source } => format!("cannot read {}: {source}", inner(path)),
            Self::Wrong { path, what } if path == folder => what.clone(),
            Self::Wrong { path, what } => {
                format!("{}: {}", inner(path), what.replace(&format!("{}/", folder.display()), ""))
            }
            other => other.to_string(),
        }
    }

    pub(in crate::train::data) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }
}
