//! The sweep that evaluates every pair.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{MAX_PAIRS, SweepError};
use super::results::{BestPairs, Results, SweepCounts, Sweeping, SweptPair};
use crate::metrics::Metrics;
use crate::pareto::{Frontier, MissingMetric, Objective, Weighted, costs};
use crate::run::Failure;

/// The number of pairs between two merges of results.
const ROUND: u64 = 4_096;

/// The minimum number of networks in a round, which threads share.
const MIN_NETWORKS: u64 = 16;

/// The number of failed pairs after which [`Sweeping::all_failed`] reports that none has run.
const HOPELESS: u64 = 1_000;

/// Pairs of any accelerator that can be evaluated.
pub trait EachPair: Sync {
    /// The number of networks.
    fn networks(&self) -> u64;

    /// The number of configurations, the same for each network.
    fn configurations(&self) -> u64;

    /// Evaluates the pairs of a network. Calls `tell` for each configuration in order, with its number and
    /// the metrics or the failure.
    fn evaluate(&self, network: u32, tell: &mut dyn FnMut(u32, Result<Metrics, Failure>));

    /// Describes a pair for messages.
    fn describe(&self, network: u32, configuration: u32) -> String;
}

/// Checks that the number of pairs allows evaluating each of them.
///
/// # Errors
/// Returns an error without networks or configurations, and for more than [`MAX_PAIRS`] pairs.
pub const fn check_size(networks: u128, configurations: u128) -> Result<(), SweepError> {
    if networks == 0 {
        return Err(SweepError::Empty("networks"));
    }
    if configurations == 0 {
        return Err(SweepError::Empty("configurations"));
    }
    let pairs = networks.saturating_mul(configurations);
    if pairs > MAX_PAIRS as u128 { Err(SweepError::TooMany { pairs }) } else { Ok(()) }
}

/// An objective for which the best pairs are collected.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedObjective {
    /// Its name.
    pub name: String,
    /// The objective.
    pub objective: Weighted,
}

/// A sweep that evaluates every pair.
pub struct EverySweep<'a, P> {
    pairs: &'a P,
    objectives: Vec<Objective>,
    wanted: Vec<NamedObjective>,
    top: usize,
}

/// Progress and results of a sweep of every pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EveryState {
    /// The number of networks done, in the order of their numbers.
    networks: u64,
    found: Found,
}

/// Results of some pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Found {
    /// The non-dominated pairs, in the order of their costs.
    frontier: Vec<SweptPair>,
    /// For each objective, the best feasible pairs, in order of merit.
    best: Vec<Vec<(f64, SweptPair)>>,
    valid: Vec<u64>,
    running: u64,
    failed: u64,
    /// The first pair that failed, and the reason.
    failure: Option<(u32, u32, String)>,
    /// The number of pairs that lack a metric of the objectives, by metric.
    lacking: BTreeMap<String, u64>,
    ranges: BTreeMap<String, (f64, f64)>,
}

impl<'a, P: EachPair> EverySweep<'a, P> {
    /// Prepares a sweep.
    ///
    /// # Errors
    /// Returns an error without networks or configurations, and for more than [`MAX_PAIRS`] pairs.
    pub fn new(
        pairs: &'a P,
        objectives: Vec<Objective>,
        wanted: Vec<NamedObjective>,
        top: usize,
    ) -> Result<Self, SweepError> {
        check_size(pairs.networks().into(), pairs.configurations().into())?;
        Ok(Self { pairs, objectives, wanted, top })
    }

    /// Evaluates the pairs of a network.
    fn of_network(&self, network: u32) -> Found {
        let mut found = Found { valid: vec![0; self.wanted.len()], ..Found::default() };
        found.best.resize(self.wanted.len(), Vec::new());
        let mut frontier = Frontier::new();
        self.pairs.evaluate(network, &mut |configuration, evaluated| {
            let metrics = match evaluated {
                Ok(metrics) => metrics,
                Err(failure) => {
                    found.failed += 1;
                    let reason = failure.message().to_owned();
                    found.failure.get_or_insert((network, configuration, reason));
                    return;
                }
            };
            found.running += 1;
            for (name, &value) in &metrics {
                extend(&mut found.ranges, name, (value, value));
            }
            let kept = SweptPair { network, configuration, metrics, pairs: 1 };
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
                Err(MissingMetric(name)) => *found.lacking.entry(name).or_default() += 1,
            }
        });
        found.frontier = frontier.into_sorted().into_iter().map(|(_, kept)| kept).collect();
        found
    }

    /// Offers the points of a frontier to another one.
    fn offer_all(&self, frontier: &mut Frontier<SweptPair>, points: Vec<SweptPair>) {
        for kept in points {
            if let Ok(costs) = costs(&self.objectives, &kept.metrics) {
                offer(frontier, costs, kept);
            }
        }
    }

    /// Merges the results of a later network.
    fn merge(&self, found: &mut Found, frontier: &mut Frontier<SweptPair>, later: Found) {
        self.offer_all(frontier, later.frontier);
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

    /// The message if some pairs failed and none ran so far.
    fn failing(&self, state: &EveryState) -> Option<String> {
        let found = &state.found;
        let (network, configuration, reason) =
            found.failure.as_ref().filter(|_| found.running == 0)?;
        let pair = self.pairs.describe(*network, *configuration);
        let failed = found.failed;
        Some(format!("each of the first {failed} pairs fails, {pair} with: {reason}"))
    }

    fn notes(&self, found: &Found) -> Vec<String> {
        let mut notes = Vec::new();
        for NamedObjective { name, objective } in &self.wanted {
            let limits = objective.limits.iter().map(|limit| &limit.metric);
            for metric in objective.terms.keys().chain(limits) {
                if found.running > 0 && !found.ranges.contains_key(metric) {
                    notes.push(format!("no pair has {metric}, which `{name}` of sweep() is about"));
                }
            }
        }
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
        let mut frontier = Frontier::new();
        // A state with nothing left to do keeps it.
        self.offer_all(&mut frontier, state.found.frontier.clone());
        let round = (ROUND / self.configurations()).max(MIN_NETWORKS);
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
            let members = frontier.sorted();
            state.found.frontier = members.into_iter().map(|(_, kept)| kept.clone()).collect();
            broken_off = after_round(state).is_break();
        }
        let ended = state.networks == self.networks();
        match self.failing(state).filter(|_| ended) {
            Some(failing) => Err(SweepError::Scan(failing)),
            None => Ok(ended),
        }
    }

    fn all_failed(&self, state: &EveryState) -> Option<String> {
        self.failing(state).filter(|_| state.found.failed >= HOPELESS)
    }

    fn done(&self, state: &EveryState) -> SweepCounts {
        let (networks, running) = (state.networks, state.found.running);
        SweepCounts { networks, running, frontier: state.found.frontier.len() }
    }

    fn results(&self, state: &EveryState) -> Results {
        let found = &state.found;
        let frontier = found.frontier.clone();
        let goals = self.wanted.iter().zip(&found.best).zip(&found.valid);
        let best = goals.map(|((wanted, best), &valid)| {
            let excess = |(kept, place): (&SweptPair, u64)| {
                let excess = wanted.objective.excess(|name| kept.metrics.get(name).copied());
                Some((excess.ok()?, place))
            };
            let nearest = frontier.iter().zip(0..).filter_map(excess);
            let is_limited = !wanted.objective.limits.is_empty();
            BestPairs {
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

/// Offers a point to a frontier; of equal points the first remains and counts the others.
fn offer(frontier: &mut Frontier<SweptPair>, costs: Vec<f64>, kept: SweptPair) {
    frontier.offer_or_merge(costs, kept, |first, later| first.pairs += later.pairs);
}

/// Inserts a pair into a list by descending reward, which keeps at most `most` pairs; ties keep the order of
/// insertion.
fn offer_best(best: &mut Vec<(f64, SweptPair)>, pair: (f64, SweptPair), most: usize) {
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

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use crate::pareto::dominance;
    use crate::sweep::SweepCounts;

    /// Pairs with small integer metrics, some of which fail or lack the energy.
    struct Small;

    fn metrics(network: u32, configuration: u32) -> Result<Metrics, Failure> {
        let mix = |factor: u32, most: u32| f64::from((network * factor + configuration * 7) % most);
        if (network + configuration).is_multiple_of(11) {
            return Err(Failure::new("no"));
        }
        let mut metrics = Metrics::from([
            ("accuracy".to_owned(), mix(5, 13)),
            ("latency_ms".to_owned(), mix(3, 17)),
        ]);
        if !configuration.is_multiple_of(4) {
            metrics.insert("energy_mj".to_owned(), mix(11, 19));
        }
        Ok(metrics)
    }

    impl EachPair for Small {
        fn networks(&self) -> u64 {
            300
        }

        fn configurations(&self) -> u64 {
            23
        }

        fn evaluate(&self, network: u32, tell: &mut dyn FnMut(u32, Result<Metrics, Failure>)) {
            (0..23).for_each(|configuration| tell(configuration, metrics(network, configuration)));
        }

        fn describe(&self, network: u32, configuration: u32) -> String {
            format!("{network} on {configuration}")
        }
    }

    fn sweep(threads: usize, rounds: usize) -> (Results, SweepCounts) {
        let objectives = ["accuracy:max", "latency_ms:min", "energy_mj:min"];
        let objectives = objectives.map(|text| text.parse().unwrap()).to_vec();
        let mut objective = Weighted::default();
        let term = crate::pareto::Term { weight: 1.0, worst: 0.0, best: 12.0 };
        objective.terms.insert("accuracy".to_owned(), term);
        objective.limits.push("latency_ms <= 3".parse().unwrap());
        let mut never = objective.clone();
        never.limits[0] = "latency_ms < -1".parse().unwrap();
        let wanted = vec![
            NamedObjective { name: "fast".to_owned(), objective },
            NamedObjective { name: "never".to_owned(), objective: never },
        ];
        let sweep = EverySweep::new(&Small, objectives, wanted, 5).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut state = sweep.start();
            let mut left = rounds;
            // Broken off and stored after some rounds, again and again.
            while !sweep
                .advance(&mut state, &mut |_| {
                    left = left.saturating_sub(1);
                    if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .unwrap()
            {
                left = rounds;
                let stored = postcard::to_stdvec(&state).unwrap();
                state = postcard::from_bytes(&stored).unwrap();
            }
            let ended = state.clone();
            assert!(sweep.advance(&mut state, &mut |_| ControlFlow::Continue(())).unwrap());
            assert_eq!(state, ended, "what has ended stays as it is");
            (sweep.results(&state), sweep.done(&state))
        })
    }

    #[test]
    fn it_finds_what_brute_force_finds_however_it_is_run() {
        let (results, done) = sweep(1, usize::MAX);
        for (threads, rounds) in [(3, usize::MAX), (2, 1)] {
            assert_eq!(sweep(threads, rounds), (results.clone(), done));
        }
        let all: Vec<(u32, u32, Metrics)> = (0..300)
            .flat_map(|n| (0..23).map(move |c| (n, c)))
            .filter_map(|(n, c)| Some((n, c, metrics(n, c).ok()?)))
            .collect();
        assert_eq!(done.running, all.len() as u64);
        let costs = |m: &Metrics| Some([-m["accuracy"], m["latency_ms"], *m.get("energy_mj")?]);
        let vectors: Vec<[f64; 3]> = all.iter().filter_map(|(_, _, m)| costs(m)).collect();
        let mut expected: Vec<([f64; 3], u64)> = Vec::new();
        for vector in &vectors {
            let beaten = |other: &[f64; 3]| dominance(other, vector) == Some(Ordering::Less);
            if !vectors.iter().any(beaten) && !expected.iter().any(|(known, _)| known == vector) {
                expected.push((*vector, vectors.iter().filter(|v| *v == vector).count() as u64));
            }
        }
        expected.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
        let found: Vec<([f64; 3], u64)> = results
            .frontier
            .iter()
            .map(|kept| (costs(&kept.metrics).unwrap(), kept.pairs))
            .collect();
        assert_eq!(found, expected);
        for kept in &results.frontier {
            let first = all.iter().find(|(_, _, m)| costs(m) == costs(&kept.metrics)).unwrap();
            assert_eq!((kept.network, kept.configuration), (first.0, first.1));
        }

        let mut fast: Vec<&(u32, u32, Metrics)> =
            all.iter().filter(|(_, _, m)| m["latency_ms"] <= 3.0).collect();
        let valid = fast.len() as u64;
        fast.sort_by(|a, b| b.2["accuracy"].total_cmp(&a.2["accuracy"]));
        let best = &results.best[0];
        assert_eq!((best.valid, best.nearest), (valid, None));
        let numbers: Vec<(u32, u32)> =
            best.pairs.iter().map(|(_, kept)| (kept.network, kept.configuration)).collect();
        assert_eq!(numbers, fast[..5].iter().map(|p| (p.0, p.1)).collect::<Vec<_>>());
        let never = &results.best[1];
        assert_eq!((never.valid, never.pairs.len()), (0, 0));
        assert_eq!(never.nearest.map(|(excess, _)| excess), Some(1.0));
        assert_eq!(results.ranges["energy_mj"], (0.0, 18.0));
        let failed = 300 * 23 - all.len();
        let lacking = all.len() - vectors.len();
        assert_eq!(
            results.notes,
            [
                format!("{failed} pairs cannot run, the first 0 on 0: no"),
                format!("{lacking} pairs have no energy_mj and are not compared"),
            ]
        );
    }

    /// A space of pairs that all fail.
    struct Failing(u64);

    impl EachPair for Failing {
        fn networks(&self) -> u64 {
            self.0
        }

        fn configurations(&self) -> u64 {
            1
        }

        fn evaluate(&self, _: u32, tell: &mut dyn FnMut(u32, Result<Metrics, Failure>)) {
            tell(0, Err(Failure::new("broken")));
        }

        fn describe(&self, network: u32, _: u32) -> String {
            format!("network {network}")
        }
    }

    #[test]
    fn what_cannot_be_swept_is_refused() {
        let message = |count: u64| {
            let pairs = Failing(count);
            let sweep = EverySweep::new(&pairs, Vec::new(), Vec::new(), 0);
            let ended = sweep.and_then(|sweep| {
                sweep.advance(&mut sweep.start(), &mut |_| ControlFlow::Continue(()))
            });
            ended.unwrap_err().to_string()
        };
        assert_eq!(message(0), "the space has no networks");
        assert_eq!(message(3), "each of the first 3 pairs fails, network 0 with: broken");
        let mut said = Vec::new();
        let pairs = Failing(9_000);
        let sweep = EverySweep::new(&pairs, Vec::new(), Vec::new(), 0).unwrap();
        let ended = sweep.advance(&mut sweep.start(), &mut |state| {
            said.push(sweep.all_failed(state).unwrap());
            ControlFlow::Continue(())
        });
        // Those that run may be the last.
        assert!(ended.unwrap_err().to_string().starts_with("each of the first 9000 pairs fails"));
        assert_eq!(said[0], "each of the first 4096 pairs fails, network 0 with: broken");
        assert!(message(MAX_PAIRS + 1).starts_with("the space has 100000001 pairs, and at most "));
    }
}
