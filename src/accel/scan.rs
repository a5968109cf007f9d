//! What a scan of many networks over all configurations asks and answers.

/// A pair whose latency is within the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The network's number.
    pub network: u32,
    /// The number of the class of configurations.
    pub class: u32,
    /// The latency of a batch in ms.
    pub latency_ms: f64,
}

/// A count of pairs whose latency passes a threshold.
#[derive(Clone, Debug)]
pub struct Level {
    /// The networks that count: so many from the first that is scanned.
    pub networks: usize,
    /// For each class, the highest latency in ms that passes.
    pub most_ms: Vec<f64>,
    /// For each class, how many of its configurations count.
    pub weight: Vec<u32>,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The pairs within the limits of their classes: in the order of the networks scanned, then by
    /// class.
    pub found: Vec<Found>,
    /// For each level, how many pairs pass.
    pub counts: Vec<u64>,
    /// The highest finite latency in ms.
    pub highest_ms: f64,
}
