//! Why a set of images cannot be downloaded or imported.

use std::io;
use std::path::PathBuf;

use super::super::error::DataError;

/// Why a set cannot be downloaded or imported; the folder of data then has no part of it.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// The set is there already.
    #[error("{name} is already in {}; remove that folder to import it anew", place.display())]
    There {
        /// The set.
        name: String,
        /// Where it is.
        place: PathBuf,
    },
    /// The set's folder is there, but is no set.
    #[error("the {name} in {} cannot be used: {source}; remove that folder first", place.display())]
    Broken {
        /// The set.
        name: String,
        /// Where it is.
        place: PathBuf,
        /// What is wrong.
        source: DataError,
    },
    /// The folder where a set is made ready has something else in it.
    #[error("{} holds other things than a set that is made ready; move it elsewhere", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// Another process is at it.
    #[error("another process fetches or imports {name} into {}; wait for it", data.display())]
    Busy {
        /// The set.
        name: String,
        /// The folder of data.
        data: PathBuf,
    },
    /// A file cannot be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The file is of another kind.
    #[error("{} is neither a folder nor a .tar, .tar.gz or .tar.zst archive", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
    },
    /// The archive is cut off, damaged, or holds what it should not.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The archive or folder is not that of the set.
    #[error("{} has no file {file}; {name} is made up of {files}", path.display())]
    Lacks {
        /// The archive or folder.
        path: PathBuf,
        /// The missing file.
        file: &'static str,
        /// The set.
        name: String,
        /// The files of the set.
        files: String,
    },
    /// It is not clear which file is meant.
    #[error(
        "{} has two files {file}, {first} and {second}; import a folder with the right one",
        path.display()
    )]
    Twice {
        /// The archive.
        path: PathBuf,
        /// The name of the file.
        file: String,
        /// Where it is in the archive.
        first: String,
        /// Where else it is.
        second: String,
    },
    /// The files do not make up the set.
    #[error("{} does not hold {name}: {what}", path.display())]
    Unusable {
        /// The archive or folder.
        path: PathBuf,
        /// The set.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a file cannot be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server does not give the file.
    #[error("cannot download {url}: {why}")]
    Failed {
        /// The address.
        url: String,
        /// What the server answers, or why it cannot be asked.
        why: String,
    },
    /// The connection cannot be had, or breaks again and again.
    #[error("cannot download {url}: {why}{}", rest(*kept, *size))]
    Lost {
        /// The address.
        url: String,
        /// What went wrong last.
        why: String,
        /// The bytes that are there.
        kept: u64,
        /// The size of the file.
        size: u64,
    },
    /// The file is of the wrong size.
    #[error(
        "{url} is not the official file: it has {found} bytes and should have {expected}; it was not \
         kept"
    )]
    Size {
        /// The address.
        url: String,
        /// The official size.
        expected: u64,
        /// The size there.
        found: String,
    },
    /// The file has the right size and other bytes.
    #[error(
        "{url} is not the official file: its MD5 is {found} and should be {expected}; what was \
         downloaded is removed"
    )]
    Digest {
        /// The address.
        url: String,
        /// The official digest.
        expected: String,
        /// The digest of what was downloaded.
        found: String,
    },
    /// The file cannot be kept.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
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
