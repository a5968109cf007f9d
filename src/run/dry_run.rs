//! A rehearsal of a run: a few points of each phase are evaluated and stand for all its trials.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::RunError;
use super::experiment::{Evaluated, Experiment, Phase, evaluate_finite};
use super::failure::Failure;
use super::progress::Progress;
use super::runner::{is_over, told, trial};
use crate::pareto::MissingMetric;
use crate::search::SearchSpace;
use crate::store::{Entry, Outcome, Trial, TrialCost};

/// The number of points that are evaluated: of the first phase, which the time estimate needs, and of each
/// later one.
const POINTS: (u64, u64) = (64, 8);

/// The maximum number of rehearsed phases.
const MAX_PHASES: usize = 100;

/// A rehearsed phase.
#[derive(Clone, Debug)]
pub struct DryRunPhase {
    /// The phase's name.
    pub name: String,
    /// The controller's name.
    pub controller: &'static str,
    /// The parts of the space that are searched.
    pub search: Vec<String>,
    /// The number of trials after which it ends.
    pub steps: Option<u64>,
    /// The number of feasible trials after which it ends.
    pub valid: Option<u64>,
    /// The estimated number of its trials, if all are like the evaluated ones.
    pub trials: u64,
    /// The number of points that were asked for.
    pub asked: u64,
    /// The failure of the first failed point.
    pub failure: Option<Failure>,
    /// The number of points that the screen decided, without an evaluation.
    pub screened: u64,
    /// The controller's time per trial, in seconds.
    pub controller_s: f64,
    /// The number of points that the controller proposes at once.
    pub batch: usize,
}

/// Reasons that a rehearsal ends.
#[derive(Clone, Debug, PartialEq)]
pub enum DryRunEnd {
    /// The schedule has no more phases.
    Schedule,
    /// The limit of trials is reached.
    Limit,
    /// The time is up, or the maximum number of phases is reached.
    Cut,
    /// The schedule fails on the estimated progress, which differs from that of a real run.
    Failed(Failure),
}

/// A rehearsed run.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// The phases, in order.
    pub phases: Vec<DryRunPhase>,
    /// The reason that there are no more.
    pub end: DryRunEnd,
    /// The estimated progress, if all trials are like the evaluated ones.
    pub progress: Progress,
    /// The trials of the points that were asked for.
    pub entries: Vec<Entry>,
}

impl DryRun {
    /// Rehearses a run of an experiment with a seed and at most `limit` trials, in about the time `within`.
    ///
    /// `evaluated` is called after each evaluation, with the index of its phase.
    ///
    /// # Errors
    /// The schedule fails before the first phase, a phase or its controller is invalid, or a trial lacks an
    /// objective.
    pub fn of(
        experiment: &dyn Experiment,
        seed: u64,
        limit: Option<u64>,
        within: Duration,
        evaluated: &mut dyn FnMut(usize),
    ) -> Result<Self, RunError> {
        let until = Instant::now() + within;
        let mut dry_run = Self {
            phases: Vec::new(),
            end: DryRunEnd::Cut,
            progress: Progress::new(experiment.objectives().to_vec(), seed),
            entries: Vec::new(),
        };
        while dry_run.phases.len() < MAX_PHASES && Instant::now() < until {
            let phase = match experiment.next_phase(&dry_run.progress) {
                Ok(Some(phase)) => phase,
                Ok(None) => {
                    dry_run.end = DryRunEnd::Schedule;
                    break;
                }
                Err(failure) if dry_run.phases.is_empty() => {
                    return Err(RunError::Schedule(failure));
                }
                Err(failure) => {
                    dry_run.end = DryRunEnd::Failed(failure);
                    break;
                }
            };
            let samples = dry_run.try_out(experiment, &phase, limit, until, evaluated)?;
            if !dry_run.fill(&phase, &samples, limit, until)? {
                break;
            }
            if limit.is_some_and(|limit| dry_run.progress.steps() >= limit) {
                dry_run.end = DryRunEnd::Limit;
                break;
            }
        }
        Ok(dry_run)
    }

    /// Enters a phase and evaluates a few of its points.
    fn try_out(
        &mut self,
        experiment: &dyn Experiment,
        phase: &Phase,
        limit: Option<u64>,
        until: Instant,
        evaluated: &mut dyn FnMut(usize),
    ) -> Result<Vec<Arc<Trial>>, RunError> {
        let subspace = phase.subspace(experiment)?;
        let failed = |source| RunError::Controller { phase: phase.name.clone(), source };
        let index = self.phases.len();
        // As a run names them: what is tried out are the first points of the run.
        let name = phase.keep.clone().unwrap_or_else(|| format!("phase {index}"));
        let mut controller = phase
            .controller
            .build(SearchSpace::from(&subspace), self.progress.seed(), &name)
            .map_err(failed)?;
        self.progress.enter(&phase.name);
        let batch = controller.batch().max(1);
        let points = if index == 0 { POINTS.0 } else { POINTS.1 };
        let steps = phase.steps.unwrap_or(u64::MAX).min(points);
        let left = limit.map_or(u64::MAX, |limit| limit - self.progress.steps());
        let (mut samples, mut screened, mut first_failure) = (Vec::new(), 0, None);
        let mut deciding = Duration::ZERO;
        while (samples.len() as u64) < steps.min(left)
            && (samples.is_empty() || Instant::now() < until)
        {
            let mut outcomes: Vec<Outcome> = Vec::new();
            for _ in 0..batch {
                let asking = Instant::now();
                let options = controller.ask().map_err(failed)?;
                deciding += asking.elapsed();
                let point = subspace.point(&options);
                let started = Instant::now();
                let found = if let Some(found) = phase.screened(&point) {
                    screened += 1;
                    found
                } else {
                    let found = phase.judge(&evaluate_finite(experiment, &point));
                    evaluated(index);
                    found
                };
                let Evaluated { outcome, failure } = found;
                first_failure = first_failure.or(failure);
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                let step = self.progress.steps() + samples.len() as u64;
                let trial = trial(experiment, step, index, &point, outcome.clone());
                let effort = TrialCost { micros, reused: experiment.take_reused() };
                self.entries.push(Entry { trial: trial.clone(), effort });
                samples.push(Arc::new(trial));
                outcomes.push(outcome);
                if samples.len() as u64 >= steps.min(left) || Instant::now() >= until {
                    break;
                }
            }
            if outcomes.len() == batch {
                let telling = Instant::now();
                for outcome in &outcomes {
                    let told = told(self.progress.objectives(), outcome);
                    controller.tell(told).map_err(failed)?;
                }
                deciding += telling.elapsed();
            }
        }
        self.phases.push(DryRunPhase {
            name: phase.name.clone(),
            controller: phase.controller.name(),
            search: phase.search.clone(),
            steps: phase.steps,
            valid: phase.valid,
            trials: 0,
            asked: samples.len() as u64,
            failure: first_failure,
            screened,
            #[expect(clippy::cast_precision_loss, reason = "some tens of points")]
            controller_s: deciding.as_secs_f64() / samples.len().max(1) as f64,
            batch,
        });
        Ok(samples)
    }

    /// The estimated number of trials of all phases.
    pub fn trials(&self) -> u64 {
        self.phases.iter().map(|phase| phase.trials).sum()
    }

    /// Adds the trials of the sampled points repeatedly until the phase ends; `false` if that takes too long.
    fn fill(
        &mut self,
        phase: &Phase,
        samples: &[Arc<Trial>],
        limit: Option<u64>,
        until: Instant,
    ) -> Result<bool, RunError> {
        let first = self.progress.steps();
        let mut whole = true;
        for (trial, count) in samples.iter().cycle().zip(0_u64..) {
            let step = self.progress.steps();
            if is_over(phase, &self.progress) || limit.is_some_and(|limit| step >= limit) {
                break;
            }
            if count.is_multiple_of(1_024) && count > 0 && Instant::now() >= until {
                whole = false;
                break;
            }
            self.progress
                .add(trial.clone())
                .map_err(|MissingMetric(metric)| RunError::MissingObjective { step, metric })?;
        }
        let done = self.progress.steps() - first;
        if let Some(last) = self.phases.last_mut() {
            let left = limit.map_or(u64::MAX, |limit| limit - first);
            last.trials = if whole { done } else { expected(phase, samples).min(left).max(done) };
        }
        Ok(whole)
    }
}

/// The estimated number of trials of a phase, from the share of feasible ones among its samples.
fn expected(phase: &Phase, samples: &[Arc<Trial>]) -> u64 {
    let valid = samples.iter().filter(|trial| trial.outcome.is_valid()).count() as u64;
    let for_valid = phase.valid.filter(|_| valid > 0);
    let for_valid = for_valid.map(|wanted| wanted.saturating_mul(samples.len() as u64) / valid);
    phase.steps.unwrap_or(u64::MAX).min(for_valid.unwrap_or(u64::MAX))
}
