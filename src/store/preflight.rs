//! Checks of a store's files before sled opens them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::disk::replace;
use super::error::StoreError;
use super::image::{Image, ImageError, Mark, Snapshot, is_conf, snapshots};
use super::place::{self, Layout, not_a_store};
use crate::store::error::damaged;
use crate::store::layout::{FORMAT, FORMAT_KEY, META, SYNCED_KEY};

/// The most bytes of an unreadable database that count as no loss: no record fits into them.
const UNMADE_BYTES: usize = 512;

/// Reads the files of a store and the version of its layout; `None` if a process was killed before it had
/// completed the store.
pub(super) fn read_image(
    path: &Path,
    layout: &Layout,
) -> Result<Option<(Arc<Image>, u32)>, StoreError> {
    let mark = Mark { tree: META, key: SYNCED_KEY.as_bytes(), expected: layout.synced };
    let failed = |error| StoreError::of(path, error);
    let image = Arc::new(Image::open(layout.files.clone(), mark).map_err(failed)?);
    let meta = image.tree(META);
    let format = meta.as_ref().map(|meta| meta.get(FORMAT_KEY.as_bytes())).transpose();
    if let Some(format) = format.map_err(failed)?.flatten() {
        return Ok(Some((image, format_number(path, &format)?)));
    }
    if layout.is_marked && is_unmade(path, layout, &image).map_err(failed)? {
        return Ok(None);
    }
    if !layout.is_marked && layout.synced.is_none() {
        // It is the database of some other program.
        return Err(not_a_store(path));
    }
    Err(damaged(
        path,
        match meta {
            Some(_) => "its format version is missing",
            None => "`db`: nothing that was written can be found in it",
        },
    ))
}

/// Returns true if the database in a marked folder has no records: a process was killed before it had
/// completed the store.
fn is_unmade(path: &Path, layout: &Layout, image: &Arc<Image>) -> Result<bool, ImageError> {
    if layout.files.snapshots.is_none() || !place::is_bare(path) {
        return Ok(false);
    }
    if image.names().next().is_none() {
        let bytes = fs::read(&layout.files.log)?;
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        return Ok(used <= UNMADE_BYTES);
    }
    for name in image.names() {
        let tree = image.tree(name);
        if let Some(record) = tree.and_then(|tree| tree.ascending(b"", b"").next()) {
            record?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Decodes the version of a store's layout. One above [`FORMAT`] is an error.
pub(super) fn format_number(path: &Path, bytes: &[u8]) -> Result<u32, StoreError> {
    let format = <[u8; 4]>::try_from(bytes)
        .map(u32::from_be_bytes)
        .map_err(|_| damaged(path, "its format version cannot be read"))?;
    if format > FORMAT {
        return Err(StoreError::Newer { path: path.to_owned(), found: format, known: FORMAT });
    }
    Ok(format)
}

/// The work to be done before sled may open the files of a store.
pub(super) enum Prepared {
    /// To create the store.
    New,
    /// Nothing.
    Ready,
    /// To write the contents of the files into a fresh database.
    Rewrite(Arc<Image>),
}

/// Checks everything that a store's database contains.
///
/// Damaged snapshots and settings, which are not needed, are removed, and an end of the log that sled would
/// cut off is saved to a file. Nothing else is changed.
pub(super) fn prepare(path: &Path, layout: &Layout) -> Result<Prepared, StoreError> {
    let Some((image, _)) = read_image(path, layout)? else { return Ok(Prepared::New) };
    image.check().map_err(|error| StoreError::of(path, error))?;
    let clear = || -> io::Result<()> {
        for snapshot in snapshots(path)? {
            if Snapshot::read(&fs::read(&snapshot)?).is_none() {
                replace::remove_file(&snapshot)?;
            }
        }
        // sled writes the same settings again.
        match fs::read(&layout.conf) {
            Ok(bytes) if is_conf(&bytes) => Ok(()),
            Ok(_) => replace::remove_file(&layout.conf),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    };
    let keep = || image.hole().map_or(Ok(()), |hole| place::keep_torn(path, &image.behind(hole)?));
    keep()
        .and_then(|()| clear())
        .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    Ok(if image.needs_rewriting() { Prepared::Rewrite(image) } else { Prepared::Ready })
}
