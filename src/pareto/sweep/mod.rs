//! Every pair of a space: the exact frontier, the best pairs for objectives, and counts.
//!
//! Networks are taken in descending accuracy. Whatever comes later is less accurate, so a pair is on
//! the frontier of (accuracy, latency, area) exactly if no pair before it has at most its area and
//! at most its latency: a comparison with one staircase over area. What the staircase and the
//! objectives' current best leave open is turned into a limit of latency for each configuration, so
//! that the pairs which cannot matter are dismissed by one comparison, many at a time.

mod error;
mod metric;
mod pairs;
mod run;
mod staircase;
mod top;

pub use error::SweepError;
pub use metric::{Goal, GoalError, SweepMetric, Values};
pub use pairs::{EachPair, OnChaidnn, Pairs};
pub use run::{Settings, Sweep, SweepState};
pub use staircase::Member;
pub use top::Ranked;

#[cfg(test)]
mod tests;
