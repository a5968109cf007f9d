//! Waiting for the lock of a store's folder.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::lock::Lock;
use super::lock_owner::LockOwner;
use crate::store::error::StoreError;
use crate::store::layout::DATABASE;

/// The time to wait for a lock whose holder answers at a socket: a killed process can leave its lock for a
/// moment.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// The time to wait for other locks: a process that only reads holds its lock briefly and has no socket.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// The time between two attempts.
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// Takes the exclusive lock of a store's folder.
///
/// Fails with [`StoreError::Held`] if another process keeps it for too long.
pub(in crate::store) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let database = path.join(DATABASE);
    wait_for_lock(path, &|| {
        // An older program, or another one that uses sled, locks the database alone.
        let lock = Lock::take(path, Duration::ZERO, LOCK_PAUSE)?;
        Ok(lock.filter(|_| !Lock::is_taken(&database).unwrap_or(false)))
    })
}

/// Takes the shared lock of a store, which keeps others from writing into it.
pub(in crate::store) fn lock_to_read(path: &Path, database: &Path) -> Result<Lock, StoreError> {
    wait_for_lock(path, &|| Lock::share(path, database))
}

fn wait_for_lock(
    path: &Path,
    take: &dyn Fn() -> io::Result<Option<Lock>>,
) -> Result<Lock, StoreError> {
    let started = Instant::now();
    loop {
        let taken = take();
        if let Some(lock) =
            taken.map_err(|source| StoreError::Io { path: path.to_owned(), source })?
        {
            return Ok(lock);
        }
        let answers = LockOwner::of(path).is_some_and(|holder| holder.socket.is_some());
        if started.elapsed() > if answers { LOCK_PATIENCE } else { READER_PATIENCE } {
            return Err(held(path));
        }
        thread::sleep(LOCK_PAUSE);
    }
}

/// Returns the error that names the process which has a store open.
pub(super) fn held(path: &Path) -> StoreError {
    let holder = LockOwner::of(path).map_or_else(
        || "another process".to_owned(),
        |holder| format!("{}, last heard of {} s ago", holder.describe(), holder.silent_s()),
    );
    StoreError::Held { path: path.to_owned(), holder }
}
