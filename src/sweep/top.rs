//! The best pairs for an objective.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A pair with what an objective makes of it.
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
    /// The order of merit: the higher reward; of equals the more accurate, then the faster, then the
    /// smaller, then the one with the smaller number of the network, then of the configuration.
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

/// Puts a pair among the best so far, of which at most `most` are kept in order of merit.
pub(super) fn offer(best: &mut Vec<Ranked>, pair: Ranked, most: usize) {
    if best.len() >= most && best.last().is_none_or(|last| pair.merit(last).is_ge()) {
        return;
    }
    let place = best.partition_point(|other| other.merit(&pair).is_lt());
    best.insert(place, pair);
    best.truncate(most);
}
