//! Stretches of a run's trials, column by column: what is packed, read and asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::trial::{Entry, Outcome, Reused, Trial, TrialCost};

const FAILED: u8 = 0;
const INVALID: u8 = 1;
const VALID: u8 = 2;

/// Up to [`Stretch::LEN`] successive trials of a run, column by column.
///
/// A metric or reward that a trial lacks is not a number in its column; no stored number is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    first: u64,
    phases: Vec<u32>,
    /// The options of all points one after another, and where each point ends.
    options: Vec<u16>,
    point_ends: Vec<u32>,
    parts: Vec<String>,
    /// For each part, one more than the text's number, or 0, by trial.
    texts: Vec<Vec<u32>>,
    metrics: Vec<String>,
    /// For each metric, its values by trial.
    values: Vec<Vec<f64>>,
    states: Vec<u8>,
    rewards: Vec<f64>,
    /// One more than the number of the text with the reason of a failure, or 0, by trial.
    reasons: Vec<u32>,
    micros: Vec<u64>,
    reused: Vec<u8>,
    pool: Pool,
}

/// Texts, each once.
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

    /// The text of a number that is one more than its place, if it is not 0.
    fn get(&self, number: u32) -> Option<&str> {
        Some(&self.text[self.range(number.checked_sub(1)?)])
    }
}

/// Fills a pool.
#[derive(Default)]
struct Pooled<'a> {
    pool: Pool,
    known: FxHashMap<&'a str, u32>,
}

impl<'a> Pooled<'a> {
    /// One more than the number of a text.
    fn put(&mut self, text: &'a str) -> u32 {
        *self.known.entry(text).or_insert_with(|| {
            self.pool.text.push_str(text);
            self.pool.ends.push(self.pool.text.len() as u32);
            self.pool.ends.len() as u32
        })
    }
}

impl Stretch {
    /// The most trials of a stretch. The stretches of a run begin at its multiples.
    ///
    /// Longer ones would be packed a little smaller, but sled keeps up to 16 entries in a page, and
    /// pages above 128 KiB in files of their own, each of them written anew at every change: with 512
    /// trials a stretch, a run took three times the space.
    pub const LEN: u64 = 128;

    /// The most bytes of a stretch as it is written, before it is compressed: four million a trial.
    pub const MAX_BYTES: usize = 512 << 20;

    /// Entries of a journal whose steps follow each other.
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

    /// Its number among the stretches of its run.
    pub const fn number(&self) -> u64 {
        self.first / Self::LEN
    }

    /// The step of its first trial.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How many trials it has.
    pub const fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether it has no trial.
    pub const fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The step of a trial by its place.
    pub const fn step(&self, at: usize) -> u64 {
        self.first + at as u64
    }

    /// The number of a trial's phase.
    pub fn phase(&self, at: usize) -> u32 {
        self.phases[at]
    }

    /// The option of each choice of a trial.
    pub fn point(&self, at: usize) -> &[u16] {
        let start = at.checked_sub(1).map_or(0, |before| self.point_ends[before] as usize);
        &self.options[start..self.point_ends[at] as usize]
    }

    /// The names of the parts that any trial has a text of.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The place of a part in [`Self::parts`], if any trial has a text of it.
    pub fn part(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| part == name)
    }

    /// The text of a part, by the part's place in [`Self::parts`].
    pub fn text(&self, at: usize, part: usize) -> Option<&str> {
        self.pool.get(self.texts[part][at])
    }

    /// The names of the metrics that any trial has.
    pub fn metrics(&self) -> &[String] {
        &self.metrics
    }

    /// The values of a metric by trial; not a number where a trial lacks it.
    pub fn values(&self, metric: &str) -> Option<&[f64]> {
        let at = self.metrics.iter().position(|name| name == metric)?;
        Some(&self.values[at])
    }

    /// The reward of a trial; a failed one has none.
    pub fn reward(&self, at: usize) -> Option<f64> {
        (self.states[at] != FAILED).then(|| self.rewards[at])
    }

    /// Whether a trial has a reward and met the limits of its phase.
    pub fn is_valid(&self, at: usize) -> bool {
        self.states[at] == VALID
    }

    /// Why a trial failed, if it did.
    pub fn reason(&self, at: usize) -> Option<&str> {
        self.pool.get(self.reasons[at])
    }

    /// What a trial took.
    pub fn effort(&self, at: usize) -> TrialCost {
        TrialCost { micros: self.micros[at], reused: Reused::of_bits(self.reused[at]) }
    }

    /// A trial by its place.
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

    /// A trial by its place, with what it took.
    pub fn entry(&self, at: usize) -> Entry {
        Entry { trial: self.trial(at), effort: self.effort(at) }
    }

    /// Whether columns fit each other, so that no question about a place below [`Self::len`] can
    /// fail.
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
        fn a_stretch_has_what_its_entries_have(
            mut entries in prop::collection::vec(entry(), 0..20),
            number in 0..1000u64,
        ) {
            for (entry, step) in entries.iter_mut().zip(number * Stretch::LEN..) {
                entry.trial.step = step;
            }
            let stretch = Stretch::of(entries.iter());
            prop_assert!(stretch.is_sound());
            let bytes = postcard::to_stdvec(&stretch).unwrap();
            let stretch: Stretch = postcard::from_bytes(&bytes).unwrap();
            let back: Vec<Entry> = (0..stretch.len()).map(|at| stretch.entry(at)).collect();
            prop_assert_eq!(back, entries);
        }
    }
}
