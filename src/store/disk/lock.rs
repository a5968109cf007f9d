//! The lock of a store's folder.
//!
//! sled locks its database file. Since that file can be replaced, the folder has its own lock, which is taken
//! before anything in the folder is read.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::util::atomic_file::create_like_folder;

/// The name of the lock file.
pub(in crate::store) const FILE: &str = "lock";

/// The lock of a folder, exclusive or shared. Clones share the lock; dropping the last one releases it.
#[derive(Clone, Debug)]
pub(in crate::store) struct Lock {
    files: Arc<Vec<File>>,
    /// The path of the lock file, if it was created for this lock.
    made: Option<PathBuf>,
}

impl Lock {
    /// Takes the exclusive lock of an existing folder; returns `None` if another process still has it after
    /// `patience`. `pause` is the time between two attempts.
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

    /// Takes a shared lock of a folder and its database without creating or changing a file; returns `None`
    /// if another process is writing.
    ///
    /// Files that are missing or cannot be locked are skipped: see [`is_certain`](Self::is_certain).
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

    /// Returns true if at least one file could be locked.
    pub fn is_certain(&self) -> bool {
        !self.files.is_empty()
    }

    /// Returns true if an exclusive lock of a file is held.
    pub fn is_taken(path: &Path) -> io::Result<bool> {
        Ok(matches!(File::open(path)?.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Removes the lock file if it was created for this lock.
    pub fn remove_if_new(&mut self) {
        if let Some(path) = self.made.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns true if a path still leads to the file that was opened there.
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

    /// A process that waits while the lock file is removed gets the lock of a new file.
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
