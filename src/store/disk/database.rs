//! sled's database, with a safe way to close it.

use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;
use std::{io, mem, thread};

use sled::Db;

use super::watchdog::without_panic;
use crate::store::StoreError;

/// sled's database; the last of its handles to be dropped.
///
/// After a failed write, sled waits forever for the write after it, also when it closes. Such a database is
/// leaked instead of closed: the process is about to end.
#[derive(Debug)]
pub(in crate::store) struct Database {
    /// The database; `None` only while it is dropped.
    db: Option<Db>,
    broken: OnceLock<Broken>,
}

/// The error of the first write that failed.
#[derive(Debug)]
struct Broken {
    code: Option<i32>,
    kind: io::ErrorKind,
    text: String,
}

impl Database {
    pub(in crate::store) const fn new(db: Db) -> Self {
        Self { db: Some(db), broken: OnceLock::new() }
    }

    /// Records that a write failed: no write is tried after it.
    pub(in crate::store) fn give_up(&self, error: &io::Error) {
        let (code, kind) = (error.raw_os_error(), error.kind());
        let _ = self.broken.set(Broken { code, kind, text: error.to_string() });
    }

    /// Returns the error of the first failed write, if there was one.
    pub(in crate::store) fn check(&self, path: &Path) -> Result<(), StoreError> {
        let Some(Broken { code, kind, text }) = self.broken.get() else { return Ok(()) };
        let source =
            code.map_or_else(|| io::Error::new(*kind, text.clone()), io::Error::from_raw_os_error);
        Err(StoreError::Io { path: path.to_owned(), source })
    }
}

impl Deref for Database {
    type Target = Db;

    fn deref(&self) -> &Db {
        match &self.db {
            Some(db) => db,
            None => unreachable!("the database is used after it was dropped"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let db = self.db.take();
        if self.broken.get().is_some() || thread::panicking() {
            mem::forget(db);
            return;
        }
        // sled panics if the disk fails here; what anything depends on was brought to the disk before.
        if let Err(reason) = without_panic(|| drop(db)) {
            tracing::warn!("closing the store failed: {reason}");
        }
    }
}
