//! Getting the published sets into the folder of data: downloaded, or from files that are there.
//!
//! A set is unpacked beside its place, read as a training reads it, and then renamed into place, so
//! that it is found whole or not at all.

mod archive;
mod client;
mod error;
mod official;
mod staging;

use std::path::{Path, PathBuf};

pub use client::{Client, FetchEvent};
pub use error::{AcquireError, DownloadError};
pub use official::{Official, Source};
use staging::Incoming;

/// A set that is in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// The folder of the set.
    pub place: PathBuf,
    /// Images to learn from.
    pub train: usize,
    /// Images to test with.
    pub test: usize,
    /// Whether it was there before.
    pub already: bool,
}

/// Downloads the files of a set and puts it into the folder of data, unless it is there.
///
/// `sources` are the set's, of its official server or of a mirror.
///
/// # Errors
/// A file cannot be downloaded or is the wrong one, what is there cannot be used, or the folder of data
/// cannot be written. What was downloaded is kept for the next call.
pub fn fetch(
    set: &Official,
    sources: &[Source],
    data: &Path,
    client: &Client,
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
    sources: &[Source],
    data: &Path,
    client: &Client,
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

/// Takes a set from a folder or an archive into the folder of data.
///
/// # Errors
/// The set is there already, the files are not those of the set or damaged, or the folder of data
/// cannot be written.
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

/// The set where it is already: in the folder of data, or anywhere that it is looked for.
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

/// Whether there is something that a folder cannot be renamed to.
fn is_occupied(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// Unpacks a set, reads it, and puts it into its place.
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
