//! A trial: a point with its metrics and reward.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What became of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was evaluated and judged.
    Done {
        /// Its metrics by name.
        metrics: BTreeMap<String, f64>,
        /// What the controller was told.
        reward: f64,
        /// Whether it met the limits of its phase.
        valid: bool,
    },
    /// It could not be evaluated or judged.
    Failed {
        /// Its metrics, if it was evaluated.
        metrics: BTreeMap<String, f64>,
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// The reward; a failed trial has none.
    pub const fn reward(&self) -> Option<f64> {
        match self {
            Self::Done { reward, .. } => Some(*reward),
            Self::Failed { .. } => None,
        }
    }

    /// Whether it has a reward and met the limits of its phase.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Done { valid: true, .. })
    }

    /// Why it failed, if it did.
    pub const fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed { reason, .. } => Some(reason.as_str()),
            Self::Done { .. } => None,
        }
    }

    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics().get(name).copied()
    }

    /// All metrics.
    pub const fn metrics(&self) -> &BTreeMap<String, f64> {
        match self {
            Self::Done { metrics, .. } | Self::Failed { metrics, .. } => metrics,
        }
    }
}

/// One trial of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number within the run, from 0.
    pub step: u64,
    /// The number of its phase, from 0.
    pub phase: u32,
    /// The option of each choice.
    pub point: Vec<u16>,
    /// The readable text of each part of the point.
    pub text: BTreeMap<String, String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What of an evaluation was known before it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reused(u8);

impl Reused {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// All metrics: the run had evaluated the point before.
    pub const METRICS: Self = Self(1);
    /// An accuracy.
    pub const ACCURACY: Self = Self(2);
    /// An estimate of an accelerator.
    pub const ESTIMATE: Self = Self(4);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing was known.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// The names of what was known.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (Self::METRICS, "metrics"),
            (Self::ACCURACY, "accuracy"),
            (Self::ESTIMATE, "estimate"),
        ];
        all.into_iter().filter(move |(one, _)| self.0 & one.0 != 0).map(|(_, name)| name)
    }

    /// The names of what was known, joined by commas.
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

/// The cost of a trial. It differs from run to run, so it is kept beside the trial, not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCost {
    /// The time of the evaluation, in microseconds.
    pub micros: u64,
    /// What of it was known before.
    pub reused: Reused,
}

impl TrialCost {
    /// The time of the evaluation, in seconds.
    pub fn seconds(self) -> f64 {
        Duration::from_micros(self.micros).as_secs_f64()
    }
}

/// A trial and what it took: one entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The trial.
    pub trial: Trial,
    /// What it took.
    pub effort: TrialCost,
}

impl From<Trial> for Entry {
    fn from(trial: Trial) -> Self {
        Self { trial, effort: TrialCost::default() }
    }
}

impl Trial {
    /// The first number of the trial that is infinite or not a number.
    pub(in crate::store) fn not_finite(&self) -> Option<String> {
        let of = |name: &str, value: f64| (!value.is_finite()).then(|| format!("{name} {value}"));
        let reward = self.outcome.reward().and_then(|reward| of("reward", reward));
        reward.or_else(|| self.outcome.metrics().iter().find_map(|(name, &value)| of(name, value)))
    }
}
