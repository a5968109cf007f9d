//! A network's operations on the accelerator, and their schedule.

use std::collections::HashMap;
use std::ops::Range;

use super::area::Area;
use super::operation::{Bottleneck, Cycles, Engine, Engines, Infeasible, Work};
use super::queue::Queue;
use super::{ChaidnnEstimate, ChaidnnSpace, Configuration, Platform};

/// A network as the accelerator runs it: operations in queue order.
///
/// The queue consists of segments, each of which starts when the previous one has ended. The latency is the
/// sum of the latencies of the segments, in their order.
#[derive(Clone, Debug)]
pub struct Program {
    queue: Queue,
    /// The name of each task's layer.
    names: Vec<String>,
    segments: Vec<Range<usize>>,
    /// The distinct works, whose cycles are computed once.
    works: Vec<Work>,
    /// The index in `works` of each task's work.
    work_of: Vec<usize>,
}

/// One operation's share of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationShare {
    /// The name of the layer that it belongs to.
    pub name: String,
    /// The engine that runs it.
    pub engine: Engine,
    /// Start time, in ms from the start of the batch.
    pub start_ms: f64,
    /// End time, in ms from the start of the batch.
    pub end_ms: f64,
    /// The engine's clock cycles, not counting the launch.
    pub cycles: f64,
    /// The bottleneck.
    pub bound: Bottleneck,
}

/// The cost of one work on a configuration.
#[derive(Clone, Copy)]
struct Cost {
    engine: Engine,
    cycles: Cycles,
    duration_us: f64,
}

impl Program {
    /// Makes a program from tasks and the names of their layers.
    pub(super) fn new(queue: Queue, names: Vec<String>) -> Self {
        let mut known = HashMap::new();
        let mut works = Vec::new();
        let work_of = (0..queue.len())
            .map(|task| {
                *known.entry(*queue.work(task)).or_insert_with(|| {
                    works.push(*queue.work(task));
                    works.len() - 1
                })
            })
            .collect();
        Self { segments: queue.segments(), queue, names, works, work_of }
    }

    pub(super) fn into_queue(self) -> Queue {
        self.queue
    }

    #[cfg(test)]
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Estimates latency and area of a batch of two images on a configuration.
    ///
    /// # Errors
    /// [`Infeasible`] if an operation does not fit the configuration's buffers.
    pub fn estimate(
        &self,
        configuration: &Configuration,
        platform: &Platform,
    ) -> Result<ChaidnnEstimate, Infeasible> {
        let costs = self.costs(configuration, platform)?;
        let latency_us = self.schedule(&costs, |_, _, _| ());
        Ok(ChaidnnEstimate {
            latency_ms: latency_us / 1e3,
            area: Area::of(configuration, platform),
        })
    }

    /// Lists each operation with its start, end, cycles and bottleneck, in queue order.
    ///
    /// # Errors
    /// As [`Program::estimate`].
    pub fn breakdown(
        &self,
        configuration: &Configuration,
        platform: &Platform,
    ) -> Result<Vec<OperationShare>, Infeasible> {
        let costs = self.costs(configuration, platform)?;
        let mut rows = Vec::with_capacity(self.queue.len());
        self.schedule(&costs, |task, start, end| {
            let Cost { engine, cycles: Cycles { cycles, bound }, duration_us } =
                costs[self.work_of[task]];
            let launch_dominates = 2.0 * platform.launch_us > duration_us;
            rows.push(OperationShare {
                name: self.names[task].clone(),
                engine,
                start_ms: start / 1e3,
                end_ms: end / 1e3,
                cycles,
                bound: if launch_dominates { Bottleneck::Launch } else { bound },
            });
        });
        Ok(rows)
    }

    /// Returns the configuration with the highest performance per area among those that can run the network,
    /// with its estimate; `None` if none can.
    ///
    /// It need not fit the device: the paper's designs with the largest engine would not. Ties go to the
    /// first in the order of the space.
    pub fn best_configuration(
        &self,
        platform: &Platform,
    ) -> Option<(Configuration, ChaidnnEstimate)> {
        let mut best: Option<(Configuration, ChaidnnEstimate)> = None;
        for configuration in ChaidnnSpace::new().configurations() {
            if let Ok(estimate) = self.estimate(&configuration, platform)
                && best.is_none_or(|(_, known)| estimate.img_s_cm2() > known.img_s_cm2())
            {
                best = Some((configuration, estimate));
            }
        }
        best
    }

    fn costs(
        &self,
        configuration: &Configuration,
        platform: &Platform,
    ) -> Result<Vec<Cost>, Infeasible> {
        let cost = |(index, work): (usize, &Work)| {
            let cycles = work.cycles(configuration, platform).map_err(|reason| {
                let task = self.work_of.iter().position(|&work| work == index).unwrap_or(0);
                Infeasible {
                    operation: self.names[task].clone(),
                    configuration: configuration.to_string(),
                    reason,
                }
            })?;
            let duration_us = Work::duration_us(cycles.cycles, platform);
            Ok(Cost { engine: work.engine(Engines::of(configuration)), cycles, duration_us })
        };
        self.works.iter().enumerate().map(cost).collect()
    }

    /// Simulates the engines and returns the end of the last segment, in µs.
    ///
    /// An engine starts its next operation when it is free and the operation's inputs are ready. `visit` gets
    /// task, start and end in µs, in queue order.
    fn schedule(&self, costs: &[Cost], mut visit: impl FnMut(usize, f64, f64)) -> f64 {
        let mut ends = vec![0.0; self.queue.len()];
        let mut segment_start = 0.0;
        for segment in &self.segments {
            let mut free = [0.0_f64; Engine::COUNT];
            // Every queue is in the order of the tasks, so one pass settles all of them.
            for task in segment.clone() {
                let cost = &costs[self.work_of[task]];
                let engine = cost.engine as usize;
                let within = self.queue.after(task).iter().map(|&before| before as usize);
                let inputs = within.filter(|&before| before >= segment.start);
                let start = inputs.map(|before| ends[before]).fold(free[engine], f64::max);
                let end = start + cost.duration_us;
                free[engine] = end;
                ends[task] = end;
                visit(task, segment_start + start, segment_start + end);
            }
            segment_start += free.into_iter().fold(0.0, f64::max);
        }
        segment_start
    }
}
