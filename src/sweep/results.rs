//! What every kind of sweep does and finds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::SweepError;
use super::fast_sweep::{Sweep, SweepState};
use super::metric::{SweepMetric, Values};
use super::pairs::Pairs;
use super::staircase::Member;
use crate::accel::Metrics;
use crate::pareto::Weighted;

/// A sweep that can be broken off, stored and gone on with.
pub trait Sweeping {
    /// How far it has come.
    type State: Serialize + DeserializeOwned;

    /// Nothing done.
    fn start(&self) -> Self::State;

    /// How many networks there are.
    fn networks(&self) -> u64;

    /// How many pairs each network has.
    fn configurations(&self) -> u64;

    /// Sweeps from a state to the end, or until the callback, which sees the state after every round,
    /// breaks off. Says whether the end was reached.
    ///
    /// # Errors
    /// A pair that must be evaluated cannot be.
    fn advance(
        &self,
        state: &mut Self::State,
        after_round: &mut dyn FnMut(&Self::State) -> ControlFlow<()>,
    ) -> Result<bool, SweepError>;

    /// What to say where so many pairs fail, and none runs so far, that all may.
    fn hopeless(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// How much is done.
    fn done(&self, state: &Self::State) -> Done;

    /// What was found so far.
    fn results(&self, state: &Self::State) -> Results;
}

/// How much of a sweep is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Networks.
    pub networks: u64,
    /// Points of the frontier.
    pub frontier: usize,
    /// Pairs that run.
    pub running: u64,
}

/// A pair that a sweep keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The network's number.
    pub network: u32,
    /// The configuration's number.
    pub configuration: u32,
    /// Its metrics.
    pub metrics: Metrics,
    /// Of a point of the frontier, how many pairs are there; it is the first of them.
    pub pairs: u64,
}

/// What a sweep found for an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// The objective's name.
    pub name: String,
    /// The objective.
    pub objective: Weighted,
    /// How many pairs keep its limits.
    pub valid: u64,
    /// Where none does, the sum of relative excesses of the point of the frontier that comes closest, and
    /// its place on the frontier.
    pub nearest: Option<(f64, u64)>,
    /// The best pairs that keep its limits, with their rewards, in order of merit.
    pub pairs: Vec<(f64, Kept)>,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// The frontier, best first.
    pub frontier: Vec<Kept>,
    /// The best pairs for each objective.
    pub best: Vec<Best>,
    /// The lowest and highest of each metric.
    pub ranges: BTreeMap<String, (f64, f64)>,
    /// What is to be said of pairs that were left out.
    pub notes: Vec<String>,
}

impl<P: Pairs> Sweeping for Sweep<'_, P> {
    type State = SweepState;

    fn start(&self) -> SweepState {
        Sweep::start(self)
    }

    fn networks(&self) -> u64 {
        Sweep::networks(self)
    }

    fn configurations(&self) -> u64 {
        self.size() / Sweep::networks(self).max(1)
    }

    fn advance(
        &self,
        state: &mut SweepState,
        after_round: &mut dyn FnMut(&SweepState) -> ControlFlow<()>,
    ) -> Result<bool, SweepError> {
        Sweep::advance(self, state, after_round)
    }

    fn done(&self, state: &SweepState) -> Done {
        let (networks, running) = (state.networks, state.running);
        Done { networks, running, frontier: state.frontier.len() }
    }

    fn results(&self, state: &SweepState) -> Results {
        let at = |member: &Member| Values {
            accuracy: member.accuracy,
            latency_ms: member.latency_ms,
            area_mm2: self.area_mm2(member.area_rank),
        };
        let on_frontier = |member: &Member| Kept {
            network: member.network,
            configuration: member.configuration,
            metrics: metrics(at(member)),
            pairs: member.pairs,
        };
        let goals = self.goals().iter().zip(&state.best).zip(&state.valid);
        let best = goals.map(|((goal, best), &valid)| {
            // Excesses never fall when a pair gets worse: the nearest pair is on the frontier.
            let excesses = state.frontier.iter().map(|member| goal.excess(at(member))).zip(0..);
            let kept = |ranked: &super::Ranked| {
                let &super::Ranked {
                    network,
                    configuration,
                    accuracy,
                    latency_ms,
                    area_mm2,
                    reward,
                } = ranked;
                let metrics = metrics(Values { accuracy, latency_ms, area_mm2 });
                (reward, Kept { network, configuration, metrics, pairs: 1 })
            };
            Best {
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

impl<P: Pairs> Sweep<'_, P> {
    /// The lowest and highest of each metric.
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

fn metrics(pair: Values) -> Metrics {
    SweepMetric::ALL.iter().map(|metric| (metric.name().to_owned(), metric.value(pair))).collect()
}
