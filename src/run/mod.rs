//! The loop that turns an experiment into stored trials.
//!
//! [`Runner`] asks a controller for points, evaluates them, commits the trials and tells the controller the
//! rewards, phase by phase. An [`Observer`] receives its [`Event`]s.

mod checkpoint;
mod dry_run;
mod error;
mod estimates;
mod evaluator;
mod event;
mod experiment;
mod failure;
mod progress;
mod provenance;
mod run_stats;
mod runner;
mod threshold;
mod trainings;

pub use dry_run::{DryRun, DryRunEnd, DryRunPhase};
pub use error::RunError;
pub use estimates::StoredEstimates;
pub use event::{Event, Observer};
pub use experiment::{
    Evaluated, Experiment, Obstacle, Phase, Provenance, Reward, RewardFn, ScreenFn, evaluate_finite,
};
pub use failure::Failure;
pub use progress::{PhaseProgress, Progress};
pub use provenance::record_provenance;
pub use run_stats::{BestTrial, RunStats};
pub use runner::{RunEnd, Runner, all_failed};
pub use threshold::{Judgment, Threshold, ThresholdError, ThresholdQuantity};
pub use trainings::{StoredTrainings, decode as decode_training};

#[cfg(test)]
mod tests;
