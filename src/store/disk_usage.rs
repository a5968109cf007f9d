//! The disk usage of a store.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::error::StoreError;
use super::store::Store;
use crate::store::layout::DATABASE;

/// The size of a database, in bytes, below which a compaction is not worthwhile.
const SMALL: u64 = 8 << 20;
/// The most bytes on disk that a fresh database takes for each byte of keys and values; docs/store.md has the
/// measurements.
const FRESH: u64 = 3;

/// A tree of a store, or a kind of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePart {
    /// The name of the tree, or a description of the files.
    pub name: String,
    /// The number of records or files.
    pub records: Option<u64>,
    /// Bytes of keys and values; `None` for files.
    pub live: Option<u64>,
    /// Bytes of files; `None` for a tree.
    pub disk: Option<u64>,
}

/// The disk usage of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskUsage {
    /// The trees, then the kinds of files.
    pub parts: Vec<UsagePart>,
    /// The number of trials of all runs.
    pub trials: u64,
    /// Bytes of keys and values of all trees.
    pub live: u64,
    /// Bytes of the journals' keys and values.
    pub journals: u64,
    /// Bytes of the database's files, long values included.
    pub database: u64,
}

impl DiskUsage {
    /// Estimates the bytes that a compaction would reclaim; `None` if the database is small or the gain would
    /// be under a quarter of it.
    pub fn reclaimable(&self) -> Option<u64> {
        let left = self.database.saturating_sub(self.live * FRESH);
        (self.database >= SMALL && left >= self.database / 4).then_some(left)
    }
}

impl Store {
    /// Measures the disk usage of the store, in one pass over all of its records.
    ///
    /// # Errors
    /// The store fails.
    pub fn space(&self) -> Result<DiskUsage, StoreError> {
        let failed = |error| self.failed(error);
        let io = |source| StoreError::Io { path: self.path.clone(), source };
        let (mut parts, mut live, mut journals) = (Vec::new(), 0, 0);
        for (name, tree) in self.db.trees().map_err(failed)? {
            let (mut records, mut bytes) = (0, 0);
            for record in &tree {
                let (key, value) = record.map_err(failed)?;
                records += 1;
                bytes += (key.len() + value.len()) as u64;
            }
            live += bytes;
            if name == b"journal" {
                journals = bytes;
            }
            let name = String::from_utf8_lossy(&name).into_owned();
            parts.push(UsagePart { name, records: Some(records), live: Some(bytes), disk: None });
        }
        let mut trials = 0;
        for name in self.runs.iter().keys() {
            let name = name.map_err(failed)?;
            trials += self.trial_count(&String::from_utf8_lossy(&name))?;
        }
        let database = database_bytes(&self.path).map_err(io)?;
        let (blobs, blob_bytes) = folder(&self.path.join("blobs")).map_err(io)?;
        let (files, file_bytes) = folder(&self.trainings).map_err(io)?;
        for (name, records, disk) in [
            ("database", None, database - blob_bytes),
            ("database: long values", Some(blobs), blob_bytes),
            ("checkpoints of trainings", Some(files), file_bytes),
        ] {
            parts.push(UsagePart { name: name.to_owned(), records, live: None, disk: Some(disk) });
        }
        Ok(DiskUsage { parts, trials, live, journals, database })
    }
}

/// Returns the bytes of the files of the database in a folder, long values included.
pub(super) fn database_bytes(path: &Path) -> io::Result<u64> {
    let mut bytes = folder(&path.join("blobs"))?.1;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if [DATABASE, "conf"].contains(&&*name) || name.starts_with("snap.") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// Counts the files in a folder and their bytes; a missing folder has none.
fn folder(path: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let metadata = entry?.metadata()?;
        if metadata.is_file() {
            files += 1;
            bytes += metadata.len();
        }
    }
    Ok((files, bytes))
}
