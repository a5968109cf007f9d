//! Evaluation of points, each paid for once.

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

/// Points whose metrics are kept in memory, so that a controller that comes back to one does not
/// pay for it again.
const REMEMBERED: usize = 100_000;

/// Evaluates points of a run.
pub(super) struct Evaluator<'a> {
    experiment: &'a dyn Experiment,
    pool: rayon::ThreadPool,
    remembered: HashMap<Point, Result<Metrics, Failure>>,
}

impl<'a> Evaluator<'a> {
    /// Evaluates as many points at once as it has threads.
    pub(super) fn new(experiment: &'a dyn Experiment, count: usize) -> Result<Self, RunError> {
        let pool = deep_stack::pool(count)
            .map_err(|source| RunError::Threads { threads: count, source })?;
        Ok(Self { experiment, pool, remembered: HashMap::new() })
    }

    /// What becomes of each point in a phase, and what that took. Equal points are evaluated once,
    /// however many of them are asked for together.
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

    /// The metrics of a point, unless it need not be evaluated, what becomes of it, and what that
    /// took.
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
