//! The lock of a store's folder.
//!
//! sled locks its database file. That is not enough where the file itself is replaced, so the folder has a
//! lock of its own, which is taken before anything in it is looked at.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::util::atomic_file::create_like_folder;

/// The file that is locked.
pub(in crate::store) const FILE: &str = "lock";

/// A folder that no other process uses, or that others only read. Clones share the lock; it goes with the last.
#[derive(Clone, Debug)]
pub(in crate::store) struct Lock {
    files: Arc<Vec<File>>,
    /// The file that is locked, if it was made for that.
    made: Option<PathBuf>,
}

impl Lock {
    /// Takes the lock of a folder, which must be there; `None` if somebody else has it for as long as
    /// `patience` lasts.
    pub fn take(folder: &Path, patience: Duration, pause: Duration) -> io::Result<Option<Self>> {
        let path = folder.join(FILE);
        let started = Instant::now();
        loop {
            let (file, made) = match File::options().write(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    (create_like_folder(&path)?, Some(path.clone()))
                }
                file => (file?, None),
            };
            match file.try_lock() {
                Ok(()) if is_there(&file, &path)? => {
                    return Ok(Some(Self { files: Arc::new(vec![file]), made }));
                }
                // Who had it took the whole folder away.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if started.elapsed() > patience => return Ok(None),
                Err(TryLockError::WouldBlock) => thread::sleep(pause),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Keeps others from writing into a folder with a database, without making or changing a file; `None` if
    /// somebody writes.
    pub fn share(folder: &Path, database: &Path) -> io::Result<Option<Self>> {
        let mut files = Vec::new();
        // A store that was copied may have no file to lock. sled's own lock is on the database.
        for path in [folder.join(FILE).as_path(), database] {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // Who may not read it may not wait for it either.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
                Err(error) => return Err(error),
            };
            match file.try_lock_shared() {
                Ok(()) => files.push(file),
                Err(TryLockError::WouldBlock) => return Ok(None),
                // A file system without locks has nobody who holds one.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(Some(Self { files: Arc::new(files), made: None }))
    }

    /// Whether a file could be locked at all.
    pub fn is_certain(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether somebody has the lock of a file.
    pub fn is_taken(path: &Path) -> io::Result<bool> {
        Ok(matches!(File::open(path)?.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Removes the file that is locked if it was made for that.
    pub fn remove_if_new(&mut self) {
        if let Some(path) = self.made.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether a path still leads to a file that was opened by it.
#[cfg(unix)]
fn is_there(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let opened = file.metadata()?;
    let there = fs::metadata(path);
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (opened.dev(), opened.ino())))
}

#[cfg(not(unix))]
fn is_there(_file: &File, path: &Path) -> io::Result<bool> {
    fs::exists(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;
    const PAUSE: Duration = Duration::from_millis(1);

    #[test]
    fn one_at_a_time_has_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let take = || Lock::take(dir.path(), NONE, PAUSE).unwrap();
        let lock = take().unwrap();
        let clone = lock.clone();
        assert!(take().is_none());
        drop(lock);
        assert!(take().is_none());
        drop(clone);
        assert!(take().is_some());
        assert!(Lock::take(&dir.path().join("missing"), NONE, PAUSE).is_err());
    }

    /// Who waits for a folder that is taken away and made anew gets the lock of the one that is there.
    #[cfg(unix)]
    #[test]
    fn a_lock_that_was_removed_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let lock = Lock::take(&path, NONE, PAUSE).unwrap().unwrap();
        let waiting = {
            let path = path.clone();
            thread::spawn(move || Lock::take(&path, Duration::from_secs(60), PAUSE))
        };
        thread::sleep(Duration::from_millis(30));
        fs::remove_file(path.join(FILE)).unwrap();
        drop(lock);
        let _theirs = waiting.join().unwrap().unwrap().unwrap();
        assert!(Lock::take(&path, NONE, PAUSE).unwrap().is_none());
    }
}
