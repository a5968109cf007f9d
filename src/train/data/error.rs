//! Why a set of images cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why a set of images cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A name that no set has.
    #[error("there is no data set `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The set is not in the folder of data.
    #[error("{name} is not there: looked for {looked}; {help}")]
    Missing {
        /// The set.
        name: String,
        /// Where it was looked for.
        looked: String,
        /// What to do.
        help: String,
    },
    /// The name of a folder of images that leads elsewhere.
    #[error("`images/{name}` leaves the folder of data; name a folder directly below it")]
    Outside {
        /// The name.
        name: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: {what}", path.display())]
    Wrong {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl DataError {
    pub(in crate::train::data) fn wrong(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Wrong { path: path.into(), what: what.into() }
    }

    /// The message, with files named as they are within a folder.
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
