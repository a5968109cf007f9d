//! Reasons that an experiment, a run or a sweep cannot start or continue.

use std::path::PathBuf;

use super::change::Change;
use crate::run::RunError;
use crate::script::{Diagnostic, ScriptError, Sources, SweepPairsError};
use crate::store::StoreError;

/// Reasons that an experiment, a run or a sweep cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file is neither a script nor a settings file.
    #[error("{path} is not an experiment")]
    NotAnExperiment {
        /// The file.
        path: PathBuf,
    },
    /// The experiment cannot be loaded.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A function of the experiment fails, at a known place.
    #[error("{diagnostic}")]
    Call {
        /// The text before the message.
        head: Option<String>,
        /// The message and its place.
        diagnostic: Box<Diagnostic>,
        /// The texts that the place refers to.
        sources: Sources,
    },
    /// The experiment fails, for a reason without a place.
    #[error("{0}")]
    Failed(String),
    /// Texts of parts do not give a point of the space.
    #[error("{0}")]
    Point(String),
    /// The pairs of a sweep cannot be made.
    #[error(transparent)]
    SweepPairs(Box<SweepPairsError>),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run stops with an error.
    #[error(transparent)]
    Run(RunError),
    /// The settings cannot be stored.
    #[error("the settings cannot be stored: {0}")]
    Unstorable(serde_json::Error),
    /// The stored settings cannot be read.
    #[error(
        "the settings of run `{run}` cannot be read{}: {error}",
        if *.is_doubtful { ", as its record was read from a damaged page" } else { "" }
    )]
    StoredSettings {
        /// The run's name.
        run: String,
        /// True if its record was read from a damaged page.
        is_doubtful: bool,
        /// The error of reading the settings.
        error: serde_json::Error,
    },
    /// The run's experiment changed.
    #[error("run `{run}` cannot go on: {}", Change::list(changes))]
    Changed {
        /// The run's name.
        run: String,
        /// The changes.
        changes: Vec<Change>,
    },
    /// Nothing is known of the run but its trials.
    #[error(
        "the record of run `{run}` was lost with a damaged store, so that its experiment is not known"
    )]
    UnknownExperiment {
        /// The run's name.
        run: String,
    },
    /// Something of the run was lost, so that the next trials would be those of another run.
    #[error(
        "run `{run}` was salvaged from a damaged store, and {}",
        if *.record { "its record is lost or doubtful" } else { "trials of it are lost" }
    )]
    Lost {
        /// The run's name.
        run: String,
        /// True if its record is lost or doubtful.
        record: bool,
        /// True if its experiment is known.
        is_known: bool,
    },
    /// The run is finished.
    #[error("run `{run}` is finished{why}")]
    Finished {
        /// The run's name.
        run: String,
        /// The reason that it ended, as the end of the message.
        why: String,
        /// The text of the help.
        help: String,
    },
    /// The limit is below the number of trials.
    #[error("run `{run}` has {trials} trials already, more than {steps}")]
    Fewer {
        /// The run's name.
        run: String,
        /// The number of its trials.
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
    /// The help for the error, if there is any.
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
