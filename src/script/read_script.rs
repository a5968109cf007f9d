//! Guarded reading of script and settings files.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The most bytes of a text.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the UTF-8 text of a regular file of at most 1 MiB, without its byte order mark.
///
/// The open file is checked, not its path: it cannot be replaced in between, and of a growing file no more
/// than the limit is read. Opening a pipe does not wait for a writer.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    read(path, false)
}

/// Reads a resolved path as [`read_text`] does, and on Unix refuses a symbolic link in its place.
pub(super) fn read_resolved(path: &Path) -> io::Result<String> {
    read(path, true)
}

fn read(path: &Path, is_resolved: bool) -> io::Result<String> {
    let file = open(path, is_resolved)?;
    let refuse = |reason: String| io::Error::new(ErrorKind::InvalidData, reason);
    if !file.metadata()?.is_file() {
        return Err(refuse("it is no ordinary file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse(format!("it has more than {MAX_BYTES} bytes")));
    }
    // Some editors mark texts as UTF-8 by it.
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refuse(format!("it is not UTF-8 text (at byte {at})"))
    })
}

#[cfg(unix)]
fn open(path: &Path, is_resolved: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let mut flags = OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, is_resolved);
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path, _: bool) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}
