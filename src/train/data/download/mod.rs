//! Downloading and importing published sets into the data folder.
//!
//! A set is extracted beside its place, read as training does, and then renamed into place, so that it is
//! always complete.

mod archive;
mod client;
mod error;
mod official;
mod staging;

use std::path::{Path, PathBuf};

pub use client::{FetchEvent, HttpClient};
pub use error::{AcquireError, DownloadError};
pub use official::{Official, RemoteFile};
use staging::Incoming;

/// A set in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// The folder of the set.
    pub place: PathBuf,
    /// The number of training images.
    pub train: usize,
    /// The number of test images.
    pub test: usize,
    /// True if the set was there before the call.
    pub already: bool,
}

/// Downloads the files of a set and places it in the data folder, unless it exists already.
///
/// `sources` are the set's files on its official server or on a mirror.
///
/// # Errors
/// Returns an error if a file cannot be downloaded or is the wrong one, if an existing set cannot be used, or
/// if the data folder cannot be written. Downloaded files are kept for the next call.
pub fn fetch(
    set: &Official,
    sources: &[RemoteFile],
    data: &Path,
    client: &HttpClient,
    watch: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Acquired, AcquireError> {
    if let Some(there) = find(set, data, true)? {
        return Ok(there);
    }
    let incoming = Incoming::open(set, data)?;
    // Another process may have brought it in the meantime.
    if let Some(there) = find(set, data, true)? {
        return Ok(there);
    }
    download(set, sources, data, client, incoming, watch)
}

fn download(
    set: &Official,
    sources: &[RemoteFile],
    data: &Path,
    client: &HttpClient,
    incoming: Incoming,
    watch: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Acquired, AcquireError> {
    let mut files = Vec::new();
    for source in sources {
        files.push(client.download(source, incoming.folder(), watch)?);
    }
    match &files[..] {
        [archive] => keep(set, archive, data, incoming),
        _ => {
            let folder = incoming.folder().to_owned();
            keep(set, &folder, data, incoming)
        }
    }
}

/// Imports a set from a folder or an archive into the data folder.
///
/// # Errors
/// Returns an error if the set exists already, if the files are damaged or not those of the set, or if the
/// data folder cannot be written.
pub fn import(set: &Official, from: &Path, data: &Path) -> Result<Acquired, AcquireError> {
    let refuse = || match find(set, data, false)? {
        Some(there) => Err(AcquireError::There { name: set.to_string(), place: there.place }),
        None => Ok(()),
    };
    refuse()?;
    // Told before anything is made in the folder of data.
    std::fs::metadata(from)
        .map_err(|source| AcquireError::Read { path: from.to_owned(), source })?;
    let incoming = Incoming::open(set, data)?;
    refuse()?;
    keep(set, from, data, incoming)
}

/// Finds an existing set: in the data folder, or with `anywhere` in any of its places.
fn find(set: &Official, data: &Path, anywhere: bool) -> Result<Option<Acquired>, AcquireError> {
    let found = set.spec().find(data).filter(|place| anywhere || place.starts_with(data));
    let target = data.join(set.publication().folder);
    let Some(place) = found.or_else(|| is_occupied(&target).then_some(target)) else {
        return Ok(None);
    };
    match set.read(&place) {
        Ok(images) => {
            let (train, test) = (images.train().len(), images.test().len());
            Ok(Some(Acquired { place, train, test, already: true }))
        }
        Err(source) => Err(AcquireError::Broken { name: set.to_string(), place, source }),
    }
}

/// Returns true if a folder cannot be renamed to a path, because of a file or a folder with content there.
fn is_occupied(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// Extracts a set, reads it, and moves it to its place.
fn keep(
    set: &Official,
    from: &Path,
    data: &Path,
    incoming: Incoming,
) -> Result<Acquired, AcquireError> {
    let staged = incoming.stage()?;
    archive::take(set, from, &staged)?;
    let images = set.read(&staged).map_err(|error| AcquireError::Unusable {
        path: from.to_owned(),
        name: set.to_string(),
        what: error.within(&staged),
    })?;
    let (train, test) = (images.train().len(), images.test().len());
    let place = data.join(set.publication().folder);
    incoming.place(&place)?;
    Ok(Acquired { place, train, test, already: false })
}

#[cfg(test)]
mod tests;
