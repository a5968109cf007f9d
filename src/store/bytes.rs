//! The keys and values of records.

/// Bytes that are cheap to clone: the key or the value of a record. sled's own type, so that nothing is copied
/// on the way.
pub(super) type Bytes = sled::IVec;
