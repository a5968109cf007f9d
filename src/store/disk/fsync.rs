//! Syncing a store's files to disk.
//!
//! sled's flush hands its log to the operating system and never syncs it. sled syncs neither the large
//! values, which it writes to files below `blobs`, nor the names of its files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::store::layout::{BLOBS, DATABASE, SYNCED};
use crate::util::atomic_file::{
    Replacement, create_folder_like_folder, restrict_like_folder, sync_folder, sync_parent,
};

/// The files that are known to be on disk.
#[derive(Debug, Default)]
pub(in crate::store) struct Durable {
    /// The names of the files of large values, which never change.
    blobs: HashSet<OsString>,
    /// True if the files that are written only when a store is opened are synced.
    opening: bool,
}

impl Durable {
    /// Syncs everything that sled has written, except the names in the store's folder.
    pub(in crate::store) fn bring(&mut self, path: &Path) -> io::Result<()> {
        if !self.opening {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    sync_file(&entry.path())?;
                }
            }
            self.opening = true;
        }
        let folder = path.join(BLOBS);
        let mut blobs = HashSet::new();
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            if !self.blobs.contains(&name) {
                let path = folder.join(&name);
                match restrict_like_folder(&path) {
                    // sled removes what it has no more use for.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    other => other?,
                }
                sync_file(&path)?;
            }
            blobs.insert(name);
        }
        if blobs != self.blobs {
            sync_folder(&folder)?;
            self.blobs = blobs;
        }
        File::open(path.join(DATABASE))?.sync_all()
    }
}

/// Creates a folder with its missing parents, and syncs their names to disk.
pub(in crate::store) fn make_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    for &new in missing.iter().rev() {
        match create_folder_like_folder(new) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && new.is_dir() => {}
            other => other?,
        }
    }
    for made in missing {
        sync_parent(made)?;
    }
    Ok(())
}

/// Syncs a file. A missing one is no error: sled has removed a file that it no longer needs.
fn sync_file(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the number of the last sync to a file beside the database that contains it.
pub(in crate::store) fn write_synced(folder: &Path, number: u64) -> io::Result<()> {
    let mut new = Replacement::in_own_folder(&folder.join(SYNCED), "synced.new")?;
    writeln!(new, "{number}")?;
    new.keep()
}
