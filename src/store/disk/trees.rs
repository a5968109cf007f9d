//! Fresh databases, filled with the records of other trees.

use std::path::{Path, PathBuf};

use super::free_space::check_room;
use super::fsync::write_synced;
use crate::store::engine::{StoreEngine, Tree};
use crate::store::error::StoreError;
use crate::store::layout::{FREE_BYTES, META, SYNCED_KEY};

/// The most bytes that are written between two flushes.
const FLUSH_EVERY: u64 = 8 << 20;
/// The most bytes that sled may use on disk for each byte that it is given.
const AMPLIFICATION: u64 = 4;

/// Returns true if a record concerns the folder of a database and not its contents: the number of the last
/// sync, which is also in a file beside the database.
pub(in crate::store) fn is_local(tree: &[u8], key: &[u8]) -> bool {
    tree == META && key == SYNCED_KEY.as_bytes()
}

/// Copies all records of a database into a new one, in an empty folder within the store's. `synced` is the
/// new database's sync number.
pub(in crate::store) fn copy_trees(
    from: &StoreEngine,
    store: &Path,
    folder: &Path,
    synced: u64,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::of(store, error);
    let mut filling = Filling::new(store, folder)?;
    for (name, tree) in from.trees().map_err(failed)? {
        let copy = filling.tree(&name)?;
        for record in &tree {
            let (key, value) = record.map_err(failed)?;
            if !is_local(&name, &key) {
                filling.insert(&copy, &key, &value)?;
            }
        }
    }
    filling.close(synced)
}

/// A fresh database that is being filled.
pub(in crate::store) struct Filling {
    db: StoreEngine,
    folder: PathBuf,
    /// The folder of the store, for messages.
    store: PathBuf,
    /// Bytes written since the last flush.
    unflushed: u64,
}

impl Filling {
    /// Creates a database in an empty folder within the store's.
    pub fn new(store: &Path, folder: &Path) -> Result<Self, StoreError> {
        let db = StoreEngine::open(folder)?;
        let (folder, store) = (folder.to_owned(), store.to_owned());
        let mut new = Self { db, folder, store, unflushed: 0 };
        new.flush(0)?;
        Ok(new)
    }

    /// Opens a tree of the database.
    pub fn tree(&self, name: &[u8]) -> Result<Tree, StoreError> {
        self.db.tree(name).map_err(|error| StoreError::of(&self.store, error))
    }

    /// Adds a record to a tree of the database, after a flush if too much would be unflushed.
    pub fn insert(&mut self, tree: &Tree, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let bytes = (key.len() + value.len()) as u64;
        if self.unflushed + bytes > FLUSH_EVERY {
            self.flush(bytes)?;
        }
        tree.insert(key, value).map_err(|error| StoreError::of(&self.store, error))?;
        self.unflushed += bytes;
        Ok(())
    }

    /// Flushes and closes the database, and marks it with the sync number `synced`.
    ///
    /// The number is written last: a database without it has lost its end.
    pub fn close(mut self, synced: u64) -> Result<(), StoreError> {
        let meta = self.tree(META)?;
        self.flush(0)?;
        self.insert(&meta, SYNCED_KEY.as_bytes(), &synced.to_be_bytes())?;
        self.flush(0)?;
        write_synced(&self.folder, synced)
            .map_err(|source| StoreError::Io { path: self.store.clone(), source })
    }

    /// Hands everything to the operating system, and checks that the disk has space for the next `next`
    /// bytes.
    fn flush(&mut self, next: u64) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| StoreError::of(&self.store, error))?;
        self.unflushed = 0;
        check_room(&self.store, FREE_BYTES + AMPLIFICATION * next.max(FLUSH_EVERY))
    }
}
