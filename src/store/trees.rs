//! The trees of a database, whatever they hold, and a fresh database that is filled with such.

use std::path::{Path, PathBuf};

use sled::{Db, IVec, Tree};

use super::error::StoreError;
use super::open::{FREE_BYTES, SYNCED_KEY, check_room, open_database};

/// The tree with the version of the layout.
pub(super) const META: &[u8] = b"meta";
/// A tree that every sled database has and that a store does not use.
const DEFAULT: &[u8] = b"__sled__default";

/// Bytes that are written between two flushes.
const FLUSH_EVERY: u64 = 8 << 20;
/// Bytes that sled may take on the disk for a byte that it is given, at most.
const AMPLIFICATION: u64 = 4;

/// All trees of a store by their names, in the order of the names.
pub(super) fn trees(db: &Db) -> sled::Result<Vec<(IVec, Tree)>> {
    let mut names = db.tree_names();
    names.retain(|name| name != DEFAULT);
    names.sort();
    names.into_iter().map(|name| Ok((name.clone(), db.open_tree(&name)?))).collect()
}

/// Whether a record is about the folder that the database is in and not about what it holds: the
/// number of the last sync, which a file beside the database has too.
pub(super) fn is_local(tree: &[u8], key: &[u8]) -> bool {
    tree == META && key == SYNCED_KEY.as_bytes()
}

/// A fresh database that is being filled.
pub(super) struct Filling {
    db: Db,
    /// The folder of the store that it is for, which messages name.
    store: PathBuf,
    /// Bytes since the last flush.
    unflushed: u64,
}

impl Filling {
    /// A database in an empty folder within a store's.
    pub fn new(store: &Path, folder: &Path) -> Result<Self, StoreError> {
        let db = open_database(folder)?;
        let mut new = Self { db, store: store.to_owned(), unflushed: 0 };
        new.flush(0)?;
        Ok(new)
    }

    /// One of its trees.
    pub fn tree(&self, name: &[u8]) -> Result<Tree, StoreError> {
        self.db.open_tree(name).map_err(|error| StoreError::of(&self.store, error))
    }

    /// Adds a record to one of its trees.
    pub fn insert(&mut self, tree: &Tree, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let bytes = (key.len() + value.len()) as u64;
        if self.unflushed + bytes > FLUSH_EVERY {
            self.flush(bytes)?;
        }
        tree.insert(key, value).map_err(|error| StoreError::of(&self.store, error))?;
        self.unflushed += bytes;
        Ok(())
    }

    /// Hands everything to the operating system and closes the database.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.flush(0)
    }

    /// Hands everything to the operating system, and makes sure that there is room for what comes next.
    fn flush(&mut self, next: u64) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| StoreError::of(&self.store, error))?;
        self.unflushed = 0;
        check_room(&self.store, FREE_BYTES + AMPLIFICATION * next.max(FLUSH_EVERY))
    }
}
