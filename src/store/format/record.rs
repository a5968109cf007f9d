//! Records of runs: everything that is stored of a run besides its trials.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::metrics::{Origin, Trust};
use crate::pareto::{Objective, Weighted};

/// The progress of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The run is stored and has not started.
    Created,
    /// A process is working on the run, or was killed while it did.
    Running,
    /// The run was stopped and can be resumed.
    Interrupted,
    /// The run is complete.
    Finished,
    /// The run ended with an error.
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

/// A phase of a run: successive trials with their own controller, searched parts and reward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Its position among the run's phases, from 0.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The step of its first trial.
    pub first_step: u64,
    /// The most trials that it can have; `None` if there is no such limit or it is unknown.
    #[serde(default)]
    pub steps: Option<u64>,
    /// The hash of everything that defines it.
    pub digest: String,
}

/// The progress and results of a sweep, besides its trials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// The number of pairs to evaluate.
    pub pairs: u64,
    /// The number of networks among them.
    pub networks: u64,
    /// The number of accelerator configurations among them.
    pub configurations: u64,
    /// The number of networks that are left out because they have no accuracy.
    pub left_out: u64,
    /// The number of networks whose pairs are all evaluated.
    pub done: u64,
    /// The number of points of the Pareto frontier, which are the first trials.
    pub frontier: u64,
    /// The number of evaluated pairs that can run.
    pub running: u64,
    /// The lowest and highest value of each metric, by its name. Latencies are those of pairs that can run.
    pub ranges: BTreeMap<String, (f64, f64)>,
    /// The time spent, in seconds.
    pub seconds: f64,
    /// The objectives, in the order of their phases.
    pub goals: Vec<GoalRecord>,
    /// Remarks on pairs that were left out of the results.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// An objective of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalRecord {
    /// Its name.
    pub name: String,
    /// The weighted sum of metrics to maximize, and the constraints.
    pub objective: Weighted,
    /// The number of pairs that satisfy its constraints.
    pub valid: u64,
    /// The least violation on the frontier if no pair satisfies the constraints: the sum of the relative
    /// excesses, and the step of the trial.
    pub nearest: Option<(f64, u64)>,
}

/// A run: one execution of an experiment with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its name, unique in the store.
    pub name: String,
    /// Its number among the runs of the experiment, from 1.
    pub number: u32,
    /// The path of the experiment's file, as given.
    pub file: String,
    /// The hash of each source text by the name of its file: the script and its imports.
    pub sources: BTreeMap<String, String>,
    /// The settings, including overrides.
    pub settings: serde_json::Value,
    /// The content of the settings file, without overrides.
    #[serde(default)]
    pub defaults: serde_json::Value,
    /// The seed.
    pub seed: u64,
    /// The most trials that it can have; `None` if unlimited.
    pub steps: Option<u64>,
    /// The objectives of its Pareto frontier.
    pub objectives: Vec<Objective>,
    /// Its progress.
    pub status: Status,
    /// The name and version of the program.
    pub program: String,
    /// Versions and hashes of the data and models it uses.
    pub data: BTreeMap<String, String>,
    /// The provenance of its numbers, and their trustworthiness.
    #[serde(default)]
    pub origins: Vec<Origin>,
    /// The progress and results of the sweep; `None` if the run is a search.
    #[serde(default)]
    pub sweep: Option<SweepRecord>,
    /// The run that it was forked from.
    pub forked_from: Option<String>,
    /// The time of its creation, in seconds since 1970.
    pub created_s: u64,
    /// The time of the last change of its record, in seconds since 1970.
    pub updated_s: u64,
    /// The phases that it has entered, in order.
    pub phases: Vec<PhaseRecord>,
    /// The number of its trials at the last checkpoint.
    pub trials: u64,
    /// The number of failed trials among them.
    pub failed: u64,
    /// The losses, if the run was salvaged from a damaged store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// The parts of a salvaged run that were lost with the damaged store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The first and the last step of each series of lost trials, which failed trials replace.
    pub trials: Vec<(u64, u64)>,
    /// True if the run's record is lost or was read from a damaged page.
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
    /// Creates the record of a new run of an experiment's file. All but the names and times is empty or zero.
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

    /// Returns the number of trials at which the run, or its present phase if that is earlier, ends at the
    /// latest; `None` if neither limit is known.
    pub fn end(&self) -> Option<u64> {
        let phase = self.phases.last();
        let phase_end = phase.and_then(|phase| Some(phase.first_step + phase.steps?));
        match (self.steps, phase_end) {
            (Some(steps), Some(end)) => Some(steps.min(end)),
            (steps, end) => steps.or(end),
        }
    }

    /// Returns true if some of its numbers are predicted, not measured.
    pub fn is_predicted(&self) -> bool {
        self.origins.iter().any(|origin| origin.trust == Some(Trust::Predicted))
    }

    /// Sets the time of the last change to the present.
    pub fn touch(&mut self) {
        self.updated_s = now_s();
    }
}

/// Returns the present time, in seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
