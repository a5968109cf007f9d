//! A search for trials by a condition, in an order, up to a limit.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::scan::{QuestionError, scan};
use super::selection::SelectedRun;
use super::value::QueryValue;
use crate::query::BoundExpression;
use crate::store::{Reader, TrialBlock};

/// Hits beyond the limit that are collected, at least, before they are sorted and cut to it.
const SLACK: usize = 4_096;

/// A sort key with its direction.
pub struct SortKey {
    /// The expression whose value is the key.
    pub key: BoundExpression,
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
    keys: Vec<QueryValue>,
}

/// The trials that were found.
#[derive(Clone, Debug, Default)]
pub struct FoundTrials {
    /// The sorted hits; `None` without sort keys.
    pub sorted: Option<Vec<Hit>>,
    /// Without sort keys, the hits by block: the index of the run, the number of the block, and the
    /// indices of its hits.
    pub blocks: Vec<(usize, u64, Vec<u16>)>,
    /// The metrics that any of them has.
    pub metrics: BTreeSet<String>,
    /// The parts for which any of them has a text.
    pub parts: BTreeSet<String>,
    /// True if any of them has failed.
    pub failed: bool,
}

impl FoundTrials {
    /// The number of trials.
    pub fn count(&self) -> usize {
        self.sorted
            .as_ref()
            .map_or_else(|| self.blocks.iter().map(|(_, _, places)| places.len()).sum(), Vec::len)
    }

    /// Records the metrics, parts and failures of some trials of a block.
    fn note(&mut self, block: &TrialBlock, places: &[usize]) {
        for name in block.metrics() {
            let values = block.values(name).unwrap_or_default();
            if !self.metrics.contains(name) && places.iter().any(|&at| !values[at].is_nan()) {
                self.metrics.insert(name.clone());
            }
        }
        for (part, name) in block.parts().iter().enumerate() {
            let has = |&at: &usize| block.text(at, part).is_some();
            if !self.parts.contains(name) && places.iter().any(has) {
                self.parts.insert(name.clone());
            }
        }
        self.failed |= places.iter().any(|&at| block.reward(at).is_none());
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
    subjects: &[SelectedRun],
    condition: &BoundExpression,
    order: &[SortKey],
    limit: Option<usize>,
) -> Result<FoundTrials, QuestionError> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(FoundTrials::default());
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
    let look = |run: usize, block: &TrialBlock| {
        let context = &subjects[run].context;
        let places = places(&condition.holds(context, block)?);
        let mut columns = Vec::with_capacity(order.len());
        for key in order {
            columns.push(key.key.values(context, block, &places)?.into_iter());
        }
        let mut hits: Vec<Hit> = places
            .iter()
            .map(|&at| Hit {
                run,
                step: block.step(at),
                keys: columns.iter_mut().filter_map(Iterator::next).map(QueryValue::from).collect(),
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
    let mut found = FoundTrials::default();
    let mut steps: Vec<(usize, u64)> = best.iter().map(|hit| (hit.run, hit.step)).collect();
    steps.sort_unstable();
    for group in steps.chunk_by(|a, b| block_of(*a) == block_of(*b)) {
        let (run, number) = block_of(group[0]);
        if let Some(block) = reader.block(&subjects[run].context.record.name, number)? {
            let places: Vec<usize> =
                group.iter().map(|(_, step)| (step - block.first()) as usize).collect();
            found.note(&block, &places);
        }
    }
    found.sorted = Some(best);
    Ok(found)
}

const fn block_of((run, step): (usize, u64)) -> (usize, u64) {
    (run, step / TrialBlock::LEN)
}

fn unsorted(
    reader: &dyn Reader,
    subjects: &[SelectedRun],
    condition: &BoundExpression,
    limit: usize,
) -> Result<FoundTrials, QuestionError> {
    let look = |run: usize, block: &TrialBlock| {
        let mut places = places(&condition.holds(&subjects[run].context, block)?);
        places.truncate(limit);
        let mut found = FoundTrials::default();
        found.note(block, &places);
        found.blocks = vec![(run, block.number(), places.iter().map(|&at| at as u16).collect())];
        Ok::<_, QuestionError>(found)
    };
    let (mut found, mut left) = (FoundTrials::default(), limit);
    scan(reader, subjects, look, |mut more| {
        let blocks = std::mem::take(&mut more.blocks);
        for (run, number, mut places) in blocks.into_iter().filter(|s| !s.2.is_empty()) {
            // What the trials beyond the limit have is not asked for.
            if places.len() > left {
                places.truncate(left);
                more = FoundTrials::default();
                if let Some(block) = reader.block(&subjects[run].context.record.name, number)? {
                    more.note(&block, &places.iter().map(|&at| at.into()).collect::<Vec<_>>());
                }
            }
            left -= places.len();
            found.blocks.push((run, number, places));
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
