//! Studies: strategies x scenarios x repeats, run side by side and compared.
//!
//! A [`Plan`] is what a study's file says. [`run_all`] carries its runs out, several at once, each an
//! ordinary run of the store. A [`Course`] is what a finished run comes to beside the [`Target`], the
//! exact best pairs of its scenario; [`Outcomes`] are what the runs of each strategy come to together.

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
