//! The interface of a sweep to the pairs of a space.

use std::convert::Infallible;

use crate::accel::chaidnn::{Batch, BatchError, SlotMemory};
use crate::accel::{LatencyLevel, Scan, ScannedPair};
use crate::network::Family;

/// Pairs of networks, with known accuracies, and configurations, with known areas.
pub trait Pairs: Sync {
    /// Working memory of a thread that scans.
    type Scratch: Default + Send;
    /// The reason that a pair cannot be evaluated.
    type Error: std::fmt::Display + Send;

    /// The accuracy of each network, a fraction.
    fn accuracies(&self) -> &[f64];

    /// The area of each configuration in mm2.
    fn areas(&self) -> &[f64];

    /// Classes of configurations on which every network has the same latency, each as the ascending numbers
    /// of its configurations.
    fn classes(&self) -> &[Vec<u32>];

    /// Returns true if every pair is known to have a finite latency.
    fn all_run(&self) -> bool;

    /// Finds the pairs of the given networks, in their order, with at most the latency of `limits_ms` for
    /// their class, in ms, and counts the pairs within `levels`. A pair that cannot run has infinite latency.
    ///
    /// # Errors
    /// Returns an error if a pair cannot be evaluated.
    fn scan(
        &self,
        networks: &[u32],
        limits_ms: &[f64],
        levels: &[LatencyLevel],
        scratch: &mut Self::Scratch,
    ) -> Result<Scan, Self::Error>;
}

/// Networks of a family on configurations of CHaiDNN.
#[derive(Debug)]
pub struct OnChaidnn<F> {
    /// The networks.
    pub family: F,
    /// The accuracy of each network, a fraction.
    pub accuracies: Vec<f64>,
    /// The configurations, prepared for the family.
    pub batch: Batch,
}

impl<F: Family> Pairs for OnChaidnn<F> {
    type Scratch = SlotMemory;
    type Error = BatchError;

    fn accuracies(&self) -> &[f64] {
        &self.accuracies
    }

    fn areas(&self) -> &[f64] {
        self.batch.areas()
    }

    fn classes(&self) -> &[Vec<u32>] {
        self.batch.classes()
    }

    fn all_run(&self) -> bool {
        self.batch.all_run()
    }

    fn scan(
        &self,
        networks: &[u32],
        limits_ms: &[f64],
        levels: &[LatencyLevel],
        scratch: &mut SlotMemory,
    ) -> Result<Scan, BatchError> {
        self.batch.scan(&self.family, networks, limits_ms, levels, scratch)
    }
}

/// Pairs whose latency is evaluated individually.
pub struct OneByOne<L> {
    accuracies: Vec<f64>,
    areas: Vec<f64>,
    classes: Vec<Vec<u32>>,
    latency_ms: L,
}

impl<L: Fn(u32, u32) -> Option<f64> + Sync> OneByOne<L> {
    /// Creates pairs from accuracies, areas in mm2, and a function from the numbers of a network and a
    /// configuration to the latency in ms, `None` if the pair cannot run.
    pub fn new(accuracies: Vec<f64>, areas: Vec<f64>, latency_ms: L) -> Self {
        let classes = (0..areas.len() as u32).map(|configuration| vec![configuration]).collect();
        Self { accuracies, areas, classes, latency_ms }
    }
}

impl<L: Fn(u32, u32) -> Option<f64> + Sync> Pairs for OneByOne<L> {
    type Scratch = ();
    type Error = Infallible;

    fn accuracies(&self) -> &[f64] {
        &self.accuracies
    }

    fn areas(&self) -> &[f64] {
        &self.areas
    }

    fn classes(&self) -> &[Vec<u32>] {
        &self.classes
    }

    fn all_run(&self) -> bool {
        false
    }

    fn scan(
        &self,
        networks: &[u32],
        limits_ms: &[f64],
        levels: &[LatencyLevel],
        (): &mut (),
    ) -> Result<Scan, Infallible> {
        let mut scan = Scan { counts: vec![0; levels.len()], ..Scan::default() };
        for (index, &network) in networks.iter().enumerate() {
            for (class, &limit) in limits_ms.iter().enumerate() {
                let latency = (self.latency_ms)(network, class as u32);
                let latency_ms = latency.unwrap_or(f64::INFINITY);
                if latency_ms <= limit {
                    scan.found.push(ScannedPair { network, class: class as u32, latency_ms });
                }
                if latency_ms < f64::INFINITY {
                    scan.highest_ms = scan.highest_ms.max(latency_ms);
                }
                for (level, count) in levels.iter().zip(&mut scan.counts) {
                    let passes = index < level.networks && latency_ms <= level.most_ms[class];
                    *count += if passes { u64::from(level.weight[class]) } else { 0 };
                }
            }
        }
        Ok(scan)
    }
}
