//! The names of a store's files, and the keys of its own records.

/// The version of the layout that this program writes.
pub(in crate::store) const FORMAT: u32 = 2;

pub(in crate::store) const FORMAT_KEY: &str = "format";

/// The bytes that must be free on the disk before a write. sled waits forever for a write that finds the disk
/// full.
pub(in crate::store) const FREE_BYTES: u64 = 8 << 20;

/// The name of the database file within the folder.
pub(in crate::store) const DATABASE: &str = "db";

/// The name of the file with the number of the last sync that reached the disk; the database contains it too.
pub(in crate::store) const SYNCED: &str = "synced";

pub(in crate::store) const SYNCED_KEY: &str = "synced";

/// The name of the file that marks a folder as a store's.
pub(in crate::store) const MARKER: &str = "tandem-store";

/// The name of the file with sled's settings of the database.
pub(in crate::store) const CONF: &str = "conf";

/// The name of the folder of sled's long values.
pub(in crate::store) const BLOBS: &str = "blobs";

/// The name of the folder with the checkpoints of interrupted training runs.
pub(in crate::store) const TRAININGS: &str = "trainings";

/// The name of the tree with the version of the layout.
pub(in crate::store) const META: &[u8] = b"meta";
