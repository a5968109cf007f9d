//! Studies: strategies x scenarios x repeats, run side by side and compared.
//!
//! A [`Plan`] is what a study's file says. [`run_all`] carries its runs out, several at once, each an
//! ordinary run of the store. A [`Course`] is what a finished run comes to beside the [`Target`], the
//! exact best pairs of its scenario; [`Outcomes`] are what the runs of each strategy come to together.

mod course;
mod outcome;
mod plan;
mod runner;
pub mod statistics;
mod target;

pub use course::{Best, Course};
pub use outcome::{Difference, Outcomes, Reached, StrategyOutcome, compare};
pub use plan::{Plan, PlanError};
pub use runner::{ComparisonEvent, Planned, RunFailure, run_all};
pub use target::Target;
