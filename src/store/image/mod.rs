//! The contents of a database's files, read without sled and without changing a byte.
//!
//! sled repairs files while it opens them: it cuts the log off where the log makes no sense, overwrites
//! segments that it cannot read, and removes long values behind the cut. That is right after a kill, but
//! destroys readable parts of a damaged file. So commands that only read never start sled: they read its log
//! here. Commands that write check the files here first, and start sled only if the files contain everything
//! that was synced.
//!
//! The layout is that of sled 0.34: a file of segments of 512 KiB, each with a header and messages. A message
//! replaces a page or links a change to it. Pages are nodes of B+ trees, and page 0 has the names of the
//! trees. Long pages are in files of their own, below `blobs`.

mod check;
mod format;
mod log;
mod marked;
mod page;
mod pages;
mod pieces;
mod snapshot;
mod tree;

pub(super) use format::{SegmentHeader, is_conf};
pub(super) use log::{Files, ImageError};
pub(super) use marked::Mark;
pub(super) use pages::Image;
pub(super) use pieces::{Finder, find_records};
pub(super) use snapshot::{Snapshot, is_name as is_snapshot_name, snapshots};
pub(super) use tree::{Ascending, Descending, ImageTree};

#[cfg(test)]
mod tests;
