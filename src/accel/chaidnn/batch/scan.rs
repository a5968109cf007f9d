//! Scans for the pairs of networks and configurations within latency limits.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::super::lower::{LowerError, Lowering, lower_into};
use super::super::operation::Work;
use super::super::{Area, Configuration, Platform};
use super::code::{Code, Compiler, QueueOutline};
use super::machine::{Answer, BlockLevel, LANES, Query, Slot, SlotMemory, run};
use super::table::DurationTable;
use crate::accel::{LatencyLevel, Scan, ScannedPair};
use crate::network::Family;

/// The number of networks that a thread collects works from at a time.
const COLLECTED: usize = 1024;

/// Reasons that networks cannot be evaluated together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A network that the accelerator cannot run.
    #[error("network {network}: {source}")]
    Network {
        /// The number of the network.
        network: usize,
        /// The reason.
        source: LowerError,
    },
    /// The networks have too many distinct operations, or the schedule of one takes too many steps.
    #[error("the networks have more than 65,535 different operations")]
    Operations,
}

/// The networks of a family on configurations of the accelerator, prepared for [`Batch::scan`].
#[derive(Debug)]
pub struct Batch {
    configurations: Vec<Configuration>,
    areas: Vec<f64>,
    table: DurationTable,
    works: usize,
}

impl Batch {
    /// Tabulates the durations of a family's operations on the configurations.
    ///
    /// # Errors
    /// If the accelerator cannot run a network, or if there are too many distinct operations.
    pub fn new<F: Family>(
        family: &F,
        configurations: Vec<Configuration>,
        platform: &Platform,
    ) -> Result<Self, BatchError> {
        let starts: Vec<usize> = (0..family.len()).step_by(COLLECTED).collect();
        let collected: Vec<FxHashSet<Work>> = starts
            .into_par_iter()
            .map(|start| {
                let mut works = FxHashSet::default();
                let mut lowering = Lowering::default();
                for network in start..(start + COLLECTED).min(family.len()) {
                    lower_into(&mut lowering, family, network)
                        .map_err(|source| BatchError::Network { network, source })?;
                    let queue = lowering.queue();
                    works.extend((0..queue.len()).map(|task| *queue.work(task)));
                }
                Ok(works)
            })
            .collect::<Result<_, _>>()?;
        let mut works: Vec<Work> =
            collected.into_iter().flatten().collect::<FxHashSet<_>>().into_iter().collect();
        works.sort_unstable();
        if works.len() > usize::from(u16::MAX) {
            return Err(BatchError::Operations);
        }
        let areas = configurations.iter().map(|c| Area::of(c, platform).area_mm2).collect();
        let table = DurationTable::new(&works, &configurations, platform);
        Ok(Self { configurations, areas, table, works: works.len() })
    }

    /// The configurations, in the order given.
    pub fn configurations(&self) -> &[Configuration] {
        &self.configurations
    }

    /// The area of each configuration in mm2.
    pub fn areas(&self) -> &[f64] {
        &self.areas
    }

    /// The classes of configurations on which each network of the family has the same latency.
    ///
    /// A class lists the indices of its configurations in ascending order.
    pub fn classes(&self) -> &[Vec<u32>] {
        &self.table.classes
    }

    /// Returns true if every configuration can run every network.
    pub const fn all_run(&self) -> bool {
        self.table.all_run
    }

    /// The number of distinct operations in the networks.
    pub const fn operations(&self) -> usize {
        self.works
    }

    /// Evaluates networks on all configurations and lists the pairs whose latency is at most their class's
    /// limit in ms.
    ///
    /// A configuration that cannot run a network has infinite latency.
    ///
    /// # Errors
    /// If the schedule of a network takes too many steps.
    ///
    /// # Panics
    /// If the family is not the one of [`Batch::new`], or if limits or levels do not cover all classes.
    pub fn scan<F: Family>(
        &self,
        family: &F,
        networks: &[u32],
        limits_ms: &[f64],
        levels: &[LatencyLevel],
        memory: &mut SlotMemory,
    ) -> Result<Scan, BatchError> {
        let codes = self.compile(family, networks)?;
        let mut scan = Scan { counts: vec![0; levels.len()], ..Scan::default() };
        let mut answer = Answer::default();
        // By place among the networks scanned, until all are found.
        let mut found: Vec<ScannedPair> = Vec::new();
        for (group, code) in self.table.groups.iter().zip(&codes) {
            for (block, durations) in group.blocks().enumerate() {
                let within = block * LANES;
                let first = group.first_class + within;
                let lanes = LANES.min(group.classes - within);
                let of = |values: &dyn Fn(usize) -> f64, otherwise: f64| {
                    Slot(std::array::from_fn(|lane| {
                        if lane < lanes { values(first + lane) } else { otherwise }
                    }))
                };
                let query = Query {
                    limits_us: of(&|class| largest_us(limits_ms[class]), f64::NEG_INFINITY),
                    levels: levels
                        .iter()
                        .map(|level| BlockLevel {
                            networks: level.networks,
                            most_us: of(&|class| largest_us(level.most_ms[class]), 0.0),
                            weight: of(&|class| f64::from(level.weight[class]), 0.0),
                        })
                        .collect(),
                };
                answer.found.clear();
                answer.counts.clear();
                memory.load(durations);
                run(memory, code, &query, &mut answer);
                found.extend(answer.found.iter().map(|&(network, lane, us)| ScannedPair {
                    network,
                    class: first as u32 + lane,
                    latency_ms: us / 1e3,
                }));
                for (sum, count) in scan.counts.iter_mut().zip(&answer.counts) {
                    *sum += *count as u64;
                }
                scan.highest_ms = scan.highest_ms.max(answer.highest_us / 1e3);
            }
        }
        found.sort_unstable_by_key(|found| (found.network, found.class));
        scan.found = found;
        for found in &mut scan.found {
            found.network = networks[found.network as usize];
        }
        Ok(scan)
    }

    /// The number of steps, each a sum and a maximum, and the number of final summands that the networks take
    /// on all classes of configurations.
    ///
    /// # Errors
    /// As [`Batch::scan`].
    pub fn cost<F: Family>(&self, family: &F, networks: &[u32]) -> Result<(f64, f64), BatchError> {
        let mut cost = (0.0, 0.0);
        for (group, code) in self.table.groups.iter().zip(&self.compile(family, networks)?) {
            for (steps, sums) in code.networks() {
                cost.0 += (steps.len() * group.classes) as f64;
                cost.1 += (sums.len() * group.classes) as f64;
            }
        }
        Ok(cost)
    }

    /// Compiles networks for each group of configurations.
    fn compile<F: Family>(&self, family: &F, networks: &[u32]) -> Result<Vec<Code>, BatchError> {
        let mut codes = vec![Code::default(); self.table.groups.len()];
        let mut compiler = Compiler::default();
        let mut lowering = Lowering::default();
        let mut rows = Vec::new();
        for &network in networks {
            let network = network as usize;
            lower_into(&mut lowering, family, network)
                .map_err(|source| BatchError::Network { network, source })?;
            let queue = lowering.queue();
            let outline = QueueOutline::new(queue);
            rows.clear();
            rows.resize(queue.len(), 0);
            for task in outline.tasks() {
                rows[task] = self.table.rows[queue.work(task)];
            }
            for (group, code) in self.table.groups.iter().zip(&mut codes) {
                compiler
                    .compile(
                        queue,
                        &outline,
                        group.engines,
                        |task| rows[task],
                        self.works + 1,
                        code,
                    )
                    .map_err(|_| BatchError::Operations)?;
            }
        }
        Ok(codes)
    }
}

/// The largest latency in µs that converts to at most `ms`.
fn largest_us(ms: f64) -> f64 {
    if !ms.is_finite() {
        return ms;
    }
    let mut us = ms * 1e3;
    while us / 1e3 > ms {
        us = us.next_down();
    }
    while us.next_up() / 1e3 <= ms {
        us = us.next_up();
    }
    us
}
