//! sled's database, closed without harm.

use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;
use std::{io, mem, thread};

use sled::Db;

use super::watchdog::without_panic;
use crate::store::StoreError;

/// sled's database, to be the last of its handles that is dropped.
///
/// After a write that failed sled waits for ever for the one that would have followed, also when it is
/// closed; then it is left as it is, for the process to end.
#[derive(Debug)]
pub(in crate::store) struct Database {
    /// There until it is dropped.
    db: Option<Db>,
    broken: OnceLock<Broken>,
}

/// The first write that failed.
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

    /// Notes that a write failed: none is tried after it.
    pub(in crate::store) fn give_up(&self, error: &io::Error) {
        let (code, kind) = (error.raw_os_error(), error.kind());
        let _ = self.broken.set(Broken { code, kind, text: error.to_string() });
    }

    /// Refuses after a write that failed.
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
