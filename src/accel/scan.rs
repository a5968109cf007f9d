//! The query and the result of a scan of many networks over all configurations.

/// A pair whose latency is within the limit of its class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScannedPair {
    /// The number of the network.
    pub network: u32,
    /// The number of the class of configurations.
    pub class: u32,
    /// The latency of a batch, in ms.
    pub latency_ms: f64,
}

/// A threshold on latency, and the weight of each class in the count of pairs that pass it.
#[derive(Clone, Debug)]
pub struct LatencyLevel {
    /// The number of networks that count, from the first scanned.
    pub networks: usize,
    /// The highest latency in ms that passes, for each class.
    pub most_ms: Vec<f64>,
    /// The number of configurations that count, for each class.
    pub weight: Vec<u32>,
}

/// The result of a scan.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The pairs within the limits of their classes, ordered by network as scanned, then by class.
    pub found: Vec<ScannedPair>,
    /// The number of pairs that pass, for each level.
    pub counts: Vec<u64>,
    /// The highest finite latency, in ms.
    pub highest_ms: f64,
}
