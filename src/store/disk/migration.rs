//! Migration of stores of older formats to the present one.
//!
//! Format 1 kept each trial as one record without a checksum, in the tree `trials`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::bytes::Bytes;

use crate::store::engine::Tree;
use crate::store::format::keys;
use crate::store::packing::{Packed, pack};
use crate::store::store::Store;
use crate::store::{Entry, StoreError, Trial, TrialBlock};

/// The name of format 1's tree of trials.
pub(in crate::store) const OLD_TRIALS: &str = "trials";

/// Copies the trials of format 1 to the journal. The output of an interrupted migration is overwritten; the
/// old tree stays.
pub(in crate::store) fn copy_trials(store: &Store) -> Result<(), StoreError> {
    let failed = |error| store.failed(error);
    store.journal.clear().map_err(failed)?;
    each_batch(store, &mut |packed| store.journal.apply_batch(packed.batch()).map_err(failed))
}

/// Returns the journal that [`copy_trials`] would write, in memory.
pub(in crate::store) fn trials_in_memory(store: &Store) -> Result<Tree, StoreError> {
    let mut records: BTreeMap<Bytes, Bytes> = BTreeMap::new();
    each_batch(store, &mut |packed| {
        records.extend(packed.written.into_iter().map(|(key, value)| (key.into(), value.into())));
        Ok(())
    })?;
    Ok(Tree::Memory(Arc::new(records)))
}

/// Decodes a trial of format 1; `None` if the value is none.
///
/// Such a trial has no checksum. A value is accepted if it has the expected step, finite numbers and no bytes
/// beyond the trial.
pub(in crate::store) fn old_trial(step: u64, value: &[u8]) -> Option<Trial> {
    let trial: Trial = postcard::from_bytes(value).ok()?;
    let is_all = || postcard::to_stdvec(&trial).is_ok_and(|bytes| bytes == value);
    (trial.step == step && trial.not_finite().is_none() && is_all()).then_some(trial)
}

fn each_batch(
    store: &Store,
    apply: &mut dyn FnMut(Packed) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |error| store.failed(error);
    let mut run = String::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut write = |run: &str, entries: &mut Vec<Entry>| {
        let packed = pack(run, &[], entries)?;
        entries.clear();
        apply(packed)
    };
    for entry in &store.db.tree(OLD_TRIALS.as_bytes()).map_err(failed)? {
        let (key, value) = entry.map_err(failed)?;
        let place = keys::run(&key).zip(keys::step(&key));
        let (name, step) = place.ok_or_else(|| store.damaged("a trial has no run"))?;
        if name != run || entries.len() as u64 == TrialBlock::LEN {
            write(&run, &mut entries)?;
            name.clone_into(&mut run);
        }
        let wrong = |what: String| store.damaged(format!("trial {step} of run `{name}`{what}"));
        let trial: Trial =
            postcard::from_bytes(&value).map_err(|error| wrong(format!(": {error}")))?;
        if trial.step != step {
            return Err(wrong(format!(" says that it is {}", trial.step)));
        }
        entries.push(trial.into());
    }
    write(&run, &mut entries)
}
