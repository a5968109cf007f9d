//! The trials of a run, in order.

use std::collections::hash_map::Entry;
use std::sync::PoisonError;

use sled::Batch;

use super::error::StoreError;
use super::keys;
use super::open::Store;
use super::trial::Trial;

/// The stored trials of a run, in order.
pub struct Trials<'a> {
    store: &'a Store,
    run: String,
    entries: sled::Iter,
    next: u64,
}

impl Iterator for Trials<'_> {
    type Item = Result<Trial, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = match self.entries.next()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(self.store.failed(error))),
        };
        let expected = self.next;
        self.next += 1;
        if keys::step(&key) != Some(expected) {
            let what = format!("trial {expected} of run `{}` is missing", self.run);
            return Some(Err(self.store.damaged(what)));
        }
        Some(self.store.decode_trial(&self.run, expected, &value))
    }
}

impl Store {
    /// Appends trials to a run's journal and hands them to the operating system: when this returns,
    /// the death of the process does not lose them. All of them are there or none.
    ///
    /// # Errors
    /// They do not go on where the journal ends, one has a number that is not finite, or the store
    /// fails.
    pub fn append(&self, run: &str, trials: &[Trial]) -> Result<(), StoreError> {
        let mut next_steps = self.next_steps.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match next_steps.entry(run.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.trial_count(run)?),
        };
        let mut batch = Batch::default();
        for (trial, expected) in trials.iter().zip(*next..) {
            if trial.step != expected {
                let (run, given) = (run.to_owned(), trial.step);
                return Err(StoreError::JournalConflict { run, given, expected });
            }
            if let Some(what) = trial.not_finite() {
                return Err(StoreError::NotFinite { run: run.to_owned(), step: trial.step, what });
            }
            let bytes = postcard::to_stdvec(trial).map_err(|error| StoreError::Encode {
                what: format!("trial {} of run `{run}`", trial.step),
                reason: error.to_string(),
            })?;
            batch.insert(keys::key(run, trial.step), bytes);
        }
        self.trials.apply_batch(batch).map_err(|error| self.failed(error))?;
        self.flush()?;
        *next += trials.len() as u64;
        Ok(())
    }

    /// The trials of a run, in order.
    ///
    /// # Errors
    /// There is no such run, or the store fails.
    pub fn trials(&self, run: &str) -> Result<Trials<'_>, StoreError> {
        self.run(run)?;
        let entries = self.trials.scan_prefix(keys::prefix(run));
        Ok(Trials { store: self, run: run.to_owned(), entries, next: 0 })
    }

    /// One trial of a run; `None` if the run has fewer.
    ///
    /// # Errors
    /// The store fails.
    pub fn trial(&self, run: &str, step: u64) -> Result<Option<Trial>, StoreError> {
        let value = self.trials.get(keys::key(run, step)).map_err(|error| self.failed(error))?;
        value.map(|value| self.decode_trial(run, step, &value)).transpose()
    }

    /// The number of trials of a run, read off its last key.
    ///
    /// # Errors
    /// The store fails.
    pub fn trial_count(&self, run: &str) -> Result<u64, StoreError> {
        match self.trials.scan_prefix(keys::prefix(run)).keys().next_back() {
            None => Ok(0),
            Some(Err(error)) => Err(self.failed(error)),
            Some(Ok(key)) => keys::step(&key)
                .map(|step| step + 1)
                .ok_or_else(|| self.damaged(format!("a key of run `{run}` has no step"))),
        }
    }

    fn decode_trial(&self, run: &str, step: u64, value: &[u8]) -> Result<Trial, StoreError> {
        let trial: Trial = postcard::from_bytes(value)
            .map_err(|error| self.damaged(format!("trial {step} of run `{run}`: {error}")))?;
        if trial.step != step {
            let what = format!("trial {step} of run `{run}` says that it is {}", trial.step);
            return Err(self.damaged(what));
        }
        Ok(trial)
    }
}
