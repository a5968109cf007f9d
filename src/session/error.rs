//! How an experiment, a run or a sweep refuses to begin or to go on.

use std::path::PathBuf;

use super::change::Change;
use crate::run::RunError;
use crate::script::{Diagnostic, ScriptError, Sources, SweepPairsError};
use crate::store::StoreError;

/// How an experiment, a run or a sweep refuses to begin or to go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file is neither a script nor settings.
    #[error("{path} is not an experiment")]
    NotAnExperiment {
        /// The file.
        path: PathBuf,
    },
    /// The experiment cannot be loaded.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A function of the experiment fails, at a place that is known.
    #[error("{diagnostic}")]
    Call {
        /// What is said before it.
        head: Option<String>,
        /// What is wrong and where.
        diagnostic: Box<Diagnostic>,
        /// The texts that it points into.
        sources: Sources,
    },
    /// The experiment fails, for a reason without a place.
    #[error("{0}")]
    Failed(String),
    /// Texts of parts that give no point of the space.
    #[error("{0}")]
    Point(String),
    /// The pairs of a sweep cannot be made.
    #[error(transparent)]
    SweepPairs(Box<SweepPairsError>),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run stops.
    #[error(transparent)]
    Run(RunError),
    /// Settings that have no stored form.
    #[error("the settings cannot be stored: {0}")]
    Unstorable(serde_json::Error),
    /// Settings in the store that are none.
    #[error(
        "the settings of run `{run}` cannot be read{}: {error}",
        if *.is_doubtful { ", as its record was read from a damaged page" } else { "" }
    )]
    StoredSettings {
        /// The run's name.
        run: String,
        /// Whether its record was read from a damaged page.
        is_doubtful: bool,
        /// What is wrong with them.
        error: serde_json::Error,
    },
    /// The run's experiment changed.
    #[error("run `{run}` cannot go on: {}", Change::list(changes))]
    Changed {
        /// The run's name.
        run: String,
        /// What changed.
        changes: Vec<Change>,
    },
    /// A run of which nothing is known but its trials.
    #[error(
        "the record of run `{run}` was lost with a damaged store, so that its experiment is not known"
    )]
    UnknownExperiment {
        /// The run's name.
        run: String,
    },
    /// A run of which something was lost: what comes next would be another's.
    #[error(
        "run `{run}` was salvaged from a damaged store, and {}",
        if *.record { "its record is lost or doubtful" } else { "trials of it are lost" }
    )]
    Lost {
        /// The run's name.
        run: String,
        /// Whether its record is lost or doubtful.
        record: bool,
        /// Whether its experiment is known.
        is_known: bool,
    },
    /// A run that came to its end.
    #[error("run `{run}` is finished{why}")]
    Finished {
        /// The run's name.
        run: String,
        /// What ended it.
        why: String,
        /// What to do instead.
        help: String,
    },
    /// A limit of fewer trials than there are.
    #[error("run `{run}` has {trials} trials already, more than {steps}")]
    Fewer {
        /// The run's name.
        run: String,
        /// Its trials.
        trials: u64,
        /// The limit.
        steps: u64,
    },
}

impl From<SweepPairsError> for SessionError {
    fn from(error: SweepPairsError) -> Self {
        Self::SweepPairs(Box::new(error))
    }
}

impl SessionError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotAnExperiment { .. } => {
                "an experiment is a .rhai script, or a .yaml file that names one".to_owned()
            }
            Self::Changed { run, .. } => {
                format!(
                    "undo the change, or `tandem resume {run} --fork` to start a new run with it"
                )
            }
            Self::UnknownExperiment { .. } => {
                "`tandem run FILE` starts a new run of the experiment".to_owned()
            }
            Self::Lost { run, is_known: false, .. } => {
                format!("`tandem show {run}` shows what is left of it")
            }
            Self::Lost { run, record: true, .. } => format!(
                "if `tandem show {run}` shows the right file and settings, `tandem resume {run} --fork` \
                 starts a new run with them"
            ),
            Self::Lost { run, .. } => {
                format!("`tandem resume {run} --fork` starts a new run with its settings")
            }
            Self::Finished { help, .. } => help.clone(),
            Self::Fewer { run, .. } => {
                format!("`tandem resume {run} --steps N` takes the number of all its trials")
            }
            _ => return None,
        })
    }
}
