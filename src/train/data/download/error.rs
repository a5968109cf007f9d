//! Errors of downloading and importing image sets.

use std::io;
use std::path::PathBuf;

use super::super::error::DataError;

/// Reasons that a set cannot be downloaded or imported. The data folder then has no part of it.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// The set exists already.
    #[error("{name} is already in {}; remove that folder to import it anew", place.display())]
    There {
        /// The set.
        name: String,
        /// The folder of the set.
        place: PathBuf,
    },
    /// The set's folder exists, but does not contain a usable set.
    #[error("the {name} in {} cannot be used: {source}; remove that folder first", place.display())]
    Broken {
        /// The set.
        name: String,
        /// The folder of the set.
        place: PathBuf,
        /// The cause.
        source: DataError,
    },
    /// The staging folder contains other files.
    #[error("{} holds other things than a set that is made ready; move it elsewhere", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// Another process is downloading or importing the set.
    #[error("another process fetches or imports {name} into {}; wait for it", data.display())]
    Busy {
        /// The set.
        name: String,
        /// The data folder.
        data: PathBuf,
    },
    /// A file cannot be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The file is not an archive.
    #[error("{} is neither a folder nor a .tar, .tar.gz or .tar.zst archive", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
    },
    /// The archive is cut off, damaged, or has a file that is too large.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// The reason.
        what: String,
    },
    /// The archive or folder lacks a file of the set.
    #[error("{} has no file {file}; {name} is made up of {files}", path.display())]
    Lacks {
        /// The archive or folder.
        path: PathBuf,
        /// The missing file.
        file: &'static str,
        /// The set.
        name: String,
        /// The names of the set's files.
        files: String,
    },
    /// The archive has two files with the same name.
    #[error(
        "{} has two files {file}, {first} and {second}; import a folder with the right one",
        path.display()
    )]
    Twice {
        /// The archive.
        path: PathBuf,
        /// The name of the file.
        file: String,
        /// The path of the first one in the archive.
        first: String,
        /// The path of the second one.
        second: String,
    },
    /// The files do not form the set.
    #[error("{} does not hold {name}: {what}", path.display())]
    Unusable {
        /// The archive or folder.
        path: PathBuf,
        /// The set.
        name: String,
        /// The reason.
        what: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Reasons that a file cannot be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server does not provide the file.
    #[error("cannot download {url}: {why}")]
    Failed {
        /// The URL.
        url: String,
        /// The server's response, or the reason that there is none.
        why: String,
    },
    /// The connection failed in all attempts.
    #[error("cannot download {url}: {why}{}", rest(*kept, *size))]
    Lost {
        /// The URL.
        url: String,
        /// The cause of the last failure.
        why: String,
        /// The number of bytes downloaded so far.
        kept: u64,
        /// The size of the file, in bytes.
        size: u64,
    },
    /// The file has the wrong size.
    #[error(
        "{url} is not the official file: it has {found} bytes and should have {expected}; it was not \
         kept"
    )]
    Size {
        /// The URL.
        url: String,
        /// The official size, in bytes.
        expected: u64,
        /// The actual size, in bytes.
        found: String,
    },
    /// The file has the right size but another digest.
    #[error(
        "{url} is not the official file: its MD5 is {found} and should be {expected}; what was \
         downloaded is removed"
    )]
    Digest {
        /// The URL.
        url: String,
        /// The official digest.
        expected: String,
        /// The digest of the downloaded file.
        found: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

fn rest(kept: u64, size: u64) -> String {
    match kept {
        0 => String::new(),
        kept => {
            format!("; {kept} of {size} bytes are there, and the same command goes on from them")
        }
    }
}
