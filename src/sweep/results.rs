//! What every kind of sweep does and finds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::SweepError;
use crate::metrics::Metrics;
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

    /// The message where so many pairs fail, and none runs so far, that all may.
    fn all_failed(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// How much is done.
    fn done(&self, state: &Self::State) -> SweepCounts;

    /// What was found so far.
    fn results(&self, state: &Self::State) -> Results;
}

/// The networks done and the pairs found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepCounts {
    /// Networks.
    pub networks: u64,
    /// Points of the frontier.
    pub frontier: usize,
    /// Pairs that run.
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
    pub pairs: Vec<(f64, SweptPair)>,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// The frontier, best first.
    pub frontier: Vec<SweptPair>,
    /// The best pairs for each objective.
    pub best: Vec<Best>,
    /// The lowest and highest of each metric.
    pub ranges: BTreeMap<String, (f64, f64)>,
    /// What is to be said of pairs that were left out.
    pub notes: Vec<String>,
}
