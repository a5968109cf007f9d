//! Studies: strategies x scenarios x repeats, run in parallel and compared.
//!
//! A [`StudyPlan`] is the content of a study's file. [`run_all`] executes its runs, several at once; each is an
//! ordinary run of the store. A [`RunSummary`] summarizes a finished run, judged by the [`Optimum`], the exact
//! best pairs of its scenario. [`Outcomes`] aggregates the runs of each strategy.

mod optimum;
mod outcome;
mod run_summary;
mod scheduler;
mod spec;
pub mod statistics;

pub use optimum::Optimum;
pub use outcome::{Difference, Outcomes, RewardReached, StrategyOutcome, compare};
pub use run_summary::{Improvement, RunSummary};
pub use scheduler::{ComparisonEvent, PlannedRun, RunFailure, run_all};
pub use spec::{PlanError, StudyPlan};
