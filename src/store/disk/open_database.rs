//! Opening of sled databases.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::Instant;

use sled::Db;

use super::acquire::{LOCK_PATIENCE, LOCK_PAUSE, held};
use super::leftovers;
use super::watchdog::without_panic;
use crate::store::error::{StoreError, damaged};
use crate::store::layout::{BLOBS, TRAININGS};
use crate::util::atomic_file::{create_folder_like_folder, restrict_like_folder};

/// The memory that sled may use for its page cache, in bytes.
const CACHE_BYTES: u64 = 64 << 20;

/// Opens the database in a folder, and creates a missing one.
pub(in crate::store) fn open_database(path: &Path) -> Result<Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::HighThroughput)
        // Every append is flushed by itself.
        .flush_every_ms(None);
    let started = Instant::now();
    let failed = |source| StoreError::Io { path: path.to_owned(), source };
    let blobs = path.join(BLOBS);
    if !blobs.exists() {
        create_folder_like_folder(&blobs).map_err(failed)?;
    }
    loop {
        leftovers::clear(path).map_err(failed)?;
        let opened = without_panic(|| config.open())
            .map_err(|reason| damaged(path, format!("it cannot be opened ({reason})")))?;
        match opened {
            Ok(db) => {
                restrict(path).map_err(failed)?;
                return Ok(db);
            }
            Err(sled::Error::Io(error)) if is_lock(&error) => {
                if started.elapsed() > LOCK_PATIENCE {
                    return Err(held(path));
                }
                thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(StoreError::of(path, error)),
        }
    }
}

/// Restricts the permissions of sled's files to those of the store's folder.
fn restrict(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let is_ours = [BLOBS, TRAININGS].map(OsStr::new).contains(&&*entry.file_name());
        if entry.file_type()?.is_file() || is_ours {
            restrict_like_folder(&entry.path())?;
        }
    }
    Ok(())
}

/// Returns true if an error means that another process has sled's lock. sled wraps the system's error in an
/// error of its own, with the system's text inside.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}
