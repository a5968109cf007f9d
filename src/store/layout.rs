//! The files of a store and the keys about itself.

/// The version of the layout that this program writes.
pub(in crate::store) const FORMAT: u32 = 2;

pub(in crate::store) const FORMAT_KEY: &str = "format";

/// What must be free on the disk before a write. sled waits for ever for a write that the disk had no
/// room for, so the end is not to be reached.
pub(in crate::store) const FREE_BYTES: u64 = 8 << 20;

/// The database file within the folder.
pub(in crate::store) const DATABASE: &str = "db";

/// The file with the number of the last `sync` that reached the disk; the database has it too.
pub(in crate::store) const SYNCED: &str = "synced";

pub(in crate::store) const SYNCED_KEY: &str = "synced";

/// The file that says that a folder is a store's.
pub(in crate::store) const MARKER: &str = "tandem-store";

/// sled's settings of a database.
pub(in crate::store) const CONF: &str = "conf";

/// sled's long values.
pub(in crate::store) const BLOBS: &str = "blobs";

/// Checkpoints of trainings that were cut off.
pub(in crate::store) const TRAININGS: &str = "trainings";

/// The tree with the version of the layout.
pub(in crate::store) const META: &[u8] = b"meta";
