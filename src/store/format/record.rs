//! What is kept of a run beside its trials.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::metrics::{Origin, Trust};
use crate::pareto::{Objective, Weighted};

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is in the store and has not started.
    Created,
    /// A process works on it, or was killed while it did.
    Running,
    /// It was stopped and can be resumed.
    Interrupted,
    /// It has come to its end.
    Finished,
    /// It ended with an error.
    Failed {
        /// The error.
        reason: String,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Finished => "finished",
            Self::Failed { .. } => "failed",
        })
    }
}

/// A stretch of a run with its own controller, searched parts and reward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Its position among the run's phases.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The step of its first trial.
    pub first_step: u64,
    /// After how many trials it ends at the latest, if that is known.
    #[serde(default)]
    pub steps: Option<u64>,
    /// A hash of everything that defines it.
    pub digest: String,
}

/// What is known of a sweep beside its trials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// Pairs of the space that were or will be evaluated.
    pub pairs: u64,
    /// Networks among them.
    pub networks: u64,
    /// Configurations of the accelerator.
    pub configurations: u64,
    /// Networks of the space that have no accuracy and are left out.
    pub left_out: u64,
    /// Networks that are done.
    pub done: u64,
    /// Points of the frontier, which are the first trials.
    pub frontier: u64,
    /// Pairs that can run.
    pub running: u64,
    /// The lowest and highest accuracy, latency in ms of the pairs that run, and area in mm2.
    pub ranges: BTreeMap<String, (f64, f64)>,
    /// Time spent, in seconds.
    pub seconds: f64,
    /// The objectives, in the order of their phases.
    pub goals: Vec<GoalRecord>,
    /// What is to be said of pairs that were left out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// An objective of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalRecord {
    /// Its name.
    pub name: String,
    /// What it is.
    pub objective: Weighted,
    /// How many pairs keep its limits.
    pub valid: u64,
    /// The sum of relative excesses of the pair that comes closest to the limits, and the step of
    /// that pair, where none keeps them.
    pub nearest: Option<(f64, u64)>,
}

/// A run: one execution of an experiment with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its name, unique in the store.
    pub name: String,
    /// How many runs of the experiment there were with it.
    pub number: u32,
    /// The experiment's file, as it was given.
    pub file: String,
    /// The hash of each source text by its file's name: the script and what it imports.
    pub sources: BTreeMap<String, String>,
    /// The settings, overrides included.
    pub settings: serde_json::Value,
    /// What the settings file said, before any override.
    #[serde(default)]
    pub defaults: serde_json::Value,
    /// The seed.
    pub seed: u64,
    /// The limit of trials, if it has one.
    pub steps: Option<u64>,
    /// The objectives of its frontier.
    pub objectives: Vec<Objective>,
    /// How far it has come.
    pub status: Status,
    /// The name and version of the program.
    pub program: String,
    /// Versions and hashes of the data and models it uses.
    pub data: BTreeMap<String, String>,
    /// Where its numbers come from, and how far they can be trusted.
    #[serde(default)]
    pub origins: Vec<Origin>,
    /// What is known of it if it is a sweep.
    #[serde(default)]
    pub sweep: Option<SweepRecord>,
    /// The run that it was forked from.
    pub forked_from: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
    /// When its record last changed, in seconds since 1970.
    pub updated_s: u64,
    /// The phases it has entered.
    pub phases: Vec<PhaseRecord>,
    /// Its trials at the last checkpoint.
    pub trials: u64,
    /// How many of those failed.
    pub failed: u64,
    /// What of it was lost, if it was salvaged from a damaged store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// What of a run was lost with the store that it was salvaged from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The first and the last step of each stretch of trials in whose places are failed ones.
    pub trials: Vec<(u64, u64)>,
    /// Whether the run's record was read from a damaged page or is lost.
    pub record: bool,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if self.record {
            parts.push("its record, or it is doubtful".to_owned());
        }
        parts.extend(self.trials.iter().map(|(first, last)| match first == last {
            true => format!("trial {first}"),
            false => format!("trials {first} to {last}"),
        }));
        f.write_str(&parts.join(", "))
    }
}

impl RunRecord {
    /// A run of an experiment's file that is made now and has not started, with nothing else known of
    /// it.
    pub fn new(name: &str, file: &str) -> Self {
        let now = now_s();
        Self {
            name: name.to_owned(),
            number: 0,
            file: file.to_owned(),
            sources: BTreeMap::new(),
            settings: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
            seed: 0,
            steps: None,
            objectives: Vec::new(),
            status: Status::Created,
            program: String::new(),
            data: BTreeMap::new(),
            origins: Vec::new(),
            sweep: None,
            forked_from: None,
            created_s: now,
            updated_s: now,
            phases: Vec::new(),
            trials: 0,
            failed: 0,
            lost: None,
        }
    }

    /// The number of trials at which the run ends at the latest, or its present phase if that comes
    /// first; `None` if neither is known.
    pub fn end(&self) -> Option<u64> {
        let phase = self.phases.last();
        let phase_end = phase.and_then(|phase| Some(phase.first_step + phase.steps?));
        match (self.steps, phase_end) {
            (Some(steps), Some(end)) => Some(steps.min(end)),
            (steps, end) => steps.or(end),
        }
    }

    /// Whether its accuracies are predicted, not measured.
    pub fn is_predicted(&self) -> bool {
        self.origins.iter().any(|origin| origin.trust == Some(Trust::Predicted))
    }

    /// Notes that the record changes now.
    pub fn touch(&mut self) {
        self.updated_s = now_s();
    }
}

/// The time in seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
