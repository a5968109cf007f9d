//! The trials of runs, in order.
//!
//! Each full block of [`TrialBlock::LEN`] trials is one packed record under the key of its first step; the
//! trials after the last full block are one record each. The records depend on the trials alone, not on how
//! many were appended at once.

use std::collections::{HashMap, hash_map};
use std::sync::{MutexGuard, PoisonError};

use super::bytes::Bytes;

use super::error::StoreError;
use super::format::entry_codec::{self, JournalRecord};
use super::format::keys;
use super::format::trial::Entry;
use super::format::trial_block::TrialBlock;
use super::packing::{Tail, pack};
use super::store::Store;

impl Store {
    /// Appends trials to a run's journal, all of them or none, and hands them to the operating system: once
    /// this returns, they survive the death of the process.
    ///
    /// # Errors
    /// The steps do not continue the journal, a number of a trial is not finite, or the store fails.
    pub fn append(&self, run: &str, entries: &[Entry]) -> Result<(), StoreError> {
        let mut tails = self.tails();
        let tail = match tails.entry(run.to_owned()) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => unknown.insert(self.read_tail(run)?),
        };
        for (Entry { trial, .. }, expected) in entries.iter().zip(tail.next..) {
            if trial.step != expected {
                let (run, given) = (run.to_owned(), trial.step);
                return Err(StoreError::JournalConflict { run, given, expected });
            }
            if let Some(what) = trial.not_finite() {
                return Err(StoreError::NotFinite { run: run.to_owned(), step: trial.step, what });
            }
        }
        let packed = pack(run, &tail.rest, entries)?;
        let in_blocks = packed.in_blocks;
        self.journal.apply_batch(packed.batch()).map_err(|error| self.failed(error))?;
        self.flush()?;
        tail.next += entries.len() as u64;
        // Whatever is packed goes past the end of what was there before.
        match in_blocks {
            0 => tail.rest.extend_from_slice(entries),
            _ => tail.rest = entries[in_blocks - tail.rest.len()..].to_vec(),
        }
        Ok(())
    }

    /// Returns a block of a run: its trials from step `number * Block::LEN` on, at most [`TrialBlock::LEN`].
    ///
    /// `None` if the run ends before that step.
    ///
    /// # Errors
    /// A trial is missing or damaged, or the store fails.
    pub fn block(&self, run: &str, number: u64) -> Result<Option<TrialBlock>, StoreError> {
        // Packing a block moves its trials; nobody may look for them meanwhile. What is found can be
        // decoded at leisure, by many threads at once.
        let still = self.tails();
        let entries = self.raw_block(run, number)?;
        drop(still);
        self.decode_block(run, number, &entries)
    }

    /// Returns the number of trials of a run, as its last record shows it.
    ///
    /// # Errors
    /// The store fails.
    pub fn trial_count(&self, run: &str) -> Result<u64, StoreError> {
        let _still = self.tails();
        self.count(run)
    }

    fn count(&self, run: &str) -> Result<u64, StoreError> {
        let last = self.journal.scan_prefix_back(keys::prefix(run)).next();
        let Some((key, value)) = last.transpose().map_err(|error| self.failed(error))? else {
            return Ok(0);
        };
        let step = keys::step(&key)
            .ok_or_else(|| self.damaged(format!("a key of run `{run}` has no step")))?;
        Ok(step + if entry_codec::is_packed(&value) { TrialBlock::LEN } else { 1 })
    }

    fn tails(&self) -> MutexGuard<'_, HashMap<String, Tail>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_tail(&self, run: &str) -> Result<Tail, StoreError> {
        let next = self.count(run)?;
        let rest = match next % TrialBlock::LEN {
            0 => Vec::new(),
            _ => self.read_block(run, next / TrialBlock::LEN)?.map_or_else(Vec::new, |block| {
                (0..block.len()).map(|at| block.entry(at)).collect()
            }),
        };
        Ok(Tail { next, rest })
    }

    fn read_block(&self, run: &str, number: u64) -> Result<Option<TrialBlock>, StoreError> {
        self.decode_block(run, number, &self.raw_block(run, number)?)
    }

    /// Returns the records of a block as they are stored, and the record after an unpacked one if there is
    /// any.
    fn raw_block(&self, run: &str, number: u64) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let prefix = keys::prefix(run);
        let mut entries = Vec::new();
        // Whoever asks from another process may ask for anything.
        let first = number.saturating_mul(TrialBlock::LEN);
        for entry in self.journal.range_from(keys::key(run, first)) {
            let (key, value) = entry.map_err(|error| self.failed(error))?;
            if !key.starts_with(&prefix) {
                break;
            }
            let whole = entry_codec::is_packed(&value) || entries.len() as u64 == TrialBlock::LEN;
            entries.push((key, value));
            if whole {
                break;
            }
        }
        Ok(entries)
    }

    fn decode_block(
        &self,
        run: &str,
        number: u64,
        entries: &[(Bytes, Bytes)],
    ) -> Result<Option<TrialBlock>, StoreError> {
        let first = number.saturating_mul(TrialBlock::LEN);
        let missing = |step| self.damaged(format!("trial {step} of run `{run}` is missing"));
        let mut singles: Vec<Entry> = Vec::new();
        for (key, value) in entries {
            let expected = first + singles.len() as u64;
            if keys::step(key) != Some(expected) || expected == first + TrialBlock::LEN {
                return Err(missing(expected));
            }
            let wrong =
                |what: String| self.damaged(format!("trial {expected} of run `{run}`: {what}"));
            match entry_codec::read(key, value).map_err(|error| wrong(error.to_string()))? {
                JournalRecord::Packed(block)
                    if expected == first
                        && block.first() == first
                        && block.len() as u64 == TrialBlock::LEN =>
                {
                    return Ok(Some(*block));
                }
                JournalRecord::Packed(_) => {
                    return Err(wrong("its stretch is out of place".to_owned()));
                }
                JournalRecord::Single(entry) if entry.trial.step == expected => {
                    singles.push(*entry)
                }
                JournalRecord::Single(entry) => {
                    return Err(wrong(format!("it says that it is {}", entry.trial.step)));
                }
            }
        }
        Ok((!singles.is_empty()).then(|| TrialBlock::of(singles.iter())))
    }
}
