//! Exhaustive evaluation of a space: the exact Pareto frontier, the best pairs for objectives, and counts.
//!
//! Networks are taken in descending accuracy. All later ones are less accurate, so a pair is on the frontier
//! of (accuracy, latency, area) exactly if no pair before it has at most its area and at most its latency: a
//! comparison with one staircase over area. The staircase and the objectives' current best give a latency
//! threshold for each configuration. One comparison with it dismisses pairs that cannot matter, many at once.
//!
//! That requires an accelerator with known classes of latencies and areas. Pairs of any other, with any
//! metrics, are evaluated individually ([`EverySweep`]).

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
pub use fast_sweep::{FastSweep, SweepSettings, SweepState};
pub use metric::{SweepMetric, SweepObjective, SweepObjectiveError, Values};
pub use pairs::{OnChaidnn, OneByOne, Pairs};
pub use results::{BestPairs, Results, SweepCounts, Sweeping, SweptPair};
pub use staircase::Member;
pub use stored::{FRONTIER, JudgedPair, PAIRS, SweepProgress, SweepRunner};
pub use stored_frontier::stored_frontier;
pub use top::Ranked;

#[cfg(test)]
mod tests;
