//! The staging folder of a set, `.NAME.incoming` in the data folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::error::AcquireError;
use super::official::Official;
use crate::util::atomic_file::move_folder;

const LOCK: &str = "lock";
const STAGED: &str = "set";

/// The staging folder of a set, locked by one process at a time.
///
/// Downloads remain in it for the next call. Dropping it removes partly extracted files, and the folder
/// itself if nothing else is there.
#[derive(Debug)]
pub(super) struct Incoming {
    folder: PathBuf,
    _lock: File,
}

impl Incoming {
    /// Creates the folder, or opens the one of an interrupted call.
    pub(super) fn open(set: &Official, data: &Path) -> Result<Self, AcquireError> {
        let folder = data.join(format!(".{set}.incoming"));
        let path = folder.join(LOCK);
        let failed = |source| AcquireError::Write { path: path.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        // Whatever is in the folder goes with it in the end: it has to be this program's.
        let is_empty = || Ok(fs::read_dir(&folder)?.next().is_none());
        if !is_lock(&path) && !is_empty().map_err(failed)? {
            return Err(AcquireError::Foreign { path: folder });
        }
        let lock = File::options().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(AcquireError::Busy { name: set.to_string(), data: data.to_owned() })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The folder for downloads.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Creates an empty folder for extraction.
    pub(super) fn stage(&self) -> Result<PathBuf, AcquireError> {
        let staged = self.folder.join(STAGED);
        let make = || {
            if staged.exists() {
                fs::remove_dir_all(&staged)?;
            }
            fs::create_dir(&staged)
        };
        make().map_err(|source| AcquireError::Write { path: staged.clone(), source })?;
        Ok(staged)
    }

    /// Renames the extracted set to its place and removes everything else.
    pub(super) fn place(self, place: &Path) -> Result<(), AcquireError> {
        let staged = self.folder.join(STAGED);
        move_folder(&staged, place)
            .map_err(|source| AcquireError::Write { path: place.to_owned(), source })?;
        // The set is there; what cannot be removed now is removed by nobody else, and does no harm.
        let _ = fs::remove_dir_all(&self.folder);
        Ok(())
    }
}

/// Returns true if the lock file exists and is empty, as it always is.
fn is_lock(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder.join(STAGED));
        let others = fs::read_dir(&self.folder)
            .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() != LOCK));
        if !others {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
