//! Evaluation of points, with a cache.

use std::collections::HashMap;
use std::time::Instant;

use rayon::prelude::*;

use super::error::RunError;
use super::experiment::{Evaluated, Experiment, Phase, evaluate_finite};
use super::failure::Failure;
use crate::metrics::Metrics;
use crate::space::Point;
use crate::store::{Reused, TrialCost};
use crate::util::deep_stack;

/// The number of points whose metrics are kept in memory, so that repeated points are not evaluated again.
const REMEMBERED: usize = 100_000;

/// An evaluator of the points of a run.
pub(super) struct Evaluator<'a> {
    experiment: &'a dyn Experiment,
    pool: rayon::ThreadPool,
    remembered: HashMap<Point, Result<Metrics, Failure>>,
}

impl<'a> Evaluator<'a> {
    /// Creates an evaluator with `count` threads, each of which evaluates a point at a time.
    pub(super) fn new(experiment: &'a dyn Experiment, count: usize) -> Result<Self, RunError> {
        let pool = deep_stack::pool(count)
            .map_err(|source| RunError::Threads { threads: count, source })?;
        Ok(Self { experiment, pool, remembered: HashMap::new() })
    }

    /// Evaluates points of a phase; returns the result and the cost of each. Equal points are evaluated once,
    /// even if they are asked for together.
    pub(super) fn evaluate(
        &mut self,
        points: &[Point],
        phase: &Phase,
    ) -> Vec<(Evaluated, TrialCost)> {
        let mut places: HashMap<&Point, usize> = HashMap::new();
        let mut different: Vec<&Point> = Vec::with_capacity(points.len());
        let place_of: Vec<usize> = points
            .iter()
            .map(|point| {
                *places.entry(point).or_insert_with(|| {
                    different.push(point);
                    different.len() - 1
                })
            })
            .collect();
        let judge = |point: &&Point| self.judge(point, phase);
        let results: Vec<_> = if self.pool.current_num_threads() > 1 && different.len() > 1 {
            self.pool.install(|| different.par_iter().map(judge).collect())
        } else {
            different.iter().map(judge).collect()
        };
        if self.remembered.len() + different.len() > REMEMBERED {
            self.remembered.clear();
        }
        let mut is_told = vec![false; different.len()];
        let mut evaluated = Vec::with_capacity(points.len());
        for place in place_of {
            let (metrics, found, effort) = &results[place];
            if std::mem::replace(&mut is_told[place], true) {
                let effort = TrialCost { micros: 0, reused: Reused::METRICS };
                evaluated.push((found.clone(), effort));
                continue;
            }
            if let Some(metrics) = metrics {
                self.remembered.insert(different[place].clone(), metrics.clone());
            }
            evaluated.push((found.clone(), *effort));
        }
        evaluated
    }

    /// The metrics of a point (`None` if the screen decides), its result, and the cost.
    fn judge(
        &self,
        point: &Point,
        phase: &Phase,
    ) -> (Option<Result<Metrics, Failure>>, Evaluated, TrialCost) {
        let started = Instant::now();
        let took = |reused| {
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            TrialCost { micros, reused }
        };
        self.experiment.take_reused();
        if let Some(found) = phase.screened(point) {
            return (None, found, took(self.experiment.take_reused()));
        }
        let (metrics, reused) = match self.remembered.get(point) {
            Some(known) => (known.clone(), Reused::METRICS),
            None => {
                let metrics = evaluate_finite(self.experiment, point);
                (metrics, self.experiment.take_reused())
            }
        };
        let found = phase.judge(&metrics);
        (Some(metrics), found, took(reused))
    }
}
