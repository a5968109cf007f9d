//! Recognition of stores: classifies the thing at a path without changing it.
//!
//! A store bears a [`MARKER`], which is created before anything else in its folder, and so does each folder
//! within it that is moved or removed as a whole. A folder without a marker is left alone, unless it is a
//! store of an older program.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::disk::{lock, replace};
use super::error::StoreError;
use super::image::{Files, SegmentHeader, is_conf};
use super::layout::{BLOBS, CONF, DATABASE, MARKER, SYNCED, TRAININGS};
use super::marker::is_marked;
use crate::util::atomic_file::Replacement;

/// The prefix of the names of files with ends of logs that were cut off; a number follows.
const TORN: &str = "torn-";

/// The kinds of things that a path can lead to.
#[derive(Debug)]
pub(super) enum PathKind {
    /// Nothing.
    Missing,
    /// An empty folder.
    Empty,
    /// A folder that was marked as a store by a process that was killed before it had made one.
    Unmade,
    /// A folder in which an import or a salvage was interrupted.
    Unfinished,
    /// A store, intact or not.
    Store(Layout),
}

/// The files of a store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The files of the database.
    pub files: Files,
    /// The folders of checkpoints of training runs; the first that exists counts.
    pub trainings: Vec<PathBuf>,
    /// The file with the database's settings.
    pub conf: PathBuf,
    /// True if the folder bears a marker.
    pub is_marked: bool,
    /// The number of the last sync that reached the disk; `None` if its file cannot be read.
    pub synced: Option<u64>,
}

/// Classifies the thing at a path.
///
/// # Errors
/// The path cannot be read, is a dangling link or leads to a file, or its folder contains other files or a
/// store without its database.
pub(super) fn look(path: &Path) -> Result<PathKind, StoreError> {
    let place = find(path)?;
    if let PathKind::Missing = place
        && let Ok(target) = fs::read_link(path)
    {
        return Err(StoreError::LeadsNowhere { path: path.to_owned(), target });
    }
    Ok(place)
}

fn find(path: &Path) -> Result<PathKind, StoreError> {
    let failed = |source| StoreError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(StoreError::NotAFolder { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(PathKind::Missing),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            // The one above that is a file.
            let file = path.ancestors().find(|above| above.is_file()).unwrap_or(path);
            return Err(StoreError::NotAFolder { path: file.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    }
    let is_marked = is_marked(path);
    let synced = synced(path);
    let pending = replace::ready(path);
    if let Some(pending) = &pending
        && pending.join(DATABASE).is_file()
    {
        let layout = Layout {
            files: Files {
                log: pending.join(DATABASE),
                blobs: vec![pending.join(BLOBS), path.join(BLOBS)],
                snapshots: None,
            },
            trainings: vec![pending.join(TRAININGS), path.join(TRAININGS)],
            conf: [pending.join(CONF), path.join(CONF)]
                .into_iter()
                .find(|conf| conf.exists())
                .unwrap_or_else(|| path.join(CONF)),
            is_marked,
            synced: self::synced(pending).or(synced),
        };
        return Ok(PathKind::Store(layout));
    }
    let has_conf = fs::read(path.join(CONF)).is_ok_and(|bytes| is_conf(&bytes));
    if path.join(DATABASE).is_file() {
        let files = Files {
            log: path.join(DATABASE),
            blobs: vec![path.join(BLOBS)],
            snapshots: Some(path.to_owned()),
        };
        let is_ours = is_marked || has_conf || synced.is_some() || is_log(&files.log);
        if !is_ours {
            return Err(not_a_store(path));
        }
        let trainings = vec![path.join(TRAININGS)];
        let conf = path.join(CONF);
        return Ok(PathKind::Store(Layout { files, trainings, conf, is_marked, synced }));
    }
    if replace::is_unfinished(path) {
        return Ok(PathKind::Unfinished);
    }
    // The database is the last to leave a folder that gets its place.
    let has_lost_database = is_marked && (pending.is_some() || !is_bare(path));
    if (synced.is_some() && (is_marked || has_conf)) || has_lost_database {
        let what = "its database, the file `db`, is missing".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), what });
    }
    if is_marked {
        return Ok(PathKind::Unmade);
    }
    match fs::read_dir(path).map_err(failed)?.next() {
        None => Ok(PathKind::Empty),
        Some(_) => Err(not_a_store(path)),
    }
}

pub(super) fn not_a_store(path: &Path) -> StoreError {
    match fs::read_link(path) {
        Ok(target) => StoreError::LeadsAstray { path: path.to_owned(), target },
        Err(_) => StoreError::NotAStore { path: path.to_owned() },
    }
}

/// Returns true if a folder contains no traces of a completed store: no sync number, no long values, no
/// checkpoints of training runs and no snapshots.
pub(super) fn is_bare(path: &Path) -> bool {
    let is_empty = |folder: &str| {
        fs::read_dir(path.join(folder)).map_or(true, |mut entries| entries.next().is_none())
    };
    let has_snapshot = super::image::snapshots(path).is_ok_and(|found| !found.is_empty());
    !path.join(SYNCED).exists() && is_empty(BLOBS) && is_empty(TRAININGS) && !has_snapshot
}

impl PathKind {
    /// Undoes a failed creation: clears a place that was missing or empty before, unless a store is there
    /// now.
    pub fn unmake(&self, path: &Path) {
        let is_new = matches!(self, Self::Missing | Self::Empty);
        if !is_new || !matches!(look(path), Ok(Self::Unmade)) {
            return;
        }
        // What cannot be removed is known to be a store's, and taken up by the next that makes one.
        let _ = replace::remove_file(&path.join(lock::FILE));
        let _ = replace::remove_file(&path.join(MARKER));
        if matches!(self, Self::Missing) {
            let _ = fs::remove_dir(path);
        }
    }
}

/// Saves the end of a log, which is about to be cut off, to a file of its own.
pub(super) fn keep_torn(store: &Path, bytes: &[u8]) -> io::Result<()> {
    for number in 1.. {
        let path = store.join(format!("{TORN}{number}"));
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        let mut file = Replacement::in_own_folder(&path, "torn.new")?;
        file.write_all(bytes)?;
        file.keep()?;
        tracing::warn!("what follows was kept in {}", path.display());
        break;
    }
    Ok(())
}

/// Returns the files with ends of logs that were cut off, the oldest first.
pub(super) fn torn(store: &Path) -> Vec<PathBuf> {
    let path = |number: &u32| store.join(format!("{TORN}{number}"));
    (1..).map(|number| path(&number)).take_while(|path| path.is_file()).collect()
}

/// Returns true if a file begins like the log of a sled database.
fn is_log(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut bytes));
    read.is_ok() && SegmentHeader::read(&bytes).is_some()
}

/// Returns the number of the last sync that reached the disk; `None` if its file cannot be read.
pub(super) fn synced(path: &Path) -> Option<u64> {
    fs::read_to_string(path.join(SYNCED)).ok()?.trim().parse().ok()
}
