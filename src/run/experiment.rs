//! The interface between a run and its experiment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::RunError;
use super::failure::Failure;
use super::progress::Progress;
use super::threshold::Threshold;
use crate::metrics::{Metrics, Origin};
use crate::pareto::Objective;
use crate::search::ControllerSpec;
use crate::space::{Point, Space, Subspace};
use crate::store::{Outcome, Reused};

/// The reward of a pair, and its feasibility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reward {
    /// The number to maximize.
    pub value: f64,
    /// True if the pair is feasible: it satisfies the phase's constraints.
    pub valid: bool,
}

/// The reward function of a phase.
pub type RewardFn = Arc<dyn Fn(&Metrics) -> Result<Reward, Failure> + Send + Sync>;

/// A function that computes the cheap metrics of a point.
pub type ScreenFn = Arc<dyn Fn(&Point) -> Result<Metrics, Failure> + Send + Sync>;

/// A phase of a run, with a controller, searched parts and a reward of its own.
#[derive(Clone)]
pub struct Phase {
    /// The name, for people.
    pub name: String,
    /// The parts of the space that are searched.
    pub search: Vec<String>,
    /// The point that fixes the options of the parts that are not searched.
    pub held: Option<Point>,
    /// The number of trials after which the phase ends.
    pub steps: Option<u64>,
    /// The number of feasible trials after which the phase ends.
    pub valid: Option<u64>,
    /// The kind and settings of the controller.
    pub controller: ControllerSpec,
    /// The name under which later phases continue this controller; a phase without one starts a new
    /// controller.
    pub keep: Option<String>,
    /// The reward function.
    pub reward: RewardFn,
    /// The function for cheap metrics. A point that the reward finds infeasible by these alone is not
    /// evaluated: its trial has these metrics and that reward.
    pub screen: Option<ScreenFn>,
    /// A text that differs for different phases, the reward included.
    pub description: String,
}

impl Phase {
    /// The part of the experiment's space that the phase searches.
    ///
    /// # Errors
    /// `steps` is missing or 0, `valid` is 0, the searched parts are none or unknown, a part is neither
    /// searched nor fixed, or the phase has a screen but the experiment declares no objectives.
    pub fn subspace(&self, experiment: &dyn Experiment) -> Result<Subspace, RunError> {
        let space = experiment.space();
        let refuse = |reason: &str| {
            Err(RunError::Phase { phase: self.name.clone(), reason: reason.to_owned() })
        };
        if self.steps.is_none_or(|steps| steps == 0) {
            return refuse("`steps` must be at least 1");
        }
        if self.valid == Some(0) {
            return refuse("`valid` must be at least 1");
        }
        if self.screen.is_some() && experiment.objectives().is_empty() {
            return refuse(
                "it has a `screen`, so not every trial has all metrics: declare the ones that \
                 matter, `fn objectives() { [\"accuracy:max\", ...] }`",
            );
        }
        if self.search.is_empty() {
            let parts: Vec<&str> = space.parts().iter().map(|part| part.name.as_str()).collect();
            return refuse(&format!("`search` names no part; the space has {}", parts.join(", ")));
        }
        let whole = space.parts().iter().all(|part| self.search.contains(&part.name));
        let known = |name: &String| space.parts().iter().any(|part| part.name == *name);
        let held = match &self.held {
            Some(point) => point.clone(),
            None if whole || !self.search.iter().all(known) => space.zero_point(),
            None => {
                return refuse(
                    "it does not search every part and has no `fixed` point for the others",
                );
            }
        };
        space
            .subspace(&self.search, &held)
            .map_err(|source| RunError::Space { phase: self.name.clone(), source })
    }

    /// Screens a point: its outcome if the cheap metrics decide it, without an evaluation.
    ///
    /// If the reward fails on these metrics, they decide nothing.
    pub fn screened(&self, point: &Point) -> Option<Evaluated> {
        let metrics = match self.screen.as_ref()?(point).and_then(all_finite) {
            Ok(metrics) => metrics,
            Err(failure) => return Some(Evaluated::failed(Metrics::new(), failure)),
        };
        match (self.reward)(&metrics) {
            Ok(reward @ Reward { value, valid: false }) if value.is_finite() => {
                Some(Evaluated::done(metrics, reward))
            }
            _ => None,
        }
    }

    /// Judges a point by its metrics.
    pub fn judge(&self, metrics: &Result<Metrics, Failure>) -> Evaluated {
        let metrics = match metrics {
            Ok(metrics) => metrics.clone(),
            Err(failure) => return Evaluated::failed(Metrics::new(), failure.clone()),
        };
        match (self.reward)(&metrics) {
            Ok(reward) if reward.value.is_finite() => Evaluated::done(metrics, reward),
            Ok(Reward { value, .. }) => {
                Evaluated::failed(metrics, Failure::new(format!("the reward is {value}")))
            }
            Err(failure) => Evaluated::failed(metrics, failure),
        }
    }
}

/// The result of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The outcome, as it is stored.
    pub outcome: Outcome,
    /// The failure behind the outcome, if the trial failed.
    pub failure: Option<Failure>,
}

impl Evaluated {
    fn done(metrics: Metrics, Reward { value, valid }: Reward) -> Self {
        Self { outcome: Outcome::Done { metrics, reward: value, valid }, failure: None }
    }

    fn failed(metrics: Metrics, failure: Failure) -> Self {
        let reason = failure.message().to_owned();
        Self { outcome: Outcome::Failed { metrics, reason }, failure: Some(failure) }
    }
}

/// An experiment: a space, the evaluation of points, and a schedule of phases.
///
/// Its results depend on the arguments alone.
pub trait Experiment: Sync {
    /// The space of points.
    fn space(&self) -> &Space;

    /// The objectives of the frontier.
    fn objectives(&self) -> &[Objective];

    /// The thresholds, which must hold when a run ends.
    fn thresholds(&self) -> &[Threshold] {
        &[]
    }

    /// Evaluates the metrics of a legal point.
    ///
    /// # Errors
    /// The pair cannot be evaluated; the trial is recorded as failed.
    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure>;

    /// The cached results that evaluations on this thread have used since the last call.
    fn take_reused(&self) -> Reused {
        Reused::NOTHING
    }

    /// The next phase; `None` ends the run.
    ///
    /// It is called at the start of a run and at the end of each phase, and again with the same progress when
    /// the run is resumed.
    ///
    /// # Errors
    /// The schedule fails; the run stops.
    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure>;

    /// The obstacle that kept the last calls from succeeding, if it was not the points themselves.
    fn obstacle(&self) -> Option<Obstacle> {
        None
    }

    /// The provenance of the numbers so far.
    fn provenance(&self) -> Provenance {
        Provenance::default()
    }
}

/// Reasons that an experiment fails for any point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The work was interrupted: the run ends, and evaluates again when it is resumed.
    Interrupted,
    /// Something that every point needs is missing or broken, such as a table or the disk. The run ends with
    /// this failure, and no trial records it.
    Unusable,
}

/// The provenance of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The sources of the numbers, and their trustworthiness.
    pub origins: Vec<Origin>,
    /// Versions and hashes of data and models by name; none may change within a run.
    pub versions: BTreeMap<String, String>,
}

/// Evaluates a legal point; all its metrics are finite.
///
/// # Errors
/// The pair cannot be evaluated, or a metric is infinite or not a number.
pub fn evaluate_finite(experiment: &dyn Experiment, point: &Point) -> Result<Metrics, Failure> {
    all_finite(experiment.evaluate(point)?)
}

fn all_finite(metrics: Metrics) -> Result<Metrics, Failure> {
    match metrics.iter().find(|(_, value)| !value.is_finite()) {
        Some((name, value)) => Err(Failure::new(format!("metric `{name}` is {value}"))),
        None => Ok(metrics),
    }
}
