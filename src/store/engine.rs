//! The interface of the store to a database: trees of records, which can be read, scanned, written alone or in a
//! batch, and flushed. sled provides it for a store that is open for writing, and an [`Image`] of the files for
//! one that is only read.
//!
//! Another engine would take the place of sled here, in `engine_error.rs`, `bytes.rs`, `disk/database.rs` and
//! `disk/open_database.rs`, and of `image/`, which reads sled's files without it. Nothing else names sled.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use super::bytes::Bytes;

use super::disk::database::Database;
use super::disk::open_database::open_database;
use super::engine_error::EngineError;
use super::error::StoreError;
use super::image::{Ascending, Descending, Image, ImageTree};

/// The name of a tree that every sled database has and that a store does not use.
const DEFAULT: &[u8] = b"__sled__default";

/// A database.
#[derive(Debug)]
pub(super) enum StoreEngine {
    /// A database that is open for writing.
    Database(Database),
    /// The files of a database that is only read.
    Image(Arc<Image>),
}

/// A tree of records.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// A tree of a database that is open for writing.
    Database(sled::Tree),
    /// A tree of files that are only read.
    Image(ImageTree),
    /// A tree in memory: records that were converted from an older format, or none.
    Memory(Arc<BTreeMap<Bytes, Bytes>>),
}

/// Records to write and keys to remove, all at once.
#[derive(Debug, Default)]
pub(super) struct WriteBatch(sled::Batch);

impl WriteBatch {
    /// Adds a record to write.
    pub fn insert(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.insert(key, value);
    }

    /// Adds a key to remove.
    pub fn remove(&mut self, key: impl Into<Bytes>) {
        self.0.remove(key);
    }
}

/// A record: its key and its value.
pub(super) type Record = (Bytes, Bytes);

type Result<T> = std::result::Result<T, EngineError>;

impl StoreEngine {
    /// Opens the database in a folder for writing, and creates a missing one.
    pub fn open(folder: &Path) -> std::result::Result<Self, StoreError> {
        Ok(Self::Database(Database::new(open_database(folder)?)))
    }

    /// Returns a tree by its name. A missing one is created, or empty where the database is only read.
    pub fn tree(&self, name: &[u8]) -> Result<Tree> {
        match self {
            Self::Database(db) => Ok(Tree::Database(db.open_tree(name)?)),
            Self::Image(image) => Ok(image.tree(name).map_or_else(Tree::empty, Tree::Image)),
        }
    }

    /// Returns all trees of a store with their names, in the order of the names.
    pub fn trees(&self) -> Result<Vec<(Bytes, Tree)>> {
        let mut names: Vec<Bytes> = match self {
            Self::Database(db) => db.tree_names(),
            Self::Image(image) => image.names().map(Bytes::from).collect(),
        };
        names.retain(|name| name != DEFAULT);
        names.sort();
        names.into_iter().map(|name| Ok((name.clone(), self.tree(&name)?))).collect()
    }

    /// Describes the place where the log ends although more of it follows; `None` if there is no such place
    /// or the database is open for writing.
    pub fn hole(&self) -> Option<String> {
        match self {
            Self::Database(_) => None,
            Self::Image(image) => image.hole().map(|hole| hole.flaw.to_string()),
        }
    }

    /// Records that a write failed: no write is tried after it.
    pub fn give_up(&self, error: &io::Error) {
        if let Self::Database(db) = self {
            db.give_up(error);
        }
    }

    /// Returns an error if an earlier write failed or the database is only read.
    pub fn check(&self, path: &Path) -> std::result::Result<(), StoreError> {
        match self {
            Self::Database(db) => db.check(path),
            Self::Image(_) => Err(StoreError::of(path, EngineError::ReadOnly)),
        }
    }

    /// Hands everything written so far to the operating system.
    pub fn flush(&self) -> Result<()> {
        match self {
            Self::Database(db) => Ok(db.flush().map(|_| ())?),
            Self::Image(_) => Err(EngineError::ReadOnly),
        }
    }

    /// Removes a tree; returns true if it existed.
    pub fn drop_tree(&self, name: &[u8]) -> Result<bool> {
        match self {
            Self::Database(db) => Ok(db.drop_tree(name)?),
            Self::Image(_) => Err(EngineError::ReadOnly),
        }
    }
}

impl Tree {
    fn empty() -> Self {
        Self::Memory(Arc::default())
    }

    fn written(&self) -> Result<&sled::Tree> {
        match self {
            Self::Database(tree) => Ok(tree),
            Self::Image(_) | Self::Memory(_) => Err(EngineError::ReadOnly),
        }
    }

    /// Returns the value of a key.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        match self {
            Self::Database(tree) => Ok(tree.get(key)?),
            Self::Image(tree) => Ok(tree.get(key.as_ref())?),
            Self::Memory(records) => Ok(records.get(key.as_ref()).cloned()),
        }
    }

    /// Returns true if the tree contains a key.
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.get(key)?.is_some())
    }

    /// Iterates over all records, in the order of their keys.
    pub fn iter(&self) -> Records<'_> {
        self.records([], [])
    }

    /// Iterates over the records from a key on, in the order of their keys.
    pub fn range_from(&self, key: impl AsRef<[u8]>) -> Records<'_> {
        self.records(key, [])
    }

    /// Iterates over the records whose keys begin with a prefix, in the order of their keys.
    pub fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Records<'_> {
        self.records(&prefix, &prefix)
    }

    fn records(&self, from: impl AsRef<[u8]>, prefix: impl AsRef<[u8]>) -> Records<'_> {
        let (from, prefix) = (from.as_ref(), prefix.as_ref());
        Records(match self {
            Self::Database(tree) => Source::Database(Box::new(tree.range(from..)), prefix.to_vec()),
            Self::Image(tree) => Source::Image(tree.ascending(from, prefix)),
            Self::Memory(records) => {
                let range = records.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
                Source::Memory(range, prefix.to_vec())
            }
        })
    }

    /// Iterates over the records whose keys begin with a prefix, in reverse order.
    pub fn scan_prefix_back(&self, prefix: impl AsRef<[u8]>) -> Back<'_> {
        let prefix = prefix.as_ref();
        Back(match self {
            Self::Database(tree) => Backwards::Database(Box::new(tree.scan_prefix(prefix))),
            Self::Image(tree) => Backwards::Image(Box::new(tree.descending(prefix))),
            Self::Memory(records) => {
                let range = records.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
                let of_prefix: Vec<_> =
                    range.take_while(|(key, _)| key.starts_with(prefix)).collect();
                Backwards::Memory(of_prefix)
            }
        })
    }

    /// Writes a record, or replaces it.
    pub fn insert(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<()> {
        self.written()?.insert(key, value)?;
        Ok(())
    }

    /// Removes a record.
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Result<()> {
        self.written()?.remove(key)?;
        Ok(())
    }

    /// Writes and removes records atomically.
    pub fn apply_batch(&self, batch: WriteBatch) -> Result<()> {
        Ok(self.written()?.apply_batch(batch.0)?)
    }

    /// Removes all records.
    pub fn clear(&self) -> Result<()> {
        Ok(self.written()?.clear()?)
    }
}

/// An iterator over records of a tree, in the order of their keys.
pub(super) struct Records<'a>(Source<'a>);

enum Source<'a> {
    Database(Box<sled::Iter>, Vec<u8>),
    Image(Ascending),
    Memory(Range<'a, Bytes, Bytes>, Vec<u8>),
}

impl Records<'_> {
    /// Iterates over the keys alone.
    pub fn keys(self) -> impl Iterator<Item = Result<Bytes>> {
        self.map(|record| record.map(|(key, _)| key))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Database(records, prefix) => match records.next()? {
                Ok((key, _)) if !key.starts_with(prefix) => None,
                record => Some(record.map_err(EngineError::from)),
            },
            Source::Image(records) => Some(records.next()?.map_err(EngineError::from)),
            Source::Memory(records, prefix) => {
                let (key, value) = records.next().filter(|(key, _)| key.starts_with(prefix))?;
                Some(Ok((key.clone(), value.clone())))
            }
        }
    }
}

impl<'a> IntoIterator for &'a Tree {
    type Item = Result<Record>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An iterator over records of a tree, in reverse order.
pub(super) struct Back<'a>(Backwards<'a>);

enum Backwards<'a> {
    Database(Box<sled::Iter>),
    Image(Box<Descending>),
    Memory(Vec<(&'a Bytes, &'a Bytes)>),
}

impl Iterator for Back<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Backwards::Database(records) => Some(records.next_back()?.map_err(EngineError::from)),
            Backwards::Image(records) => Some(records.next()?.map_err(EngineError::from)),
            Backwards::Memory(records) => {
                let (key, value) = records.pop()?;
                Some(Ok((key.clone(), value.clone())))
            }
        }
    }
}
