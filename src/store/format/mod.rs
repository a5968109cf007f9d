//! The records of a store and their encoding.

pub(super) mod entry_codec;
pub(super) mod keys;
pub(super) mod record;
pub(super) mod trial;
pub(super) mod trial_block;
