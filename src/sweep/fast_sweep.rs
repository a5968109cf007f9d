//! The sweep of pairs with known accuracies and areas.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::SweepError;
use super::metric::{SweepMetric, SweepObjective, Values};
use super::pairs::Pairs;
use super::results::{BestPairs, Results, SweepCounts, Sweeping, SweptPair};
use super::staircase::{Member, Staircase};
use super::top::{self, Ranked};
use crate::accel::{LatencyLevel, Scan};
use crate::metrics::Metrics;

/// The number of networks that a thread scans at once.
const CHUNK: usize = 64;

/// The maximum number of networks between two updates of the latency thresholds. The first rounds are
/// shorter, as nothing can be dismissed yet.
const ROUND: usize = 64 * CHUNK;

/// The number of bisections of the interval that contains a latency threshold.
const HALVINGS: u32 = 26;

/// Results to collect besides the frontier.
#[derive(Clone, Debug, Default)]
pub struct SweepSettings {
    /// The objectives.
    pub goals: Vec<SweepObjective>,
    /// The number of best pairs to keep for each objective.
    pub top: usize,
}

/// A sweep of pairs.
pub struct FastSweep<'a, P: Pairs> {
    pairs: &'a P,
    settings: SweepSettings,
    /// The networks by descending accuracy; ties by ascending number.
    order: Vec<u32>,
    /// The different areas, ascending, in mm2.
    areas: Vec<f64>,
    rank_of: Vec<u32>,
    /// The smallest rank of area in each class.
    class_rank: Vec<u32>,
    counts: Counts,
    scratch: Mutex<Vec<P::Scratch>>,
}

/// The counting of running and feasible pairs.
struct Counts {
    /// Levels of latency. Each adds to the count of feasible pairs of an objective, or of running pairs if
    /// none is given.
    levels: Vec<(Option<usize>, LatencyLevel)>,
    /// For each objective without a constraint on latency, the number of configurations that satisfy its
    /// constraints.
    configurations: Vec<Option<u64>>,
}

/// Progress and results of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepState {
    /// The number of networks done, in the order of the sweep.
    pub networks: u64,
    /// The frontier of the pairs done, by descending accuracy, then ascending area.
    pub frontier: Vec<Member>,
    /// The number of its last points that have the current accuracy.
    current: usize,
    /// For each objective, the best feasible pairs, in order of merit.
    pub best: Vec<Vec<Ranked>>,
    /// For each objective, the number of feasible pairs.
    pub valid: Vec<u64>,
    /// The number of pairs that can run.
    pub running: u64,
    /// The highest latency of a pair that can run, in ms.
    pub highest_ms: f64,
}

impl<'a, P: Pairs> FastSweep<'a, P> {
    /// Prepares a sweep.
    ///
    /// # Errors
    /// Returns an error without networks or configurations, for more pairs than a 64-bit number counts, and
    /// for an accuracy or area that is not finite.
    pub fn new(pairs: &'a P, settings: SweepSettings) -> Result<Self, SweepError> {
        let (accuracies, all_areas) = (pairs.accuracies(), pairs.areas());
        if accuracies.is_empty() {
            return Err(SweepError::Empty("networks"));
        }
        if all_areas.is_empty() {
            return Err(SweepError::Empty("configurations"));
        }
        let count = (accuracies.len() as u64).checked_mul(all_areas.len() as u64);
        if count.is_none() || u32::try_from(accuracies.len().max(all_areas.len())).is_err() {
            return Err(SweepError::TooLarge);
        }
        for (what, item, values) in
            [("accuracy", "network", accuracies), ("area", "configuration", all_areas)]
        {
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let item = format!("{item} {index}");
                return Err(SweepError::NotFinite { what, item, value: values[index] });
            }
        }
        let mut order: Vec<u32> = (0..accuracies.len() as u32).collect();
        order.sort_by(|&a, &b| {
            accuracies[b as usize].total_cmp(&accuracies[a as usize]).then(a.cmp(&b))
        });
        let mut areas = all_areas.to_vec();
        areas.sort_by(f64::total_cmp);
        areas.dedup();
        let rank = |area: &f64| areas.partition_point(|other| other < area) as u32;
        let rank_of: Vec<u32> = all_areas.iter().map(rank).collect();
        let least = |class: &Vec<u32>| class.iter().map(|&c| rank_of[c as usize]).min();
        let class_rank = pairs.classes().iter().map(|class| least(class).unwrap_or(0)).collect();
        let counts = Counts::new(pairs, &settings.goals);
        let scratch = Mutex::default();
        Ok(Self { pairs, settings, order, areas, rank_of, class_rank, counts, scratch })
    }

    /// The number of pairs.
    pub fn size(&self) -> u64 {
        self.order.len() as u64 * self.rank_of.len() as u64
    }

    /// The number of networks.
    pub fn networks(&self) -> u64 {
        self.order.len() as u64
    }

    /// The area with the given rank, in mm2.
    pub fn area_mm2(&self, rank: u32) -> f64 {
        self.areas[rank as usize]
    }

    /// The lowest and the highest accuracy.
    pub fn accuracy_range(&self) -> (f64, f64) {
        let at = |network: Option<&u32>| network.map_or(0.0, |&network| self.accuracy(network));
        (at(self.order.last()), at(self.order.first()))
    }

    /// The smallest and the largest area in mm2.
    pub fn area_range(&self) -> (f64, f64) {
        let at = |area: Option<&f64>| area.copied().unwrap_or(0.0);
        (at(self.areas.first()), at(self.areas.last()))
    }

    /// The objectives.
    pub fn goals(&self) -> &[SweepObjective] {
        &self.settings.goals
    }

    /// Returns the state before the first network.
    pub fn start(&self) -> SweepState {
        let goals = self.settings.goals.len();
        SweepState {
            networks: 0,
            frontier: Vec::new(),
            current: 0,
            best: vec![Vec::new(); goals],
            valid: vec![0; goals],
            running: 0,
            highest_ms: 0.0,
        }
    }

    /// Sweeps from a state until the end, or until the callback breaks; it is called after every round.
    /// Returns true if the end was reached.
    ///
    /// The state after the same number of networks is always the same, regardless of threads and
    /// interruptions.
    ///
    /// # Errors
    /// Returns an error if a pair cannot be evaluated.
    pub fn advance(
        &self,
        state: &mut SweepState,
        mut after_round: impl FnMut(&SweepState) -> ControlFlow<()>,
    ) -> Result<bool, SweepError> {
        let settled = state.frontier.len() - state.current;
        let current = state.frontier.split_off(settled);
        let mut staircase =
            Staircase::restore(self.areas.len(), std::mem::take(&mut state.frontier), current);
        let mut round = 1;
        while state.networks < self.networks() {
            let start = state.networks as usize;
            let end = (start + round).min(self.order.len());
            for scan in self.scan(&self.order[start..end], &staircase, state)? {
                self.take(&scan, &mut staircase, state);
            }
            self.count_without_latency(&self.order[start..end], state);
            state.networks = end as u64;
            if state.networks == self.networks() {
                staircase.finish();
            }
            round = (2 * round).min(ROUND);
            let (settled, current) = staircase.parts();
            state.frontier.clear();
            state.frontier.extend_from_slice(settled);
            state.frontier.extend_from_slice(current);
            state.current = current.len();
            if after_round(state).is_break() {
                break;
            }
        }
        Ok(state.networks == self.networks())
    }

    fn accuracy(&self, network: u32) -> f64 {
        self.pairs.accuracies()[network as usize]
    }

    /// Scans networks in chunks; the results are in their order.
    fn scan(
        &self,
        networks: &[u32],
        staircase: &Staircase,
        state: &SweepState,
    ) -> Result<Vec<Scan>, SweepError> {
        let by_rank = self.limits(self.accuracy(networks[0]), staircase, state);
        let limits: Vec<f64> = self.class_rank.iter().map(|&rank| by_rank[rank as usize]).collect();
        let one = |chunk: &[u32]| {
            let levels =
                self.counts.levels_of(chunk, |network| self.accuracy(network), self.goals());
            let free = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut scratch = free.unwrap_or_default();
            let scan = self.pairs.scan(chunk, &limits, &levels, &mut scratch);
            self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
            scan.map_err(|error| SweepError::Scan(error.to_string()))
        };
        networks.par_chunks(CHUNK).map(one).collect()
    }

    /// For each rank of area, a latency above which no pair with at most the given accuracy matters.
    fn limits(&self, accuracy: f64, staircase: &Staircase, state: &SweepState) -> Vec<f64> {
        let mut limits = staircase.limits();
        for (goal, best) in self.settings.goals.iter().zip(&state.best) {
            let full = self.settings.top > 0 && best.len() >= self.settings.top;
            let least = if full { best[best.len() - 1].reward } else { f64::NEG_INFINITY };
            limits.par_iter_mut().zip(&self.areas).for_each(|(limit, &area_mm2)| {
                let matters = |latency_ms: f64| {
                    let pair = Values { accuracy, latency_ms, area_mm2 };
                    goal.holds(pair) && goal.sum(pair) >= least
                };
                if self.settings.top > 0 {
                    *limit = limit.max(highest(matters, HALVINGS));
                }
            });
        }
        limits
    }

    fn take(&self, scan: &Scan, staircase: &mut Staircase, state: &mut SweepState) {
        state.highest_ms = state.highest_ms.max(scan.highest_ms);
        for ((count, _), &passed) in self.counts.levels.iter().zip(&scan.counts) {
            match count {
                None => state.running += passed,
                Some(goal) => state.valid[*goal] += passed,
            }
        }
        for found in scan.found.iter().filter(|found| found.latency_ms < f64::INFINITY) {
            let (accuracy, latency_ms) = (self.accuracy(found.network), found.latency_ms);
            for &configuration in &self.pairs.classes()[found.class as usize] {
                let area_rank = self.rank_of[configuration as usize];
                let network = found.network;
                staircase.offer(Member {
                    network,
                    configuration,
                    accuracy,
                    latency_ms,
                    area_rank,
                    pairs: 1,
                });
                let area_mm2 = self.areas[area_rank as usize];
                let pair = Values { accuracy, latency_ms, area_mm2 };
                for (goal, best) in self.settings.goals.iter().zip(&mut state.best) {
                    if goal.holds(pair) {
                        let reward = goal.sum(pair);
                        let ranked = Ranked {
                            network,
                            configuration,
                            accuracy,
                            latency_ms,
                            area_mm2,
                            reward,
                        };
                        top::offer(best, ranked, self.settings.top);
                    }
                }
            }
        }
    }

    /// Counts the pairs that run or are feasible regardless of latency.
    fn count_without_latency(&self, networks: &[u32], state: &mut SweepState) {
        if self.pairs.all_run() {
            state.running += (networks.len() * self.rank_of.len()) as u64;
        }
        let goals = self.settings.goals.iter().zip(&self.counts.configurations);
        for ((goal, configurations), valid) in goals.zip(&mut state.valid) {
            if let Some(configurations) = configurations {
                let holds = |network: &&u32| goal.holds_accuracy(self.accuracy(**network));
                *valid += networks.iter().filter(holds).count() as u64 * configurations;
            }
        }
    }
}

impl Counts {
    fn new<P: Pairs>(pairs: &P, goals: &[SweepObjective]) -> Self {
        let classes = pairs.classes();
        let mut levels = Vec::new();
        if !pairs.all_run() {
            let weight = classes.iter().map(|class| class.len() as u32).collect();
            let most_ms = vec![f64::MAX; classes.len()];
            levels.push((None, LatencyLevel { networks: 0, most_ms, weight }));
        }
        let mut configurations = Vec::new();
        for (index, goal) in goals.iter().enumerate() {
            let at = |configuration: u32, latency_ms: f64| Values {
                accuracy: f64::INFINITY,
                latency_ms,
                area_mm2: pairs.areas()[configuration as usize],
            };
            if pairs.all_run() && !goal.limits_latency() {
                let all = 0..pairs.areas().len() as u32;
                let kept = all.filter(|&configuration| goal.holds(at(configuration, 1.0)));
                configurations.push(Some(kept.count() as u64));
                continue;
            }
            configurations.push(None);
            // For each class, the different latencies up to which its configurations keep the
            // limits, with how many do.
            let steps: Vec<Vec<(f64, u32)>> = classes
                .iter()
                .map(|class| {
                    let keeps = |c: u32| move |latency: f64| goal.holds(at(c, latency));
                    let mut most: Vec<f64> =
                        class.iter().map(|&c| highest(keeps(c), u64::BITS)).collect();
                    most.sort_by(|a, b| b.total_cmp(a));
                    let groups = most.chunk_by(|a, b| a == b);
                    groups.map(|group| (group[0], group.len() as u32)).collect()
                })
                .collect();
            for step in 0..steps.iter().map(Vec::len).max().unwrap_or(0) {
                let of = |class: &Vec<(f64, u32)>| {
                    class.get(step).copied().unwrap_or((f64::NEG_INFINITY, 0))
                };
                let (most_ms, weight) = steps.iter().map(of).unzip();
                levels.push((Some(index), LatencyLevel { networks: 0, most_ms, weight }));
            }
        }
        Self { levels, configurations }
    }

    /// The levels for the given networks, which are in descending accuracy.
    fn levels_of(
        &self,
        networks: &[u32],
        accuracy: impl Fn(u32) -> f64,
        goals: &[SweepObjective],
    ) -> Vec<LatencyLevel> {
        let prepare = |(count, level): &(Option<usize>, LatencyLevel)| {
            let holds = |network: &u32| {
                count.is_none_or(|goal| goals[goal].holds_accuracy(accuracy(*network)))
            };
            LatencyLevel { networks: networks.partition_point(holds), ..level.clone() }
        };
        self.levels.iter().map(prepare).collect()
    }
}

/// Bisects for the highest finite latency at which a predicate holds that holds for all lower ones.
///
/// Returns an upper bound of it, or minus infinity if there is none. After 64 halvings the bound is exact.
fn highest(holds: impl Fn(f64) -> bool, halvings: u32) -> f64 {
    if !holds(f64::MIN_POSITIVE) {
        return f64::NEG_INFINITY;
    }
    // Positive numbers are in the order of their bits.
    let (mut low, mut high) = (f64::MIN_POSITIVE.to_bits(), f64::INFINITY.to_bits());
    for _ in 0..halvings {
        let middle = low + (high - low) / 2;
        if middle == low {
            return f64::from_bits(low);
        }
        *(if holds(f64::from_bits(middle)) { &mut low } else { &mut high }) = middle;
    }
    f64::from_bits(high)
}

impl<P: Pairs> Sweeping for FastSweep<'_, P> {
    type State = SweepState;

    fn start(&self) -> SweepState {
        FastSweep::start(self)
    }

    fn networks(&self) -> u64 {
        FastSweep::networks(self)
    }

    fn configurations(&self) -> u64 {
        self.size() / FastSweep::networks(self).max(1)
    }

    fn advance(
        &self,
        state: &mut SweepState,
        after_round: &mut dyn FnMut(&SweepState) -> ControlFlow<()>,
    ) -> Result<bool, SweepError> {
        FastSweep::advance(self, state, after_round)
    }

    fn done(&self, state: &SweepState) -> SweepCounts {
        let (networks, running) = (state.networks, state.running);
        SweepCounts { networks, running, frontier: state.frontier.len() }
    }

    fn results(&self, state: &SweepState) -> Results {
        let at = |member: &Member| Values {
            accuracy: member.accuracy,
            latency_ms: member.latency_ms,
            area_mm2: self.area_mm2(member.area_rank),
        };
        let on_frontier = |member: &Member| SweptPair {
            network: member.network,
            configuration: member.configuration,
            metrics: metrics(at(member)),
            pairs: member.pairs,
        };
        let goals = self.goals().iter().zip(&state.best).zip(&state.valid);
        let best = goals.map(|((goal, best), &valid)| {
            // Excesses never fall when a pair gets worse: the nearest pair is on the frontier.
            let excesses = state.frontier.iter().map(|member| goal.excess(at(member))).zip(0..);
            let kept = |ranked: &Ranked| {
                let &Ranked { network, configuration, accuracy, latency_ms, area_mm2, reward } =
                    ranked;
                let metrics = metrics(Values { accuracy, latency_ms, area_mm2 });
                (reward, SweptPair { network, configuration, metrics, pairs: 1 })
            };
            BestPairs {
                name: goal.name().to_owned(),
                objective: goal.weighted().clone(),
                valid,
                nearest: excesses
                    .min_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|_| valid == 0 && goal.is_limited()),
                pairs: best.iter().map(kept).collect(),
            }
        });
        Results {
            best: best.collect(),
            frontier: state.frontier.iter().map(on_frontier).collect(),
            ranges: self.ranges(state),
            notes: Vec::new(),
        }
    }
}

fn metrics(pair: Values) -> Metrics {
    SweepMetric::ALL.iter().map(|metric| (metric.name().to_owned(), metric.value(pair))).collect()
}

impl<P: Pairs> FastSweep<'_, P> {
    /// The lowest and the highest value of each metric.
    fn ranges(&self, state: &SweepState) -> BTreeMap<String, (f64, f64)> {
        let (accuracy, area) = (self.accuracy_range(), self.area_range());
        let lowest = state.frontier.iter().map(|m| m.latency_ms).fold(f64::INFINITY, f64::min);
        let mut ranges = BTreeMap::from([
            (SweepMetric::Accuracy.name().to_owned(), accuracy),
            (SweepMetric::AreaMm2.name().to_owned(), area),
        ]);
        if lowest.is_finite() {
            let latency = (lowest, state.highest_ms);
            ranges.insert(SweepMetric::LatencyMs.name().to_owned(), latency);
        }
        ranges
    }
}
