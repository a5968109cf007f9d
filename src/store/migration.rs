//! Bringing a store of an older format to the present one.
//!
//! Format 1 kept each trial in an entry of its own, in the tree `trials`, without a checksum.

use super::error::StoreError;
use super::journal::pack;
use super::keys;
use super::open::Store;
use super::stretch::Stretch;
use super::trial::{Entry, Trial};

/// The tree of format 1.
pub(super) const OLD_TRIALS: &str = "trials";

/// Writes the trials of format 1 to the journal. What an interrupted migration wrote is overwritten;
/// the old tree is left alone.
pub(super) fn copy_trials(store: &Store) -> Result<(), StoreError> {
    let failed = |error| store.failed(error);
    store.journal.clear().map_err(failed)?;
    let mut run = String::new();
    let mut entries: Vec<Entry> = Vec::new();
    let write = |run: &str, entries: &mut Vec<Entry>| {
        let (batch, _) = pack(run, &[], entries)?;
        entries.clear();
        store.journal.apply_batch(batch).map_err(failed)
    };
    for entry in &store.db.open_tree(OLD_TRIALS).map_err(failed)? {
        let (key, value) = entry.map_err(failed)?;
        let place = keys::run(&key).zip(keys::step(&key));
        let (name, step) = place.ok_or_else(|| store.damaged("a trial has no run"))?;
        if name != run || entries.len() as u64 == Stretch::LEN {
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
