//! The sweep of pairs that are known only by evaluating each of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::SweepError;
use super::results::{Best, Done, Kept, Results, Sweeping};
use crate::accel::Metrics;
use crate::pareto::{Objective, Weighted, costs, dominance};

/// The most pairs that are evaluated one by one; at 50 us each, they take more than an hour.
pub const MOST_PAIRS: u64 = 100_000_000;

/// Pairs between two looks at what was found.
const ROUND: u64 = 4_096;

/// The fewest networks of a round, which threads share.
const LEAST_NETWORKS: u64 = 16;

/// Pairs that fail before it is supposed that all do.
const HOPELESS: u64 = 1_000;

/// Pairs that can be evaluated, whichever accelerator they are of.
pub trait EachPair: Sync {
    /// How many networks there are.
    fn networks(&self) -> u64;

    /// How many configurations each of them has.
    fn configurations(&self) -> u64;

    /// Evaluates the pairs of a network: for each configuration in order its number with the metrics, or
    /// why it has none. A configuration that is not told of is no pair.
    fn evaluate(&self, network: u32, tell: &mut dyn FnMut(u32, Result<Metrics, String>));

    /// A pair in words.
    fn describe(&self, network: u32, configuration: u32) -> String;
}

/// An objective of which the best pairs are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// What it is.
    pub objective: Weighted,
}

/// A sweep that evaluates every pair.
pub struct EverySweep<'a, P> {
    pairs: &'a P,
    objectives: Vec<Objective>,
    wanted: Vec<Wanted>,
    top: usize,
}

/// How far a sweep of every pair has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EveryState {
    /// Networks done, in the order of their numbers.
    networks: u64,
    found: Found,
}

/// What was found among some pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Found {
    /// The points that no other dominates, in the order in which they were met.
    frontier: Vec<Kept>,
    /// For each objective, the best pairs that keep its limits, in order of merit.
    best: Vec<Vec<(f64, Kept)>>,
    valid: Vec<u64>,
    running: u64,
    failed: u64,
    /// The first pair that failed, and why.
    failure: Option<(u32, u32, String)>,
    /// How many pairs lack which metric of the objectives.
    lacking: BTreeMap<String, u64>,
    ranges: BTreeMap<String, (f64, f64)>,
}

impl<'a, P: EachPair> EverySweep<'a, P> {
    /// Prepares a sweep.
    ///
    /// # Errors
    /// No networks or configurations, or more pairs than [`MOST_PAIRS`].
    pub fn new(
        pairs: &'a P,
        objectives: Vec<Objective>,
        wanted: Vec<Wanted>,
        top: usize,
    ) -> Result<Self, SweepError> {
        for (count, what) in
            [(pairs.networks(), "networks"), (pairs.configurations(), "configurations")]
        {
            if count == 0 {
                return Err(SweepError::Empty(what));
            }
        }
        let count = pairs.networks().saturating_mul(pairs.configurations());
        if count > MOST_PAIRS {
            return Err(SweepError::TooMany { pairs: count });
        }
        Ok(Self { pairs, objectives, wanted, top })
    }

    /// Evaluates the pairs of a network.
    fn of_network(&self, network: u32) -> Found {
        let mut found = Found { valid: vec![0; self.wanted.len()], ..Found::default() };
        found.best.resize(self.wanted.len(), Vec::new());
        let mut frontier: Vec<(Vec<f64>, Kept)> = Vec::new();
        self.pairs.evaluate(network, &mut |configuration, evaluated| {
            let metrics = match evaluated {
                Ok(metrics) => metrics,
                Err(reason) => {
                    found.failed += 1;
                    found.failure.get_or_insert((network, configuration, reason));
                    return;
                }
            };
            found.running += 1;
            for (name, &value) in &metrics {
                extend(&mut found.ranges, name, (value, value));
            }
            let kept = Kept { network, configuration, metrics, pairs: 1 };
            for (index, wanted) in self.wanted.iter().enumerate() {
                match wanted.objective.worth(|name| kept.metrics.get(name).copied()) {
                    Ok(worth) if worth.valid => {
                        found.valid[index] += 1;
                        offer_best(&mut found.best[index], (worth.reward, kept.clone()), self.top);
                    }
                    _ => {}
                }
            }
            match costs(&self.objectives, &kept.metrics) {
                Ok(costs) => offer(&mut frontier, costs, kept),
                Err(lacking) => *found.lacking.entry(lacking).or_default() += 1,
            }
        });
        found.frontier = frontier.into_iter().map(|(_, kept)| kept).collect();
        found
    }

    /// Adds what was found of a later network.
    fn merge(&self, found: &mut Found, frontier: &mut Vec<(Vec<f64>, Kept)>, later: Found) {
        for kept in later.frontier {
            if let Ok(costs) = costs(&self.objectives, &kept.metrics) {
                offer(frontier, costs, kept);
            }
        }
        for (best, later) in found.best.iter_mut().zip(later.best) {
            later.into_iter().for_each(|pair| offer_best(best, pair, self.top));
        }
        found.valid.iter_mut().zip(later.valid).for_each(|(valid, later)| *valid += later);
        found.running += later.running;
        found.failed += later.failed;
        if found.failure.is_none() {
            found.failure = later.failure;
        }
        for (name, count) in later.lacking {
            *found.lacking.entry(name).or_default() += count;
        }
        for (name, range) in later.ranges {
            extend(&mut found.ranges, &name, range);
        }
    }

    /// Refuses to go on if nothing runs.
    fn check(&self, state: &EveryState) -> Result<(), SweepError> {
        let (ended, found) = (state.networks == self.pairs.networks(), &state.found);
        let Some((network, configuration, reason)) = &found.failure else { return Ok(()) };
        if found.running > 0 || (found.failed < HOPELESS && !ended) {
            return Ok(());
        }
        let pair = self.pairs.describe(*network, *configuration);
        let failed = found.failed;
        Err(SweepError::Scan(format!(
            "each of the first {failed} pairs fails, {pair} with: {reason}"
        )))
    }

    fn notes(&self, found: &Found) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((network, configuration, reason)) = &found.failure {
            let pair = self.pairs.describe(*network, *configuration);
            notes.push(format!("{} pairs cannot run, the first {pair}: {reason}", found.failed));
        }
        for (name, count) in &found.lacking {
            notes.push(format!("{count} pairs have no {name} and are not compared"));
        }
        notes
    }
}

impl<P: EachPair> Sweeping for EverySweep<'_, P> {
    type State = EveryState;

    fn start(&self) -> EveryState {
        let wanted = self.wanted.len();
        let found =
            Found { valid: vec![0; wanted], best: vec![Vec::new(); wanted], ..Found::default() };
        EveryState { networks: 0, found }
    }

    fn networks(&self) -> u64 {
        self.pairs.networks()
    }

    fn configurations(&self) -> u64 {
        self.pairs.configurations()
    }

    fn advance(
        &self,
        state: &mut EveryState,
        after_round: &mut dyn FnMut(&EveryState) -> ControlFlow<()>,
    ) -> Result<bool, SweepError> {
        let with_costs = |kept: Kept| Some((costs(&self.objectives, &kept.metrics).ok()?, kept));
        let stored = std::mem::take(&mut state.found.frontier);
        let mut frontier: Vec<_> = stored.into_iter().filter_map(with_costs).collect();
        let round = (ROUND / self.configurations()).max(LEAST_NETWORKS);
        let mut broken_off = false;
        while state.networks < self.networks() && !broken_off {
            let end = (state.networks + round).min(self.networks());
            // More networks than a number of 32 bits counts are refused with the pairs.
            let networks = state.networks as u32..end as u32;
            let found: Vec<Found> =
                networks.into_par_iter().map(|network| self.of_network(network)).collect();
            for later in found {
                self.merge(&mut state.found, &mut frontier, later);
            }
            state.networks = end;
            self.check(state)?;
            state.found.frontier = frontier.iter().map(|(_, kept)| kept.clone()).collect();
            broken_off = after_round(state).is_break();
        }
        Ok(state.networks == self.networks())
    }

    fn done(&self, state: &EveryState) -> Done {
        let (networks, running) = (state.networks, state.found.running);
        Done { networks, running, frontier: state.found.frontier.len() }
    }

    fn results(&self, state: &EveryState) -> Results {
        let found = &state.found;
        let cost = |kept: &Kept| costs(&self.objectives, &kept.metrics).unwrap_or_default();
        let mut frontier = found.frontier.clone();
        frontier.sort_by(|a, b| {
            let by_cost = cost(a)
                .iter()
                .zip(&cost(b))
                .map(|(a, b)| a.total_cmp(b))
                .find(|order| order.is_ne());
            let number = |kept: &Kept| (kept.network, kept.configuration);
            by_cost.unwrap_or_else(|| number(a).cmp(&number(b)))
        });
        let goals = self.wanted.iter().zip(&found.best).zip(&found.valid);
        let best = goals.map(|((wanted, best), &valid)| {
            let excess = |(kept, place): (&Kept, u64)| {
                let excess = wanted.objective.excess(|name| kept.metrics.get(name).copied());
                Some((excess.ok()?, place))
            };
            let nearest = frontier.iter().zip(0..).filter_map(excess);
            let is_limited = !wanted.objective.limits.is_empty();
            Best {
                name: wanted.name.clone(),
                objective: wanted.objective.clone(),
                valid,
                nearest: nearest
                    .min_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|_| valid == 0 && is_limited),
                pairs: best.clone(),
            }
        });
        let best = best.collect();
        Results { best, ranges: found.ranges.clone(), notes: self.notes(found), frontier }
    }
}

/// Offers a point to a frontier, on which of equal points the first stays and counts the others.
fn offer(frontier: &mut Vec<(Vec<f64>, Kept)>, costs: Vec<f64>, kept: Kept) {
    for (known, member) in frontier.iter_mut() {
        match dominance(known, &costs) {
            Some(Ordering::Less) => return,
            Some(Ordering::Equal) => {
                member.pairs += kept.pairs;
                return;
            }
            _ => {}
        }
    }
    frontier.retain(|(known, _)| dominance(&costs, known) != Some(Ordering::Less));
    frontier.push((costs, kept));
}

/// Puts a pair among the best so far, of which at most `most` are kept. Of equal rewards the earlier pair
/// is the better; pairs come in their order.
fn offer_best(best: &mut Vec<(f64, Kept)>, pair: (f64, Kept), most: usize) {
    let place = best.partition_point(|(reward, _)| reward.total_cmp(&pair.0).is_ge());
    if place < most {
        best.insert(place, pair);
        best.truncate(most);
    }
}

fn extend(ranges: &mut BTreeMap<String, (f64, f64)>, name: &str, (low, high): (f64, f64)) {
    match ranges.get_mut(name) {
        Some(range) => *range = (range.0.min(low), range.1.max(high)),
        None => drop(ranges.insert(name.to_owned(), (low, high))),
    }
}
