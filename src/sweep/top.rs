//! The best pairs for an objective.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A pair with its reward for an objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// The network's number.
    pub network: u32,
    /// The configuration's number.
    pub configuration: u32,
    /// The network's accuracy, a fraction.
    pub accuracy: f64,
    /// The latency of a batch in ms.
    pub latency_ms: f64,
    /// The configuration's area in mm2.
    pub area_mm2: f64,
    /// The objective's value.
    pub reward: f64,
}

impl Ranked {
    /// Compares by merit: higher reward first, then higher accuracy, lower latency, smaller area, and the
    /// smaller number of the network, then of the configuration.
    pub fn merit(&self, other: &Self) -> Ordering {
        other
            .reward
            .total_cmp(&self.reward)
            .then(other.accuracy.total_cmp(&self.accuracy))
            .then(self.latency_ms.total_cmp(&other.latency_ms))
            .then(self.area_mm2.total_cmp(&other.area_mm2))
            .then(self.network.cmp(&other.network))
            .then(self.configuration.cmp(&other.configuration))
    }
}

/// Inserts a pair into a list in order of merit, which keeps at most `most` pairs.
pub(super) fn offer(best: &mut Vec<Ranked>, pair: Ranked, most: usize) {
    if best.len() >= most && best.last().is_none_or(|last| pair.merit(last).is_ge()) {
        return;
    }
    let place = best.partition_point(|other| other.merit(&pair).is_lt());
    best.insert(place, pair);
    best.truncate(most);
}
