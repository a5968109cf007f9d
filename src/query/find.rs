//! A search for trials by a condition, in an order, up to a limit.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::scan::{QuestionError, scan};
use super::selection::Subject;
use super::value::Value;
use crate::query::Bound;
use crate::store::{Reader, Stretch};

/// Hits beyond the limit that are collected, at least, before they are sorted and cut to it.
const SLACK: usize = 4_096;

/// A sort key with its direction.
pub struct Order {
    /// The expression whose value is the key.
    pub key: Bound,
    /// True if the highest values come first.
    pub descending: bool,
}

/// A trial that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The index of its run among the subjects.
    pub run: usize,
    /// Its step.
    pub step: u64,
    /// The values of its sort keys.
    keys: Vec<Value>,
}

/// The trials that were found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The sorted hits; `None` without sort keys.
    pub sorted: Option<Vec<Hit>>,
    /// Without sort keys, the hits by stretch: the index of the run, the number of the stretch, and the
    /// indices of its hits.
    pub stretches: Vec<(usize, u64, Vec<u16>)>,
    /// The metrics that any of them has.
    pub metrics: BTreeSet<String>,
    /// The parts for which any of them has a text.
    pub parts: BTreeSet<String>,
    /// True if any of them has failed.
    pub failed: bool,
}

impl Found {
    /// The number of trials.
    pub fn count(&self) -> usize {
        self.sorted.as_ref().map_or_else(
            || self.stretches.iter().map(|(_, _, places)| places.len()).sum(),
            Vec::len,
        )
    }

    /// Records the metrics, parts and failures of some trials of a stretch.
    fn note(&mut self, stretch: &Stretch, places: &[usize]) {
        for name in stretch.metrics() {
            let values = stretch.values(name).unwrap_or_default();
            if !self.metrics.contains(name) && places.iter().any(|&at| !values[at].is_nan()) {
                self.metrics.insert(name.clone());
            }
        }
        for (part, name) in stretch.parts().iter().enumerate() {
            let has = |&at: &usize| stretch.text(at, part).is_some();
            if !self.parts.contains(name) && places.iter().any(has) {
                self.parts.insert(name.clone());
            }
        }
        self.failed |= places.iter().any(|&at| stretch.reward(at).is_none());
    }

    fn merge(&mut self, other: Self) {
        self.metrics.extend(other.metrics);
        self.parts.extend(other.parts);
        self.failed |= other.failed;
    }
}

/// Finds the trials that satisfy a condition, sorted by keys, up to a limit. Trials with equal keys, and all
/// trials without keys, are in the order of runs and steps.
///
/// # Errors
/// The store fails, or an expression fails for a trial.
pub fn find(
    reader: &dyn Reader,
    subjects: &[Subject],
    condition: &Bound,
    order: &[Order],
    limit: Option<usize>,
) -> Result<Found, QuestionError> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(Found::default());
    }
    if order.is_empty() {
        return unsorted(reader, subjects, condition, limit);
    }
    let compare = |a: &Hit, b: &Hit| {
        let keys = a.keys.iter().zip(&b.keys).zip(order);
        let by_key = keys
            .map(|((a, b), order)| a.compare(b, order.descending))
            .find(|ordering| *ordering != Ordering::Equal);
        by_key.unwrap_or_else(|| (a.run, a.step).cmp(&(b.run, b.step)))
    };
    let look = |run: usize, stretch: &Stretch| {
        let facts = &subjects[run].facts;
        let places = places(&condition.holds(facts, stretch)?);
        let mut columns = Vec::with_capacity(order.len());
        for key in order {
            columns.push(key.key.values(facts, stretch, &places)?.into_iter());
        }
        let mut hits: Vec<Hit> = places
            .iter()
            .map(|&at| Hit {
                run,
                step: stretch.step(at),
                keys: columns.iter_mut().filter_map(Iterator::next).map(Value::from).collect(),
            })
            .collect();
        cut(&mut hits, limit, compare);
        Ok::<_, QuestionError>(hits)
    };
    let mut best: Vec<Hit> = Vec::new();
    let most = limit.saturating_mul(2).max(limit.saturating_add(SLACK));
    scan(reader, subjects, look, |hits| {
        best.extend(hits);
        if best.len() >= most {
            cut(&mut best, limit, compare);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    cut(&mut best, limit, compare);
    let mut found = Found::default();
    let mut steps: Vec<(usize, u64)> = best.iter().map(|hit| (hit.run, hit.step)).collect();
    steps.sort_unstable();
    for group in steps.chunk_by(|a, b| stretch_of(*a) == stretch_of(*b)) {
        let (run, number) = stretch_of(group[0]);
        if let Some(stretch) = reader.stretch(&subjects[run].facts.record.name, number)? {
            let places: Vec<usize> =
                group.iter().map(|(_, step)| (step - stretch.first()) as usize).collect();
            found.note(&stretch, &places);
        }
    }
    found.sorted = Some(best);
    Ok(found)
}

const fn stretch_of((run, step): (usize, u64)) -> (usize, u64) {
    (run, step / Stretch::LEN)
}

fn unsorted(
    reader: &dyn Reader,
    subjects: &[Subject],
    condition: &Bound,
    limit: usize,
) -> Result<Found, QuestionError> {
    let look = |run: usize, stretch: &Stretch| {
        let mut places = places(&condition.holds(&subjects[run].facts, stretch)?);
        places.truncate(limit);
        let mut found = Found::default();
        found.note(stretch, &places);
        found.stretches =
            vec![(run, stretch.number(), places.iter().map(|&at| at as u16).collect())];
        Ok::<_, QuestionError>(found)
    };
    let (mut found, mut left) = (Found::default(), limit);
    scan(reader, subjects, look, |mut more| {
        let stretches = std::mem::take(&mut more.stretches);
        for (run, number, mut places) in stretches.into_iter().filter(|s| !s.2.is_empty()) {
            // What the trials beyond the limit have is not asked for.
            if places.len() > left {
                places.truncate(left);
                more = Found::default();
                if let Some(stretch) = reader.stretch(&subjects[run].facts.record.name, number)? {
                    more.note(&stretch, &places.iter().map(|&at| at.into()).collect::<Vec<_>>());
                }
            }
            left -= places.len();
            found.stretches.push((run, number, places));
        }
        found.merge(more);
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

/// The indices of the trials for which a condition holds.
pub(super) fn places(holds: &[bool]) -> Vec<usize> {
    (0..holds.len()).filter(|&at| holds[at]).collect()
}

/// Sorts hits and keeps the first `limit`.
fn cut(hits: &mut Vec<Hit>, limit: usize, compare: impl Fn(&Hit, &Hit) -> Ordering) {
    if hits.len() > limit {
        hits.select_nth_unstable_by(limit, &compare);
        hits.truncate(limit);
    }
    hits.sort_unstable_by(compare);
}
