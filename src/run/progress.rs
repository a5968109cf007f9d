//! The progress of a run.

use std::sync::Arc;

use super::failure::Failure;
use crate::metrics::Metrics;
use crate::pareto::{Direction, Frontier, MissingMetric, Objective, costs};
use crate::store::{Outcome, Trial};

/// The progress of one phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseProgress {
    /// The phase's name.
    pub name: String,
    /// The number of trials.
    pub steps: u64,
    /// The number of feasible trials, which satisfy the phase's constraints.
    pub valid: u64,
    /// The trial with the highest reward, feasible ones before any other, the first of equals.
    pub best: Option<Arc<Trial>>,
}

/// The progress of a run: its trials in order, and all that follows from them.
#[derive(Clone, Debug)]
pub struct Progress {
    seed: u64,
    objectives: Vec<Objective>,
    trials: Vec<Arc<Trial>>,
    phases: Vec<PhaseProgress>,
    failed: u64,
    first_failure: Option<Failure>,
    frontier: Frontier<Arc<Trial>>,
}

impl Progress {
    /// Creates the progress of a run that has not started.
    ///
    /// Without objectives, they are derived from the names of the metrics of the first finished trial:
    /// `accuracy` is maximized; metrics in a unit of time, area or energy are minimized.
    pub fn new(objectives: Vec<Objective>, seed: u64) -> Self {
        let (trials, phases) = (Vec::new(), Vec::new());
        let (failed, first_failure, frontier) = (0, None, Frontier::new());
        Self { seed, objectives, trials, phases, failed, first_failure, frontier }
    }

    /// Starts a phase.
    pub fn enter(&mut self, name: &str) {
        self.phases.push(PhaseProgress { name: name.to_owned(), ..PhaseProgress::default() });
    }

    /// Adds the next trial of the current phase. An infeasible trial may lack objectives, if it was not
    /// evaluated to the end; it is then no candidate for the frontier.
    ///
    /// # Errors
    /// The metrics of a feasible trial lack that of an objective.
    pub fn add(&mut self, trial: Arc<Trial>) -> Result<(), MissingMetric> {
        if let Outcome::Done { metrics, valid, .. } = &trial.outcome {
            if self.objectives.is_empty() {
                self.objectives = customary(metrics);
            }
            match costs(&self.objectives, metrics) {
                Ok(costs) => {
                    self.frontier.offer(costs, trial.clone());
                }
                Err(missing) if *valid => return Err(missing),
                Err(_) => {}
            }
            if let Some(phase) = self.phases.last_mut() {
                phase.valid += u64::from(*valid);
                if phase.best.as_ref().is_none_or(|best| is_better(&trial.outcome, &best.outcome)) {
                    phase.best = Some(trial.clone());
                }
            }
        } else {
            self.failed += 1;
        }
        if let Some(phase) = self.phases.last_mut() {
            phase.steps += 1;
        }
        self.trials.push(trial);
        Ok(())
    }

    /// Keeps the failure of the trial that is added next, if it is the first.
    pub(super) fn note_failure(&mut self, failure: Failure) {
        if self.failed == 0 {
            self.first_failure.get_or_insert(failure);
        }
    }

    /// The failure of the first failed trial, with the error behind it if this process has seen the trial
    /// fail.
    pub fn first_failure(&self) -> Option<Failure> {
        let reason = self.trials.iter().find_map(|trial| trial.outcome.failure())?;
        let seen = self.first_failure.clone().filter(|failure| failure.message() == reason);
        Some(seen.unwrap_or_else(|| Failure::new(reason)))
    }

    /// The objectives of the frontier.
    pub fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    /// The number of trials.
    pub fn steps(&self) -> u64 {
        self.trials.len() as u64
    }

    /// The number of failed trials, which have no reward.
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// The number of feasible trials, which satisfy the constraints of their phase.
    pub fn valid(&self) -> u64 {
        self.phases.iter().map(|phase| phase.valid).sum()
    }

    /// The phases entered so far.
    pub fn phases(&self) -> &[PhaseProgress] {
        &self.phases
    }

    /// The trials, in order.
    pub fn trials(&self) -> &[Arc<Trial>] {
        &self.trials
    }

    /// The trial with the highest reward of any phase, feasible ones before any other, the first of equals.
    pub fn best(&self) -> Option<&Arc<Trial>> {
        let mut best: Option<&Arc<Trial>> = None;
        for trial in self.phases.iter().filter_map(|phase| phase.best.as_ref()) {
            if best.is_none_or(|best| is_better(&trial.outcome, &best.outcome)) {
                best = Some(trial);
            }
        }
        best
    }

    /// The run's seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of non-dominated trials.
    pub const fn frontier_len(&self) -> usize {
        self.frontier.len()
    }

    /// The non-dominated trials, best first by the first objective, then by the next.
    pub fn frontier(&self) -> Vec<&Arc<Trial>> {
        self.frontier.sorted().into_iter().map(|(_, trial)| trial).collect()
    }

    /// The finished trial with the best value of an objective among those that pass a filter, the first of
    /// equals.
    ///
    /// # Errors
    /// An error of the filter.
    pub fn extreme<E>(
        &self,
        objective: &Objective,
        mut filter: impl FnMut(&Metrics) -> Result<bool, E>,
    ) -> Result<Option<&Arc<Trial>>, E> {
        let mut best: Option<(f64, &Arc<Trial>)> = None;
        for trial in &self.trials {
            let Outcome::Done { metrics, .. } = &trial.outcome else { continue };
            let Some(&value) = metrics.get(&objective.metric) else { continue };
            let cost = objective.cost(value);
            if best.is_none_or(|(least, _)| cost < least) && filter(metrics)? {
                best = Some((cost, trial));
            }
        }
        Ok(best.map(|(_, trial)| trial))
    }
}

/// Returns true if an outcome beats another: by feasibility first, then by the reward.
fn is_better(a: &Outcome, b: &Outcome) -> bool {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Done { valid, reward, .. } => (*valid, *reward),
        Outcome::Failed { .. } => (false, f64::NEG_INFINITY),
    };
    rank(a) > rank(b)
}

/// Derives objectives from the metrics whose names imply a direction: `accuracy`, and units of time, area and
/// energy.
pub(super) fn customary(metrics: &Metrics) -> Vec<Objective> {
    let direction = |name: &str| {
        if name == "accuracy" {
            return Some(Direction::Max);
        }
        let cost = ["_ms", "_us", "_mm2", "_mj"].iter().any(|unit| name.ends_with(unit));
        cost.then_some(Direction::Min)
    };
    metrics
        .keys()
        .filter_map(|metric| {
            direction(metric).map(|direction| Objective { metric: metric.clone(), direction })
        })
        .collect()
}
