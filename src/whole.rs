//! Files that are written whole or not at all.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Symbolic links that are followed one after another; as many as Linux follows.
const MOST_LINKS: usize = 40;

/// What is at a place that a file is to be written to.
#[derive(Debug)]
pub enum Target {
    /// A file, or nothing yet: at this path, which no symbolic link leads on from.
    File(PathBuf),
    /// A device, a pipe or the like, opened: it takes bytes as they come, and cannot be replaced.
    Stream(File),
}

impl Target {
    /// Looks at a place.
    ///
    /// # Errors
    /// It cannot be looked at, or is a stream that cannot be opened.
    pub fn at(path: &Path) -> io::Result<Self> {
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
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

/// What the program itself writes to, if that is what was found: /dev/stdout may be a file, which others
/// write to as well.
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

/// Where the symbolic links at a path lead to, whether there is anything or not.
fn end_of_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or_else(|| Path::new("")).join(next);
    }
    path
}

/// Writes a file beside its place first, so that a reader never meets half of it, and brings it to the
/// disk; makes its folder if there is none. What a symbolic link leads to is replaced, not the link; a
/// device or a pipe is written to as it is.
///
/// # Errors
/// The disk is full or fails; what was at the place is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match Target::at(path)? {
        Target::File(path) => path,
        Target::Stream(mut stream) => return stream.write_all(bytes),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = folder.join(name);
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_of_an_older_one_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/file.bin");
        write_whole(&path, b"first").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // A folder cannot be replaced by a file.
        let taken = folder.path().join("new");
        assert!(write_whole(&taken, b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
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
