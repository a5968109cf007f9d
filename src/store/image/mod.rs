//! What the files of a database hold, read without sled and without changing a byte.
//!
//! sled repairs while it opens: it cuts the log where the log stops to make sense, overwrites segments that it
//! cannot read, and removes long values behind the cut. That is right after a kill, and destroys what could be
//! read of a file that was damaged. So commands that read never start sled: they read its log here. Commands
//! that write look here first, and start sled only on files that hold all that was brought to the disk.
//!
//! The layout is that of sled 0.34: a file of segments of 512 KiB, each with a header and messages; a message
//! replaces a page, or links a change to it. Pages are nodes of B+ trees, and page 0 names the trees. Long
//! pages are in files of their own, below `blobs`.

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
