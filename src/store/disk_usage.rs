//! The space that a store takes.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::error::StoreError;
use super::store::Store;
use crate::store::layout::DATABASE;

/// A database below this is not worth a compaction.
const SMALL: u64 = 8 << 20;
/// What a fresh database takes of the disk for a byte that it holds, at most (docs/store.md has what
/// was measured).
const FRESH: u64 = 3;

/// A part of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The tree's name, or what it is.
    pub name: String,
    /// Records or files.
    pub records: Option<u64>,
    /// Bytes of keys and values.
    pub live: Option<u64>,
    /// Bytes of files.
    pub disk: Option<u64>,
}

/// The space that a store takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Each tree, then each kind of file.
    pub parts: Vec<Part>,
    /// Trials of all runs.
    pub trials: u64,
    /// Bytes of keys and values of all trees.
    pub live: u64,
    /// Bytes of the journals' keys and values.
    pub journals: u64,
    /// Bytes of the database's files, long values included.
    pub database: u64,
}

impl Space {
    /// About how many bytes a compaction gives back, if it is worth one.
    pub fn reclaimable(&self) -> Option<u64> {
        let left = self.database.saturating_sub(self.live * FRESH);
        (self.database >= SMALL && left >= self.database / 4).then_some(left)
    }
}

impl Store {
    /// Measures the space that the store takes, in one pass over all that it holds.
    ///
    /// # Errors
    /// The store fails.
    pub fn space(&self) -> Result<Space, StoreError> {
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
            parts.push(Part { name, records: Some(records), live: Some(bytes), disk: None });
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
            parts.push(Part { name: name.to_owned(), records, live: None, disk: Some(disk) });
        }
        Ok(Space { parts, trials, live, journals, database })
    }
}

/// Bytes of the files of the database in a folder.
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

/// The files in a folder and their bytes; none if it is missing.
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
