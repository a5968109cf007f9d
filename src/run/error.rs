//! The errors that stop a run.

use super::failure::Failure;
use super::threshold::ThresholdError;
use crate::search::SearchError;
use crate::space::SpaceError;
use crate::store::StoreError;

/// An error that stops a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The controller of a phase failed.
    #[error("the controller of phase `{phase}` failed")]
    Controller {
        /// The phase's name.
        phase: String,
        /// Why.
        #[source]
        source: SearchError,
    },
    /// The experiment's schedule failed.
    #[error("{0}")]
    Schedule(Failure),
    /// A phase that cannot be searched.
    #[error("phase `{phase}` cannot be searched: {reason}")]
    Phase {
        /// The phase's name.
        phase: String,
        /// Why.
        reason: String,
    },
    /// A phase that searches a part the space does not have.
    #[error("phase `{phase}` cannot be searched")]
    Space {
        /// The phase's name.
        phase: String,
        /// Why.
        #[source]
        source: SpaceError,
    },
    /// A trial without a metric that the frontier needs.
    #[error("step {step} has no metric `{metric}`, which is an objective of the experiment")]
    MissingObjective {
        /// The trial's step.
        step: u64,
        /// The metric that is missing.
        metric: String,
    },
    /// A threshold about a metric that trials do not have.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// The stored journal is not what the experiment and its controllers give.
    #[error("the journal of run `{run}` differs at step {step}: {difference}")]
    Diverged {
        /// The run's name.
        run: String,
        /// The first step that differs.
        step: u64,
        /// What differs.
        difference: String,
    },
    /// A checkpoint that cannot be read.
    #[error("the checkpoint of run `{run}` at step {step} cannot be used: {reason}")]
    Checkpoint {
        /// The run's name.
        run: String,
        /// The number of trials it covers.
        step: u64,
        /// Why.
        reason: String,
    },
    /// No trial succeeded.
    #[error("each of the first {trials} trials failed; the first with: {first}")]
    AllFailed {
        /// How many failed.
        trials: u64,
        /// The first trial's.
        first: Failure,
    },
    /// Something that every trial needs is missing or broken.
    #[error("{0}")]
    Unusable(Failure),
    /// The numbers come from something else than those that are stored.
    #[error("run `{run}` cannot go on: what its {what} came from was {before} and is now {now}")]
    OriginChanged {
        /// The run's name.
        run: String,
        /// What the numbers come from.
        what: String,
        /// What the stored ones came from.
        before: String,
        /// What they would come from now.
        now: String,
    },
    /// A sweep that cannot go on.
    #[error("{0}")]
    Sweep(String),
    /// The experiment's `evaluate` and `sweep` describe different pairs.
    #[error("the experiment contradicts its sweep at {pair}: {failure}")]
    Contradiction {
        /// The pair.
        pair: String,
        /// What differs.
        failure: Failure,
    },
    /// The threads for the evaluation cannot be had.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}
