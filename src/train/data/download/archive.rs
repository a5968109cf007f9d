//! Extraction of a set's files from a folder or an archive, by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::error::AcquireError;
use super::official::Official;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The maximum number of bytes of a file, far above that of any set.
const LARGEST: u64 = 2 << 30;

/// Copies the files of a set from a folder or an archive into a folder. Only files named as the set's are
/// written; paths in the archive are not used.
pub(super) fn take(set: &Official, from: &Path, into: &Path) -> Result<(), AcquireError> {
    match from.is_dir() {
        true => take_folder(set, from, into)?,
        false => take_archive(set, from, into)?,
    }
    match set.publication().lacking(into) {
        None => Ok(()),
        Some(file) => Err(AcquireError::Lacks {
            path: from.to_owned(),
            file,
            name: set.to_string(),
            files: set.publication().files.join(", "),
        }),
    }
}

/// Copies from the folder itself, or from its subfolder with the official name.
fn take_folder(set: &Official, from: &Path, into: &Path) -> Result<(), AcquireError> {
    let inner = from.join(set.publication().folder);
    let folder = if inner.is_dir() { &inner } else { from };
    let failed = |source| AcquireError::Read { path: folder.to_owned(), source };
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| set.publication().takes(name)) else {
            continue;
        };
        if path.is_file() {
            let failed = |source| AcquireError::Read { path: path.clone(), source };
            let file = File::open(&path).map_err(failed)?;
            copy(file, &into.join(name), failed)?;
        }
    }
    Ok(())
}

fn take_archive(set: &Official, from: &Path, into: &Path) -> Result<(), AcquireError> {
    let failed = |source| AcquireError::Read { path: from.to_owned(), source };
    let broken = |error: io::Error| damaged(from, error.to_string());
    let mut archive = tar::Archive::new(open(from).map_err(failed)?);
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut first = true;
    for entry in archive.entries().map_err(broken)? {
        // What begins with no head of an entry is no archive; what is cut off may be one.
        let mut entry = entry.map_err(|error| match first && error.kind() == ErrorKind::Other {
            true => AcquireError::NotAnArchive { path: from.to_owned() },
            false => broken(error),
        })?;
        first = false;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if !entry.header().entry_type().is_file() || !set.publication().takes(&name) {
            continue;
        }
        if let Some(first) = taken.insert(name.clone(), path.clone()) {
            let from = from.to_owned();
            return Err(AcquireError::Twice { path: from, file: name, first, second: path });
        }
        let size = entry.size();
        if size > LARGEST {
            return Err(damaged(from, format!("{path} has {size} bytes, more than 2 GiB")));
        }
        let copied = copy(&mut entry, &into.join(name), broken)?;
        if copied < size {
            return Err(damaged(from, format!("{path} is cut off: {copied} of {size} bytes")));
        }
    }
    // To the end, where the check sums of compressed files are.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

/// Opens a file for reading, decompressing it if it begins like a gzip or Zstandard file.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let start = file.fill_buf()?;
    if start.starts_with(&GZIP) {
        Ok(Box::new(MultiGzDecoder::new(file)))
    } else if start.starts_with(&ZSTD) {
        Ok(Box::new(zstd::Decoder::with_buffer(file)?))
    } else {
        Ok(Box::new(file))
    }
}

/// Copies to a new file, and returns the number of bytes.
fn copy(
    mut from: impl Read,
    to: &Path,
    unread: impl Fn(io::Error) -> AcquireError,
) -> Result<u64, AcquireError> {
    let unwritten = |source| AcquireError::Write { path: to.to_owned(), source };
    // In a folder that gets its place as a whole.
    let mut file = File::create_new(to).map_err(unwritten)?;
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                file.write_all(&buffer[..read]).map_err(unwritten)?;
                copied += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unread(error)),
        }
    }
    file.sync_all().map_err(unwritten)?;
    Ok(copied)
}

fn damaged(path: &Path, what: String) -> AcquireError {
    AcquireError::Damaged { path: path.to_owned(), what }
}
