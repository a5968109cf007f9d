//! Studies: strategies x scenarios x repeats, run in parallel and compared.
//!
//! A [`Plan`] is the content of a study's file. [`run_all`] executes its runs, several at once; each is an
//! ordinary run of the store. A [`Course`] summarizes a finished run, judged by the [`Target`], the exact
//! best pairs of its scenario. [`Outcomes`] aggregates the runs of each strategy.

mod optimum;
mod outcome;
mod run_summary;
mod scheduler;
mod spec;
pub mod statistics;

pub use optimum::Target;
pub use outcome::{Difference, Outcomes, Reached, StrategyOutcome, compare};
pub use run_summary::{Best, Course};
pub use scheduler::{ComparisonEvent, Planned, RunFailure, run_all};
pub use spec::{Plan, PlanError};
