//! How a sweep fails.

use super::metric::SweepObjectiveError;

/// The most pairs that are evaluated one by one; at 50 us each, they take more than an hour.
pub const MAX_PAIRS: u64 = 100_000_000;

/// Why a sweep cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// There are no networks or no configurations.
    #[error("the space has no {0}")]
    Empty(&'static str),
    /// The pairs do not fit a 64-bit count.
    #[error("the space has more pairs than a 64-bit number counts")]
    TooLarge,
    /// So many pairs are not evaluated one by one.
    #[error(
        "the space has {} pairs, and at most {} are evaluated one by one; hold some choices, or \
         search it with `tandem run`",
        told(*pairs), MAX_PAIRS
    )]
    TooMany {
        /// How many there are; of more than can be counted, the most that can.
        pairs: u128,
    },
    /// A network's accuracy or a configuration's area is not a finite number.
    #[error("the {what} of {item} is {value}; it must be a finite number")]
    NotFinite {
        /// Accuracy or area.
        what: &'static str,
        /// The network or configuration.
        item: String,
        /// What it is.
        value: f64,
    },
    /// An objective that cannot be swept.
    #[error(transparent)]
    Goal(#[from] SweepObjectiveError),
    /// A pair cannot be evaluated.
    #[error("{0}")]
    Scan(String),
}

/// A count of pairs.
fn told(pairs: u128) -> String {
    if pairs == u128::MAX { "2^128 or more".to_owned() } else { pairs.to_string() }
}
