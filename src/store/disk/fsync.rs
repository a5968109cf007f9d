//! Bringing a store's files to the disk.
//!
//! sled's flush hands its log to the operating system, and writes large values to files below `blobs`
//! that it never brings to the disk; nor does it the names of its files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::store::layout::{BLOBS, DATABASE, SYNCED};
use crate::util::atomic_file::{
    Replacement, create_folder_like_folder, restrict_like_folder, sync_folder, sync_parent,
};

/// What is known to be on the disk.
#[derive(Debug, Default)]
pub(in crate::store) struct Durable {
    /// The files of large values; they never change.
    blobs: HashSet<OsString>,
    /// Whether the files that only opening a store writes are.
    opening: bool,
}

impl Durable {
    /// Brings everything that sled has written to the disk, except the names in the store's folder.
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

/// Makes a folder with its parents, and brings their names to the disk.
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

/// A file that sled removes meanwhile is one that it has no more use for.
fn sync_file(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the number of the last sync beside a database that has it.
pub(in crate::store) fn write_synced(folder: &Path, number: u64) -> io::Result<()> {
    let mut new = Replacement::in_own_folder(&folder.join(SYNCED), "synced.new")?;
    writeln!(new, "{number}")?;
    new.keep()
}
