//! Packing of a journal's trials: each full block becomes one record, and so does each trial after the last
//! full block.

use super::engine::WriteBatch;
use super::error::StoreError;
use super::format::entry_codec::{self, EntryError};
use super::format::keys;
use super::format::trial::Entry;
use super::format::trial_block::TrialBlock;

/// The end of a journal to which this process appends.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The step of the next trial.
    pub(super) next: u64,
    /// The entries after the last full block.
    pub(super) rest: Vec<Entry>,
}

/// The changes of a journal that append entries to those after its last full block.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// The records to write: keys and values.
    pub written: Vec<(Vec<u8>, Vec<u8>)>,
    /// The keys of the records to remove.
    removed: Vec<Vec<u8>>,
    /// The number of entries, old and new, that are in full blocks afterwards.
    pub(super) in_blocks: usize,
}

impl Packed {
    /// Returns all changes as one batch.
    pub fn batch(self) -> WriteBatch {
        let mut batch = WriteBatch::default();
        for key in self.removed {
            batch.remove(key);
        }
        for (key, value) in self.written {
            batch.insert(key, value);
        }
        batch
    }
}

/// Packs new entries together with those stored after the last full block. Fails if encoding fails.
pub(super) fn pack(run: &str, stored: &[Entry], new: &[Entry]) -> Result<Packed, StoreError> {
    let encode = |step: u64, error: EntryError| StoreError::Encode {
        what: format!("trial {step} of run `{run}`"),
        reason: error.to_string(),
    };
    let mut packed = Packed::default();
    let all: Vec<&Entry> = stored.iter().chain(new).collect();
    let blocks = all.chunks_exact(TrialBlock::LEN as usize);
    let rest = blocks.remainder();
    for block in blocks {
        let first = block[0].trial.step;
        let key = keys::key(run, first);
        let value = entry_codec::packed(&key, &TrialBlock::of(block.iter().copied()))
            .map_err(|error| encode(first, error))?;
        packed.written.push((key, value));
    }
    if rest.len() < all.len() {
        // The first one's key is the block's.
        let others = stored.iter().skip(1);
        packed.removed = others.map(|entry| keys::key(run, entry.trial.step)).collect();
    }
    for entry in &rest[rest.len().saturating_sub(new.len())..] {
        let step = entry.trial.step;
        let key = keys::key(run, step);
        let value = entry_codec::single(&key, entry).map_err(|error| encode(step, error))?;
        packed.written.push((key, value));
    }
    packed.in_blocks = all.len() - rest.len();
    Ok(packed)
}
