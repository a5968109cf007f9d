//! The marker file of a store's folder.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::layout::MARKER;
use crate::util::atomic_file::create_like_folder;

/// The text of the marker. An interrupted process may have written only its beginning.
const TEXT: &str = "tandem store 1\nThe files in this folder belong to tandem, which changes and removes \
                    them. Keep nothing else here.\n";

/// Returns true if a folder bears a marker, complete or cut short.
pub(super) fn is_marked(folder: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(folder.join(MARKER))
        .and_then(|file| file.take(TEXT.len() as u64 + 1).read_to_end(&mut bytes));
    read.is_ok() && TEXT.as_bytes().starts_with(&bytes)
}

/// Marks a folder, and syncs the marker to disk.
pub(super) fn mark(folder: &Path) -> io::Result<()> {
    if is_marked(folder) {
        return Ok(());
    }
    // Written in its place: it has to be the first file of its folder, and its beginning marks it as well.
    let mut file = create_like_folder(&folder.join(MARKER))?;
    file.write_all(TEXT.as_bytes())?;
    file.sync_all()
}
