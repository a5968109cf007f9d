//! The errors that stop a run.

use super::failure::Failure;
use super::threshold::ThresholdError;
use crate::search::SearchError;
use crate::space::SpaceError;
use crate::store::StoreError;

/// Reasons that a run stops with an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The controller of a phase failed.
    #[error("the controller of phase `{phase}` failed")]
    Controller {
        /// The phase's name.
        phase: String,
        /// The controller's error.
        #[source]
        source: SearchError,
    },
    /// The experiment's schedule failed.
    #[error("{0}")]
    Schedule(Failure),
    /// A phase cannot be searched.
    #[error("phase `{phase}` cannot be searched: {reason}")]
    Phase {
        /// The phase's name.
        phase: String,
        /// The reason.
        reason: String,
    },
    /// A phase searches a part that the space does not have.
    #[error("phase `{phase}` cannot be searched")]
    Space {
        /// The phase's name.
        phase: String,
        /// The error of the space.
        #[source]
        source: SpaceError,
    },
    /// A trial lacks a metric that is an objective.
    #[error("step {step} has no metric `{metric}`, which is an objective of the experiment")]
    MissingObjective {
        /// The trial's step.
        step: u64,
        /// The metric that is missing.
        metric: String,
    },
    /// A threshold is about a metric that trials do not have.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// The stored journal is not the one that the experiment and its controllers produce.
    #[error("the journal of run `{run}` differs at step {step}: {difference}")]
    Diverged {
        /// The run's name.
        run: String,
        /// The first step that differs.
        step: u64,
        /// The difference.
        difference: String,
    },
    /// A checkpoint cannot be used.
    #[error("the checkpoint of run `{run}` at step {step} cannot be used: {reason}")]
    Checkpoint {
        /// The run's name.
        run: String,
        /// The number of trials it covers.
        step: u64,
        /// The reason.
        reason: String,
    },
    /// All trials so far failed.
    #[error("each of the first {trials} trials failed; the first with: {first}")]
    AllFailed {
        /// The number of trials.
        trials: u64,
        /// The failure of the first trial.
        first: Failure,
    },
    /// Something that every trial needs is missing or broken.
    #[error("{0}")]
    Unusable(Failure),
    /// The data or models differ from those of the stored numbers.
    #[error("run `{run}` cannot go on: what its {what} came from was {before} and is now {now}")]
    OriginChanged {
        /// The run's name.
        run: String,
        /// The name of the data or the model.
        what: String,
        /// The version or hash behind the stored numbers.
        before: String,
        /// The version or hash now.
        now: String,
    },
    /// A sweep fails.
    #[error("{0}")]
    Sweep(String),
    /// The experiment's `evaluate` and `sweep` describe different pairs.
    #[error("the experiment contradicts its sweep at {pair}: {failure}")]
    Contradiction {
        /// The pair.
        pair: String,
        /// The difference.
        failure: Failure,
    },
    /// The threads for the evaluation cannot be started.
    #[error("cannot start {threads} threads")]
    Threads {
        /// The number of threads.
        threads: usize,
        /// The error of the thread pool.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}
