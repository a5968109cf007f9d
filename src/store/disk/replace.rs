//! Replacement of a whole database, so that a kill at any moment leaves either the old one or the new one.
//!
//! The new database is written into `incoming.part`, a folder within the store's. Once it is on disk, that
//! folder is renamed to `incoming` and counts as the store's database: the next process that opens the store
//! moves its files into place. The database file is moved last, so that every move can be repeated as long as
//! the file is in `incoming`. All of this happens under the store's [`Lock`](super::lock::Lock).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::store::image::{is_conf, snapshots};
use crate::store::layout::{BLOBS, CONF, DATABASE, MARKER, SYNCED, TRAININGS};
use crate::store::marker::is_marked;
use crate::store::marker::mark;
use crate::util::atomic_file::{
    create_folder_like_folder, move_folder, restrict_like_folder, sync_folder,
};

/// The folder of a database that is being written; worthless after a kill.
const UNFINISHED: &str = "incoming.part";
/// The folder of a complete database that is not in its place yet.
const READY: &str = "incoming";
/// The folders of a store beside its database file.
const FOLDERS: [&str; 2] = [BLOBS, TRAININGS];

/// Returns the folder of a complete database that is not in its place yet, if there is one.
///
/// The folder has to bear a marker or, since older programs set none, contain nothing but a database.
pub(in crate::store) fn ready(store: &Path) -> Option<PathBuf> {
    let folder = store.join(READY);
    (is_folder(&folder) && (is_marked(&folder) || may_be_of_older_program(&folder)))
        .then_some(folder)
}

/// Returns true if there is a database that was not completed.
pub(in crate::store) fn is_unfinished(store: &Path) -> bool {
    let folder = store.join(UNFINISHED);
    is_folder(&folder) && is_marked(&folder)
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// Returns true if a folder contains a database with valid settings, and nothing else.
fn may_be_of_older_program(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let known = [DATABASE, CONF, BLOBS, TRAININGS].map(OsStr::new);
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.all(|name| known.contains(&name.as_os_str()))
        && folder.join(DATABASE).is_file()
        && fs::read(folder.join(CONF)).is_ok_and(|bytes| is_conf(&bytes))
}

/// Creates an empty folder to write a database into.
pub(in crate::store) fn stage(store: &Path) -> io::Result<PathBuf> {
    discard(store)?;
    for name in [READY, UNFINISHED] {
        let is_empty = || fs::read_dir(store.join(name)).is_ok_and(|mut all| all.next().is_none());
        if fs::symlink_metadata(store.join(name)).is_ok() && !is_empty() {
            let what = format!("`{name}` in it is not the store's own; move it elsewhere");
            return Err(io::Error::new(ErrorKind::AlreadyExists, what));
        }
    }
    let staged = store.join(UNFINISHED);
    match create_folder_like_folder(&staged) {
        // A kill can leave it without its marker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other?,
    }
    mark(&staged)?;
    Ok(staged)
}

/// Removes a database that was not completed.
pub(in crate::store) fn discard(store: &Path) -> io::Result<()> {
    if is_unfinished(store) { remove_marked(&store.join(UNFINISHED)) } else { Ok(()) }
}

/// Removes a folder that bears the store's marker. The marker goes last, so that a kill leaves it marked.
fn remove_marked(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        if entry.file_type()?.is_dir() {
            remove_folder(&entry.path())?;
        } else {
            remove_file(&entry.path())?;
        }
    }
    remove_folder(folder)
}

/// Replaces the store's database by the staged one, which no process may have open.
pub(in crate::store) fn replace(store: &Path) -> io::Result<()> {
    commit(store)?;
    place(store, &mut |_| Ok(()))
}

/// Completes a replacement that a kill interrupted: a complete database is moved into its place.
pub(in crate::store) fn recover(store: &Path) -> io::Result<()> {
    if ready(store).is_some() {
        place(store, &mut |_| Ok(()))?;
    }
    Ok(())
}

/// Syncs the staged database to disk and makes it the one that counts.
fn commit(store: &Path) -> io::Result<()> {
    let staged = store.join(UNFINISHED);
    remove_snapshots(&staged)?;
    sync_all(&staged)?;
    move_folder(&staged, &store.join(READY))
}

/// Moves the files of a complete database into their places. `step` gets the name of each step before it is
/// done; an error of `step` stops everything, as a kill would.
fn place(store: &Path, step: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let ready = store.join(READY);
    if ready.join(DATABASE).exists() {
        step("remove the old database")?;
        remove_file(&store.join(DATABASE))?;
        step("remove its snapshots")?;
        remove_snapshots(store)?;
        for name in FOLDERS {
            let (from, to) = (ready.join(name), store.join(name));
            if from.exists() {
                step("remove a folder")?;
                remove_folder(&to)?;
                step("move a folder")?;
                fs::rename(from, to)?;
            }
        }
        for name in [CONF, SYNCED] {
            if ready.join(name).exists() {
                step("move a file")?;
                fs::rename(ready.join(name), store.join(name))?;
            }
        }
        sync_folder(store)?;
        step("move the database")?;
        fs::rename(ready.join(DATABASE), store.join(DATABASE))?;
        sync_folder(store)?;
    }
    step("remove what is left")?;
    remove_marked(&ready)?;
    sync_folder(store)
}

fn remove_snapshots(folder: &Path) -> io::Result<()> {
    // They shorten an opening and are made anew by it.
    snapshots(folder)?.iter().try_for_each(|path| remove_file(path))
}

/// Syncs all files below a folder to disk, and restricts their permissions to the folder's.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            // sled makes files for everybody to read.
            restrict_like_folder(&entry.path())?;
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Removes a file if it exists.
pub(in crate::store) fn remove_file(path: &Path) -> io::Result<()> {
    missing_is_fine(fs::remove_file(path))
}

fn remove_folder(path: &Path) -> io::Result<()> {
    missing_is_fine(fs::remove_dir_all(path))
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [(&str, &str); 5] = [
        ("db", "old"),
        ("conf", "old"),
        ("blobs/1", "old"),
        ("snap.0000000000000007", "old"),
        ("trainings/a", "kept"),
    ];
    const NEW: [(&str, &str); 5] = [
        ("db", "new"),
        ("conf", "new"),
        ("synced", "new"),
        ("blobs/2", "new"),
        ("snap.0000000000000009", "new"),
    ];

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn files(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().display());
            if entry.path().is_dir() {
                files(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push((name, fs::read_to_string(entry.path()).unwrap()));
            }
        }
        found.sort();
    }

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        files(folder, "", &mut found);
        found
    }

    fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    /// Stops before each step in turn, recovers as an opening would, and expects the same final files.
    #[test]
    fn a_kill_before_any_step_leaves_the_new_database() {
        let expected = owned(&[
            ("blobs/2", "new"),
            ("conf", "new"),
            ("db", "new"),
            ("synced", "new"),
            ("trainings/a", "kept"),
        ]);
        for last in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let store = dir.path();
            write(store, &OLD);
            write(&stage(store).unwrap(), &NEW);
            commit(store).unwrap();
            let mut steps = 0..last;
            let stopped = place(store, &mut |_| match steps.next() {
                Some(_) => Ok(()),
                None => Err(io::Error::other("killed")),
            });
            let ready = ready(store).is_some();
            recover(store).unwrap();
            assert_eq!(contents(store), expected, "killed before step {last}");
            assert!(super::ready(store).is_none() && !is_unfinished(store));
            if stopped.is_ok() {
                assert!(!ready && last == 8, "{last} steps");
                break;
            }
            assert!(ready);
        }
    }

    #[test]
    fn what_is_not_finished_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path();
        write(store, &OLD);
        let before = contents(store);
        write(&stage(store).unwrap(), &NEW);
        assert!(is_unfinished(store));
        recover(store).unwrap();
        discard(store).unwrap();
        assert_eq!(contents(store), before);
        write(&stage(store).unwrap(), &[("db", "half")]);
        let names: Vec<String> =
            contents(&stage(store).unwrap()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [MARKER]);
    }

    #[test]
    fn a_folder_that_comes_along_replaces_the_one_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path();
        write(&stage(store).unwrap(), &[("db", "new"), ("trainings/b", "new")]);
        replace(store).unwrap();
        assert_eq!(contents(store), owned(&[("db", "new"), ("trainings/b", "new")]));
    }
}
