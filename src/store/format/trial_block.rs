//! Blocks of a run's trials in columns, the form in which trials are packed, read and queried.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::trial::{Entry, Outcome, Reused, Trial, TrialCost};

const FAILED: u8 = 0;
const INVALID: u8 = 1;
const VALID: u8 = 2;

/// Up to [`TrialBlock::LEN`] successive trials of a run, stored by columns.
///
/// A trial without a metric or a reward has NaN in that column; stored numbers are never NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialBlock {
    first: u64,
    phases: Vec<u32>,
    /// The options of all points in succession; `point_ends` has the end of each point.
    options: Vec<u16>,
    point_ends: Vec<u32>,
    parts: Vec<String>,
    /// By part and trial: the number of the text in the pool plus one, or 0 for none.
    texts: Vec<Vec<u32>>,
    metrics: Vec<String>,
    /// By metric and trial: the value.
    values: Vec<Vec<f64>>,
    states: Vec<u8>,
    rewards: Vec<f64>,
    /// By trial: the number of the failure's text in the pool plus one, or 0 for none.
    reasons: Vec<u32>,
    micros: Vec<u64>,
    reused: Vec<u8>,
    pool: Pool,
}

/// A pool of distinct texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Pool {
    text: String,
    ends: Vec<u32>,
}

impl Pool {
    fn range(&self, number: u32) -> Range<usize> {
        let at = number as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        start..self.ends[at] as usize
    }

    /// Returns a text by its number plus one; `None` for 0.
    fn get(&self, number: u32) -> Option<&str> {
        Some(&self.text[self.range(number.checked_sub(1)?)])
    }
}

/// A builder of a [`Pool`].
#[derive(Default)]
struct Pooled<'a> {
    pool: Pool,
    known: FxHashMap<&'a str, u32>,
}

impl<'a> Pooled<'a> {
    /// Returns the number of a text plus one, and adds the text if it is new.
    fn put(&mut self, text: &'a str) -> u32 {
        *self.known.entry(text).or_insert_with(|| {
            self.pool.text.push_str(text);
            self.pool.ends.push(self.pool.text.len() as u32);
            self.pool.ends.len() as u32
        })
    }
}

impl TrialBlock {
    /// The most trials of a block. The blocks of a run begin at multiples of this number.
    ///
    /// Longer blocks would pack slightly better. But sled keeps up to 16 records in a page, and rewrites a
    /// page above 128 KiB as a file at each change: with 512 trials in a block, a run took three times the
    /// space.
    pub const LEN: u64 = 128;

    /// The most bytes of an encoded block before compression: four MiB for each trial.
    pub const MAX_BYTES: usize = 512 << 20;

    /// Creates a block of entries whose steps are successive.
    pub fn of<'a>(entries: impl ExactSizeIterator<Item = &'a Entry> + Clone) -> Self {
        let trials = || entries.clone().map(|entry| &entry.trial);
        let names = |of: fn(&Trial) -> Vec<&String>| -> Vec<String> {
            let names: BTreeSet<&String> = trials().flat_map(of).collect();
            names.into_iter().cloned().collect()
        };
        let parts = names(|trial| trial.text.keys().collect());
        let metrics = names(|trial| trial.outcome.metrics().keys().collect());
        let mut pooled = Pooled::default();
        let texts = parts
            .iter()
            .map(|part| trials().map(|t| t.text.get(part).map_or(0, |s| pooled.put(s))).collect())
            .collect();
        let reason = |trial: &'a Trial| match &trial.outcome {
            Outcome::Failed { reason, .. } => Some(reason.as_str()),
            Outcome::Done { .. } => None,
        };
        let reasons = trials().map(|t| reason(t).map_or(0, |s| pooled.put(s))).collect();
        let state = |trial: &Trial| match &trial.outcome {
            Outcome::Failed { .. } => FAILED,
            Outcome::Done { valid: false, .. } => INVALID,
            Outcome::Done { valid: true, .. } => VALID,
        };
        let column = |name: &String| {
            trials().map(|trial| trial.outcome.metric(name).unwrap_or(f64::NAN)).collect()
        };
        let ends = trials().scan(0, |end, trial| {
            *end += trial.point.len() as u32;
            Some(*end)
        });
        Self {
            first: trials().next().map_or(0, |trial| trial.step),
            phases: trials().map(|trial| trial.phase).collect(),
            options: trials().flat_map(|trial| trial.point.iter().copied()).collect(),
            point_ends: ends.collect(),
            parts,
            texts,
            values: metrics.iter().map(column).collect(),
            metrics,
            states: trials().map(state).collect(),
            rewards: trials().map(|trial| trial.outcome.reward().unwrap_or(f64::NAN)).collect(),
            reasons,
            micros: entries.clone().map(|entry| entry.effort.micros).collect(),
            reused: entries.clone().map(|entry| entry.effort.reused.bits()).collect(),
            pool: pooled.pool,
        }
    }

    /// Returns its number among the blocks of its run, from 0.
    pub const fn number(&self) -> u64 {
        self.first / Self::LEN
    }

    /// Returns the step of its first trial.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number of trials.
    pub const fn len(&self) -> usize {
        self.states.len()
    }

    /// Returns true if it has no trials.
    pub const fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Returns the step of the trial at an index.
    pub const fn step(&self, at: usize) -> u64 {
        self.first + at as u64
    }

    /// Returns the number of a trial's phase.
    pub fn phase(&self, at: usize) -> u32 {
        self.phases[at]
    }

    /// Returns the index of the chosen option of each choice of a trial.
    pub fn point(&self, at: usize) -> &[u16] {
        let start = at.checked_sub(1).map_or(0, |before| self.point_ends[before] as usize);
        &self.options[start..self.point_ends[at] as usize]
    }

    /// Returns the names of the parts for which at least one trial has a text.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Returns the index of a part in [`Self::parts`]; `None` if no trial has a text of it.
    pub fn part(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| part == name)
    }

    /// Returns the text of a part of a trial, by the part's index in [`Self::parts`].
    pub fn text(&self, at: usize, part: usize) -> Option<&str> {
        self.pool.get(self.texts[part][at])
    }

    /// Returns the names of the metrics that at least one trial has.
    pub fn metrics(&self) -> &[String] {
        &self.metrics
    }

    /// Returns the values of a metric by trial, NaN for a trial without it; `None` if no trial has the
    /// metric.
    pub fn values(&self, metric: &str) -> Option<&[f64]> {
        let at = self.metrics.iter().position(|name| name == metric)?;
        Some(&self.values[at])
    }

    /// Returns the reward of a trial; `None` if it failed.
    pub fn reward(&self, at: usize) -> Option<f64> {
        (self.states[at] != FAILED).then(|| self.rewards[at])
    }

    /// Returns true if a trial has a reward and satisfies all constraints of its phase.
    pub fn is_valid(&self, at: usize) -> bool {
        self.states[at] == VALID
    }

    /// Returns the error of a trial; `None` if it did not fail.
    pub fn reason(&self, at: usize) -> Option<&str> {
        self.pool.get(self.reasons[at])
    }

    /// Returns the cost of a trial.
    pub fn effort(&self, at: usize) -> TrialCost {
        TrialCost { micros: self.micros[at], reused: Reused::of_bits(self.reused[at]) }
    }

    /// Returns the trial at an index.
    pub fn trial(&self, at: usize) -> Trial {
        let columns = self.metrics.iter().zip(&self.values);
        let metrics: BTreeMap<String, f64> = columns
            .filter(|(_, values)| !values[at].is_nan())
            .map(|(name, values)| (name.clone(), values[at]))
            .collect();
        let outcome = match self.reason(at) {
            Some(reason) => Outcome::Failed { metrics, reason: reason.to_owned() },
            None => Outcome::Done { metrics, reward: self.rewards[at], valid: self.is_valid(at) },
        };
        let texts = self.parts.iter().enumerate();
        Trial {
            step: self.step(at),
            phase: self.phases[at],
            point: self.point(at).to_vec(),
            text: texts
                .filter_map(|(part, name)| Some((name.clone(), self.text(at, part)?.to_owned())))
                .collect(),
            outcome,
        }
    }

    /// Returns the trial at an index with its cost.
    pub fn entry(&self, at: usize) -> Entry {
        Entry { trial: self.trial(at), effort: self.effort(at) }
    }

    /// Returns true if the columns are consistent, so that no access at an index below [`Self::len`] can
    /// panic.
    pub fn is_sound(&self) -> bool {
        let trials = self.states.len();
        let texts = self.pool.ends.len();
        let is_index = |column: &Vec<u32>| {
            column.len() == trials && column.iter().all(|&number| number as usize <= texts)
        };
        let ends_at =
            |ends: &[u32], whole: usize| ends.last().map_or(0, |&end| end as usize) == whole;
        let pool = &self.pool;
        trials as u64 <= Self::LEN
            && self.phases.len() == trials
            && self.point_ends.len() == trials
            && self.point_ends.is_sorted()
            && ends_at(&self.point_ends, self.options.len())
            && self.texts.len() == self.parts.len()
            && self.texts.iter().all(is_index)
            && self.values.len() == self.metrics.len()
            && self.values.iter().all(|values| values.len() == trials)
            && self.rewards.len() == trials
            && is_index(&self.reasons)
            && self
                .states
                .iter()
                .zip(&self.reasons)
                .all(|(&state, &reason)| state <= VALID && (state == FAILED) == (reason != 0))
            && self.micros.len() == trials
            && self.reused.len() == trials
            && pool.ends.is_sorted()
            && ends_at(&pool.ends, pool.text.len())
            && pool.ends.iter().all(|&end| pool.text.is_char_boundary(end as usize))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let metrics = || prop::collection::btree_map("[a-c]", -1e300..1e300f64, 0..4);
        prop_oneof![
            (metrics(), -1.0..1.0f64, any::<bool>())
                .prop_map(|(metrics, reward, valid)| Outcome::Done { metrics, reward, valid }),
            (metrics(), ".{0,5}").prop_map(|(metrics, reason)| Outcome::Failed { metrics, reason }),
        ]
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let text = prop::collection::btree_map("[p-r]", "[xyé]{0,2}", 0..3);
        let point = prop::collection::vec(any::<u16>(), 0..4);
        let effort = (any::<u64>(), 0..8u8);
        (0..3u32, point, text, outcome(), effort).prop_map(
            |(phase, point, text, outcome, effort)| {
                let effort = TrialCost { micros: effort.0, reused: Reused::of_bits(effort.1) };
                Entry { trial: Trial { step: 0, phase, point, text, outcome }, effort }
            },
        )
    }

    proptest! {
        #[test]
        fn a_block_has_what_its_entries_have(
            mut entries in prop::collection::vec(entry(), 0..20),
            number in 0..1000u64,
        ) {
            for (entry, step) in entries.iter_mut().zip(number * TrialBlock::LEN..) {
                entry.trial.step = step;
            }
            let block = TrialBlock::of(entries.iter());
            prop_assert!(block.is_sound());
            let bytes = postcard::to_stdvec(&block).unwrap();
            let block: TrialBlock = postcard::from_bytes(&bytes).unwrap();
            let back: Vec<Entry> = (0..block.len()).map(|at| block.entry(at)).collect();
            prop_assert_eq!(back, entries);
        }
    }
}
