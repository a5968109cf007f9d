//! Errors of the database below the store.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::error::{StoreError, damaged};
use super::image::ImageError;

/// Errors of a database.
#[derive(Debug)]
pub(super) enum EngineError {
    /// An error of sled.
    Database(sled::Error),
    /// The files are damaged or cannot be read.
    Image(ImageError),
    /// A write to a database that is open only for reading.
    ReadOnly,
}

impl From<sled::Error> for EngineError {
    fn from(error: sled::Error) -> Self {
        Self::Database(error)
    }
}

impl From<ImageError> for EngineError {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl EngineError {
    /// Returns the system's error behind a failed read or write of sled.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Database(sled::Error::Io(error)) => Some(error),
            _ => None,
        }
    }
}

impl StoreError {
    pub(super) fn of(path: &Path, error: impl Into<EngineError>) -> Self {
        let io = |source| Self::Io { path: path.to_owned(), source };
        match error.into() {
            EngineError::Database(sled::Error::Io(error)) if is_loss(&error) => {
                damaged(path, format!("a file of it is missing or cut short ({error})"))
            }
            EngineError::Database(sled::Error::Io(source))
            | EngineError::Image(ImageError::Io(source)) => io(source),
            EngineError::Database(sled::Error::Corruption { .. }) => {
                damaged(path, "a checksum in it does not hold")
            }
            EngineError::Database(other) => damaged(path, other.to_string()),
            EngineError::Image(ImageError::Flaw(flaw)) => damaged(path, flaw.to_string()),
            EngineError::ReadOnly => io(ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

/// Returns true if a file was missing or ended where sled expected more of it.
fn is_loss(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound)
}
