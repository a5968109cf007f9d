//! The common interface of sweeps, and their results.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::SweepError;
use crate::metrics::Metrics;
use crate::pareto::Weighted;

/// A sweep that can be interrupted, stored and resumed.
pub trait Sweeping {
    /// Progress and results so far.
    type State: Serialize + DeserializeOwned;

    /// Returns the state before the first network.
    fn start(&self) -> Self::State;

    /// The number of networks.
    fn networks(&self) -> u64;

    /// The number of configurations, and thus of pairs per network.
    fn configurations(&self) -> u64;

    /// Sweeps from a state until the end, or until the callback breaks; it is called after every round.
    /// Returns true if the end was reached.
    ///
    /// # Errors
    /// Returns an error if a pair cannot be evaluated, or if all pairs fail.
    fn advance(
        &self,
        state: &mut Self::State,
        after_round: &mut dyn FnMut(&Self::State) -> ControlFlow<()>,
    ) -> Result<bool, SweepError>;

    /// A message if many pairs have failed and none has run so far.
    fn all_failed(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// Counts the networks done and the pairs found so far.
    fn done(&self, state: &Self::State) -> SweepCounts;

    /// Returns the results so far.
    fn results(&self, state: &Self::State) -> Results;
}

/// Counts of networks done and pairs found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepCounts {
    /// The number of networks done.
    pub networks: u64,
    /// The number of points on the frontier.
    pub frontier: usize,
    /// The number of pairs that run.
    pub running: u64,
}

/// A pair that a sweep keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweptPair {
    /// The network's number.
    pub network: u32,
    /// The configuration's number.
    pub configuration: u32,
    /// Its metrics.
    pub metrics: Metrics,
    /// The number of pairs that share a frontier point, of which this is the first; else 1.
    pub pairs: u64,
}

/// The results of a sweep for an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct BestPairs {
    /// The objective's name.
    pub name: String,
    /// The objective.
    pub objective: Weighted,
    /// The number of feasible pairs.
    pub valid: u64,
    /// The frontier point with the lowest sum of relative excesses over constraints, if no pair is feasible:
    /// the sum, and the point's place on the frontier.
    pub nearest: Option<(f64, u64)>,
    /// The best feasible pairs with their rewards, in order of merit.
    pub pairs: Vec<(f64, SweptPair)>,
}

/// The results of a sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// The Pareto frontier, best first by its first objective.
    pub frontier: Vec<SweptPair>,
    /// The best pairs for each objective.
    pub best: Vec<BestPairs>,
    /// The lowest and the highest value of each metric.
    pub ranges: BTreeMap<String, (f64, f64)>,
    /// Notes about pairs that were left out.
    pub notes: Vec<String>,
}
