//! What a process that was killed while it opened a store leaves behind.
//!
//! sled writes `conf` before it makes its database file, and reads a half-written one as damage. When
//! it opens a database it writes a snapshot under a name of its own, renames it, and takes one that was
//! not renamed for the newest of all. Nothing of the store is in these files: they are removed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::holder;
use super::lock;
use super::open::{DATABASE, SYNCED};
use super::swap::remove_file;

const CONFIGURATION: &str = "conf";
const BLOBS: &str = "blobs";
const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";

/// Whether a folder holds nothing but what a killed process left of a store that it did not come to make.
pub(super) fn is_all_there_is(path: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let left = match name.to_str() {
            Some(CONFIGURATION | holder::FILE | holder::TEMPORARY | lock::FILE) => true,
            Some(BLOBS) => fs::read_dir(entry.path()).is_ok_and(|mut blobs| blobs.next().is_none()),
            _ => false,
        };
        if !left {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what is left, unless another process has the store open: then it is that process's.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    let _lock = match File::open(path.join(DATABASE)) {
        Ok(database) => match database.try_lock() {
            Ok(()) => Some(database),
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if !path.join(SYNCED).exists() {
        remove_file(&path.join(CONFIGURATION))?;
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(SNAPSHOT) && name.ends_with(UNFINISHED) {
            tracing::debug!(%name, "removing an unfinished snapshot");
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}
