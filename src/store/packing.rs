//! Packing of a journal's trials: each full stretch becomes one record, and so does each trial after the last
//! full stretch.

use sled::Batch;

use super::error::StoreError;
use super::format::entry_codec::{self, EntryError};
use super::format::keys;
use super::format::trial::Entry;
use super::format::trial_block::Stretch;

/// The end of a journal to which this process appends.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The step of the next trial.
    pub(super) next: u64,
    /// The entries after the last full stretch.
    pub(super) rest: Vec<Entry>,
}

/// The changes of a journal that append entries to those after its last full stretch.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// The records to write: keys and values.
    pub written: Vec<(Vec<u8>, Vec<u8>)>,
    /// The keys of the records to remove.
    removed: Vec<Vec<u8>>,
    /// The number of entries, old and new, that are in full stretches afterwards.
    pub(super) in_stretches: usize,
}

impl Packed {
    /// Returns all changes as one batch.
    pub fn batch(self) -> Batch {
        let mut batch = Batch::default();
        for key in self.removed {
            batch.remove(key);
        }
        for (key, value) in self.written {
            batch.insert(key, value);
        }
        batch
    }
}

/// Packs new entries together with those stored after the last full stretch. Fails if encoding fails.
pub(super) fn pack(run: &str, stored: &[Entry], new: &[Entry]) -> Result<Packed, StoreError> {
    let encode = |step: u64, error: EntryError| StoreError::Encode {
        what: format!("trial {step} of run `{run}`"),
        reason: error.to_string(),
    };
    let mut packed = Packed::default();
    let all: Vec<&Entry> = stored.iter().chain(new).collect();
    let stretches = all.chunks_exact(Stretch::LEN as usize);
    let rest = stretches.remainder();
    for stretch in stretches {
        let first = stretch[0].trial.step;
        let key = keys::key(run, first);
        let value = entry_codec::packed(&key, &Stretch::of(stretch.iter().copied()))
            .map_err(|error| encode(first, error))?;
        packed.written.push((key, value));
    }
    if rest.len() < all.len() {
        // The first one's key is the stretch's.
        let others = stored.iter().skip(1);
        packed.removed = others.map(|entry| keys::key(run, entry.trial.step)).collect();
    }
    for entry in &rest[rest.len().saturating_sub(new.len())..] {
        let step = entry.trial.step;
        let key = keys::key(run, step);
        let value = entry_codec::single(&key, entry).map_err(|error| encode(step, error))?;
        packed.written.push((key, value));
    }
    packed.in_stretches = all.len() - rest.len();
    Ok(packed)
}
