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

/// What a controller is told of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reward {
    /// The number to maximise.
    pub value: f64,
    /// Whether the pair meets the phase's limits.
    pub valid: bool,
}

/// The reward of metrics, as one phase has it.
pub type RewardFn = Arc<dyn Fn(&Metrics) -> Result<Reward, Failure> + Send + Sync>;

/// Metrics of a point that cost little to know.
pub type ScreenFn = Arc<dyn Fn(&Point) -> Result<Metrics, Failure> + Send + Sync>;

/// A stretch of a run with its own controller, searched parts and reward.
#[derive(Clone)]
pub struct Phase {
    /// A name for people.
    pub name: String,
    /// The parts of the space that are searched.
    pub search: Vec<String>,
    /// The point that gives the options of the parts that are not searched.
    pub held: Option<Point>,
    /// After how many trials the phase ends.
    pub steps: Option<u64>,
    /// After how many valid trials the phase ends.
    pub valid: Option<u64>,
    /// The controller's recipe.
    pub controller: ControllerSpec,
    /// The name under which the controller goes on in later phases; a phase without one starts
    /// afresh.
    pub keep: Option<String>,
    /// The reward.
    pub reward: RewardFn,
    /// What is known of a point before it is evaluated. A point that the reward rejects by that
    /// alone is not evaluated: its trial has these metrics and that reward.
    pub screen: Option<ScreenFn>,
    /// A text that differs whenever the phase does, the reward included.
    pub description: String,
}

impl Phase {
    /// The stretch of an experiment's space that the phase searches.
    ///
    /// # Errors
    /// A limit of zero trials, a part that the space does not have, parts that are neither
    /// searched nor fixed, or a screen where nothing says which metrics every trial has.
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

    /// The outcome of a point that need not be evaluated, by what is known of it before.
    ///
    /// A reward that cannot do with these metrics rejects nothing.
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

    /// What becomes of a point with the given metrics.
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

/// What became of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The outcome, as it is stored.
    pub outcome: Outcome,
    /// Why it failed, if it did, with what is behind the reason.
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

/// An experiment: a space, how a point is judged, and what is searched when.
///
/// The answers depend on nothing but the arguments.
pub trait Experiment: Sync {
    /// What may be chosen.
    fn space(&self) -> &Space;

    /// The metrics that make the frontier.
    fn objectives(&self) -> &[Objective];

    /// What must hold when a run ends.
    fn thresholds(&self) -> &[Threshold] {
        &[]
    }

    /// The metrics of a legal point.
    ///
    /// # Errors
    /// The pair cannot be evaluated; the trial is recorded as failed.
    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure>;

    /// What the evaluations of this thread asked for and was known before, since the last call.
    fn take_reused(&self) -> Reused {
        Reused::NOTHING
    }

    /// The phase that follows; `None` ends the run.
    ///
    /// Asked at the start and at the end of each phase, and again with the same progress when a
    /// run is resumed.
    ///
    /// # Errors
    /// The schedule cannot be had; the run stops.
    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure>;

    /// What kept the last answers from being given, if it was not the points.
    fn obstacle(&self) -> Option<Obstacle> {
        None
    }

    /// What the numbers so far came from.
    fn provenance(&self) -> Provenance {
        Provenance::default()
    }
}

/// What keeps an experiment from answering, whatever the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The work was broken off: the run ends, and asks again when it is resumed.
    Interrupted,
    /// Something that every point needs is missing or broken, such as a table or the disk: the run
    /// ends with the failure, which is no trial's.
    Unusable,
}

/// What numbers came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// What gave them, and how far they can be trusted.
    pub origins: Vec<Origin>,
    /// Versions and hashes of data and models by name; within a run none may change.
    pub versions: BTreeMap<String, String>,
}

/// The metrics of a legal point, each of them finite.
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
