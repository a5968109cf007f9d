//! Files left behind by a process that was killed while it opened a store.
//!
//! sled writes `conf` before it creates its database file, and treats a half-written one as damage. When it
//! opens a database, it writes a snapshot under a temporary name and renames it; it would take one that was
//! not renamed for the newest of all. These files contain nothing of the store, so they are removed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::replace::remove_file;
use crate::store::image::is_snapshot_name;
use crate::store::layout::{CONF, DATABASE};

const UNFINISHED: &str = ".generating";

/// Removes the remains of a store that was never completed, in a folder that bears the store's marker.
pub(in crate::store) fn clear_unmade(path: &Path) -> io::Result<()> {
    remove_file(&path.join(CONF))
}

/// Removes unfinished snapshots, unless another process has the database open and may be writing one.
pub(in crate::store) fn clear(path: &Path) -> io::Result<()> {
    let _lock = match File::open(path.join(DATABASE)) {
        Ok(database) => match database.try_lock() {
            Ok(()) => Some(database),
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.strip_suffix(UNFINISHED).is_some_and(is_snapshot_name) {
            tracing::debug!(%name, "removing an unfinished snapshot");
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}
