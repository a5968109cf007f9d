//! Atomic writing of files and folders, for the whole program.
//!
//! | for | use |
//! |---|---|
//! | bytes at a path given by the user | [`write_whole`] |
//! | bytes at a path where nothing may exist | [`write_new`] |
//! | a stream of bytes | [`Replacement::at`] |
//! | a file in a folder with a single writer, such as a store | [`Replacement::in_own_folder`] |
//! | a folder whose files are synced to disk | [`move_folder`] |
//!
//! A failure leaves the target unchanged and no temporary file. A killed process may leave the temporary file
//! beside the target.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The maximum number of symbolic links followed in a row, as in Linux.
const MAX_LINKS: usize = 40;

/// The maximum number of names tried for a temporary file.
const MAX_NAMES: u32 = 100;

/// The target of a write.
#[derive(Debug)]
pub enum WriteTarget {
    /// A file, or nothing yet, at this path, which is not a symbolic link.
    File(PathBuf),
    /// An open device, pipe or similar, which is written directly and cannot be replaced.
    Stream(File),
}

impl WriteTarget {
    /// Determines the target at a path.
    ///
    /// # Errors
    /// Returns an error if the path cannot be examined, or if it is a stream that cannot be opened.
    pub fn at(path: &Path) -> io::Result<Self> {
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self::File(end_of_links(path)));
            }
            found => found?,
        };
        if let Some(stream) = own_stream(&found)? {
            return Ok(Self::Stream(stream));
        }
        if found.is_file() || found.is_dir() {
            return Ok(Self::File(fs::canonicalize(path)?));
        }
        Ok(Self::Stream(File::options().write(true).open(path)?))
    }
}

/// A handle of standard output or standard error, if that is the file found: /dev/stdout may be a regular
/// file that other processes write to as well.
#[cfg(unix)]
fn own_stream(found: &Metadata) -> io::Result<Option<File>> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let place = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let (out, err) = (io::stdout(), io::stderr());
    for stream in [out.as_fd(), err.as_fd()] {
        let Ok(stream) = stream.try_clone_to_owned().map(File::from) else { continue };
        if place(&stream.metadata()?) == place(found) {
            return Ok(Some(stream));
        }
    }
    Ok(None)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where there are such files")]
fn own_stream(_found: &Metadata) -> io::Result<Option<File>> {
    Ok(None)
}

/// Follows the symbolic links at a path to their end, which need not exist.
fn end_of_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or_else(|| Path::new("")).join(next);
    }
    path
}

/// A temporary file beside its target, so that readers never see partial content.
///
/// Unless it is [kept](Self::keep), it is removed and the target remains unchanged.
#[derive(Debug)]
pub struct Replacement {
    /// The open file, until it is kept or dropped.
    file: Option<File>,
    beside: PathBuf,
    place: PathBuf,
    takes_permissions: bool,
}

impl Replacement {
    /// Creates a temporary file beside a target, which must not be a symbolic link. No existing file is
    /// touched.
    ///
    /// # Errors
    /// Returns an error if the path does not name a file, or if its folder is missing or not writable.
    pub fn at(place: &Path) -> io::Result<Self> {
        let Some(name) = place.file_name() else { return Err(ErrorKind::IsADirectory.into()) };
        for number in 0.. {
            let mut name = name.to_owned();
            name.push(format!(".{}-{number}.part", std::process::id()));
            let beside = place.with_file_name(name);
            let file = match File::create_new(&beside) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MAX_NAMES => {
                    continue;
                }
                file => Some(file?),
            };
            return Ok(Self { file, beside, place: place.to_owned(), takes_permissions: true });
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// Creates a temporary file for a target in a folder that one process at a time writes to, such as a
    /// store under its lock.
    ///
    /// Its name is `beside`; it replaces a file of that name, left by a killed process. It has at most the
    /// folder's permissions to read and write.
    ///
    /// # Errors
    /// Returns an error if the folder is missing or not writable.
    pub fn in_own_folder(place: &Path, beside: impl AsRef<OsStr>) -> io::Result<Self> {
        let beside = place.with_file_name(beside);
        let file = Some(create_like_folder(&beside)?);
        Ok(Self { file, beside, place: place.to_owned(), takes_permissions: false })
    }

    /// The path of the temporary file.
    pub fn beside(&self) -> &Path {
        &self.beside
    }

    /// Syncs the file to disk and moves it to its target. It gets the permissions of an existing target,
    /// unless it was created by [`Self::in_own_folder`].
    ///
    /// # Errors
    /// Returns an error if the disk is full or fails, or if the target is a folder.
    pub fn keep(self) -> io::Result<()> {
        if let Some(file) = &self.file {
            if self.takes_permissions
                && let Ok(found) = fs::metadata(&self.place)
            {
                file.set_permissions(found.permissions())?;
            }
            file.sync_all()?;
        }
        let place = self.place.clone();
        self.keep_unsynced()?;
        sync_parent(&place)
    }

    /// Moves the file to its target without syncing it to disk, for content that is useless after a power
    /// failure.
    ///
    /// # Errors
    /// Returns an error if the target is a folder, or if its folder is not writable.
    pub fn keep_unsynced(mut self) -> io::Result<()> {
        fs::rename(&self.beside, &self.place)?;
        self.file = None;
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Writes a file atomically, by a [`Replacement`]. Symbolic links are followed, and the file at their end is
/// replaced; a device or a pipe is written directly.
///
/// # Errors
/// Returns an error if the folder is missing, or if the disk is full or fails. A file is then unchanged.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match WriteTarget::at(path)? {
        WriteTarget::File(place) => {
            let mut file = Replacement::at(&place)?;
            file.write_all(bytes)?;
            file.keep()
        }
        WriteTarget::Stream(mut stream) => stream.write_all(bytes),
    }
}

/// Writes a new file atomically, unless the process is killed, which may leave an empty file.
///
/// # Errors
/// Returns an error if something exists at the path ([`ErrorKind::AlreadyExists`]), if its folder is missing,
/// or if the disk is full or fails. Nothing is then changed.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The empty file keeps the place: not every file system can rename to a place only if nothing is there.
    drop(File::create_new(path)?);
    let written = Replacement::at(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.keep()
    });
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Moves a folder, whose files must be synced already, to a path in the same file system where nothing or an
/// empty folder exists, and syncs both folders' entries to disk.
///
/// # Errors
/// Returns an error if something exists at the target, or if the disk fails. The folder is then at its old or
/// its new place, complete.
pub fn move_folder(from: &Path, to: &Path) -> io::Result<()> {
    sync_folder(from)?;
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Syncs the entry of a file or folder in its parent folder to disk.
///
/// # Errors
/// Returns an error if the disk fails, or if the parent folder is missing.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Syncs the entries of a folder to disk.
///
/// # Errors
/// Returns an error if the disk fails, or if the folder is missing.
#[cfg(unix)]
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Does nothing, as this platform cannot sync the entries of a folder.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where folders can be opened")]
pub fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Creates or truncates a file that has at most its folder's permissions to read and write.
///
/// # Errors
/// Returns an error if the folder is missing or not writable.
pub fn create_like_folder(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o666 & mode_of_folder(path)?);
    }
    options.open(path)
}

/// Creates a folder that has at most its parent's permissions.
///
/// # Errors
/// Returns an error if the folder exists, or if its parent is missing.
pub fn create_folder_like_folder(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "as where there are modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(mode_of_folder(path)?);
    }
    builder.create(path)
}

/// Removes permissions of a file that its folder does not have.
///
/// # Errors
/// Returns an error if the file or its folder cannot be examined or changed.
#[cfg(unix)]
pub fn restrict_like_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let (mode, allowed) = (fs::metadata(path)?.permissions().mode() & 0o777, mode_of_folder(path)?);
    if mode & !allowed == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & allowed))
}

/// Does nothing, as this platform has no permission modes.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where there are modes")]
pub fn restrict_like_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn mode_of_folder(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(fs::metadata(folder.unwrap_or(Path::new(".")))?.permissions().mode() & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_of_an_older_one_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/file.bin");
        assert!(write_whole(&path, b"first").is_err());
        fs::create_dir(path.parent().unwrap()).unwrap();
        // Another's, by the name that is tried first.
        let other = format!("file.bin.{}-0.part", std::process::id());
        let other = path.with_file_name(other);
        fs::write(&other, "mine").unwrap();
        write_whole(&path, b"first").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        drop(Replacement::at(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
        // A folder cannot be replaced by a file.
        let taken = folder.path().join("new");
        assert!(write_whole(&taken, b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// The names of a folder's entries, sorted.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_of_an_own_folder_takes_the_place_of_what_a_kill_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        fs::write(folder.path().join("state.new"), "longer than what follows").unwrap();
        for text in ["first", "second"] {
            let mut file = Replacement::in_own_folder(&place, "state.new").unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(names(folder.path()).last().unwrap(), "state.new");
            if text == "first" { file.keep() } else { file.keep_unsynced() }.unwrap();
            assert_eq!(fs::read_to_string(&place).unwrap(), text);
            assert_eq!(names(folder.path()), ["state"]);
        }
    }

    #[test]
    fn a_failure_leaves_nothing_of_an_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        // A folder that a file cannot be renamed to.
        fs::create_dir(&place).unwrap();
        fs::write(place.join("x"), "").unwrap();
        let file = || Replacement::in_own_folder(&place, "state.new").unwrap();
        assert!(file().keep().is_err());
        assert_eq!(names(folder.path()), ["state"]);
        assert!(file().keep_unsynced().is_err());
        assert_eq!(names(folder.path()), ["state"]);
        drop(file());
        assert_eq!(names(folder.path()), ["state"]);
        assert!(Replacement::in_own_folder(&place.join("missing/state"), "state.new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn an_own_file_is_as_private_as_its_folder_and_another_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let mode = || fs::metadata(&place).unwrap().permissions().mode() & 0o777;
        fs::write(&place, "old").unwrap();
        set(&place, 0o640);
        write_whole(&place, b"new").unwrap();
        assert_eq!(mode(), 0o640);
        set(folder.path(), 0o700);
        Replacement::in_own_folder(&place, "state.new").unwrap().keep().unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_new_file_leaves_what_is_there_and_nothing_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        write_new(&path, b"first").unwrap();
        let taken = write_new(&path, b"second").unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["new"]);
        assert!(write_new(&folder.path().join("missing/new"), b"x").is_err());
        // The place can be taken, and no name beside it is short enough.
        let long = "n".repeat(254);
        let path = folder.path().join(&long);
        assert!(write_new(&path, b"x").is_err());
        assert_eq!(names(folder.path()), ["new"]);
    }

    #[test]
    fn a_folder_is_moved_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("staged")).unwrap();
        fs::write(at("staged/file"), "whole").unwrap();
        fs::create_dir_all(at("taken/by")).unwrap();
        assert!(move_folder(&at("staged"), &at("taken")).is_err());
        assert_eq!(names(folder.path()), ["staged", "taken"]);
        move_folder(&at("staged"), &at("place")).unwrap();
        assert_eq!(names(folder.path()), ["place", "taken"]);
        assert_eq!(fs::read_to_string(at("place/file")).unwrap(), "whole");
        assert!(move_folder(&at("staged"), &at("other")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_are_written_to() {
        use std::os::unix::fs::{FileTypeExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("there")).unwrap();
        symlink("there/file", at("second")).unwrap();
        symlink("second", at("first")).unwrap();
        // At first they lead to nothing.
        for bytes in [b"old", b"new"] {
            write_whole(&at("first"), bytes).unwrap();
            assert_eq!(fs::read(at("there/file")).unwrap(), bytes);
            assert_eq!(fs::read_link(at("first")).unwrap(), Path::new("second"));
            assert_eq!(fs::read_dir(at("there")).unwrap().count(), 1);
        }
        symlink("round", at("round")).unwrap();
        assert!(write_whole(&at("round"), b"x").is_err());
        symlink("/dev/null", at("null")).unwrap();
        write_whole(&at("null"), b"x").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert_eq!(fs::read_link(at("null")).unwrap(), Path::new("/dev/null"));
    }
}
