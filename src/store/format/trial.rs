//! Trials: points of the space with their metrics and rewards.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The point has a reward.
    Done {
        /// The metrics by name.
        metrics: BTreeMap<String, f64>,
        /// The reward that the controller received.
        reward: f64,
        /// True if all constraints of the phase are satisfied.
        valid: bool,
    },
    /// The evaluation or the reward failed.
    Failed {
        /// The metrics by name; empty if the evaluation failed.
        metrics: BTreeMap<String, f64>,
        /// The error.
        reason: String,
    },
}

impl Outcome {
    /// Returns the reward; `None` for a failed trial.
    pub const fn reward(&self) -> Option<f64> {
        match self {
            Self::Done { reward, .. } => Some(*reward),
            Self::Failed { .. } => None,
        }
    }

    /// Returns true if the trial has a reward and satisfies all constraints of its phase.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Done { valid: true, .. })
    }

    /// Returns the error of a failed trial.
    pub const fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed { reason, .. } => Some(reason.as_str()),
            Self::Done { .. } => None,
        }
    }

    /// Returns a metric by its name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics().get(name).copied()
    }

    /// Returns all metrics by name.
    pub const fn metrics(&self) -> &BTreeMap<String, f64> {
        match self {
            Self::Done { metrics, .. } | Self::Failed { metrics, .. } => metrics,
        }
    }
}

/// A trial of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number within the run, from 0.
    pub step: u64,
    /// The number of its phase, from 0.
    pub phase: u32,
    /// The index of the chosen option of each choice of the space.
    pub point: Vec<u16>,
    /// A readable text of each part of the point, by the part's name.
    pub text: BTreeMap<String, String>,
    /// The result.
    pub outcome: Outcome,
}

/// The parts of an evaluation that came from the cache, as a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reused(u8);

impl Reused {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// All metrics: the run had evaluated the point before.
    pub const METRICS: Self = Self(1);
    /// The accuracy of a network.
    pub const ACCURACY: Self = Self(2);
    /// The estimate of an accelerator.
    pub const ESTIMATE: Self = Self(4);

    /// Returns the union of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns true if nothing came from the cache.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Returns the names of the cached parts.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (Self::METRICS, "metrics"),
            (Self::ACCURACY, "accuracy"),
            (Self::ESTIMATE, "estimate"),
        ];
        all.into_iter().filter(move |(one, _)| self.0 & one.0 != 0).map(|(_, name)| name)
    }

    /// Returns the names of the cached parts, joined by commas.
    pub fn text(self) -> String {
        self.names().collect::<Vec<_>>().join(",")
    }

    pub(in crate::store) const fn bits(self) -> u8 {
        self.0
    }

    pub(in crate::store) const fn of_bits(bits: u8) -> Self {
        Self(bits)
    }
}

/// The cost of a trial. It differs between equal runs, so it is stored beside the trial, not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCost {
    /// The time of the evaluation, in microseconds.
    pub micros: u64,
    /// The cached parts of the evaluation.
    pub reused: Reused,
}

impl TrialCost {
    /// Returns the time of the evaluation, in seconds.
    pub fn seconds(self) -> f64 {
        Duration::from_micros(self.micros).as_secs_f64()
    }
}

/// A trial with its cost: an entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The trial.
    pub trial: Trial,
    /// The cost of the trial.
    pub effort: TrialCost,
}

impl From<Trial> for Entry {
    fn from(trial: Trial) -> Self {
        Self { trial, effort: TrialCost::default() }
    }
}

impl Trial {
    /// Returns the name and value of the trial's first number that is infinite or NaN.
    pub(in crate::store) fn not_finite(&self) -> Option<String> {
        let of = |name: &str, value: f64| (!value.is_finite()).then(|| format!("{name} {value}"));
        let reward = self.outcome.reward().and_then(|reward| of("reward", reward));
        reward.or_else(|| self.outcome.metrics().iter().find_map(|(name, &value)| of(name, value)))
    }
}
