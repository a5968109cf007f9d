//! Every pair of a space: the exact frontier, the best pairs for objectives, and counts.
//!
//! Networks are taken in descending accuracy. Whatever comes later is less accurate, so a pair is on
//! the frontier of (accuracy, latency, area) exactly if no pair before it has at most its area and
//! at most its latency: a comparison with one staircase over area. What the staircase and the
//! objectives' current best leave open is turned into a limit of latency for each configuration, so
//! that the pairs which cannot matter are dismissed by one comparison, many at a time.
//!
//! That is for an accelerator of which much is known. Pairs of any other, with whatever metrics, are
//! evaluated one by one ([`EverySweep`]).

mod error;
mod exhaustive;
mod fast_sweep;
mod metric;
mod pairs;
mod results;
mod staircase;
mod stored;
mod stored_frontier;
mod top;

pub use error::{MAX_PAIRS, SweepError};
pub use exhaustive::{EachPair, EveryState, EverySweep, NamedObjective, check_size};
pub use fast_sweep::{Settings, Sweep, SweepState};
pub use metric::{SweepMetric, SweepObjective, SweepObjectiveError, Values};
pub use pairs::{OnChaidnn, OneByOne, Pairs};
pub use results::{Best, Results, SweepCounts, Sweeping, SweptPair};
pub use staircase::Member;
pub use stored::{FRONTIER, Judged, PAIRS, SweepProgress, SweepRunner};
pub use stored_frontier::stored_frontier;
pub use top::Ranked;

#[cfg(test)]
mod tests;
