//! Errors of sweeps.

use super::metric::SweepObjectiveError;

/// The maximum number of pairs that are evaluated individually; at 50 µs each, they take more than an hour.
pub const MAX_PAIRS: u64 = 100_000_000;

/// Reasons that a sweep cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A space without networks or configurations.
    #[error("the space has no {0}")]
    Empty(&'static str),
    /// More pairs than a 64-bit number counts.
    #[error("the space has more pairs than a 64-bit number counts")]
    TooLarge,
    /// More than [`MAX_PAIRS`] pairs.
    #[error(
        "the space has {} pairs, and at most {} are evaluated one by one; hold some choices, or \
         search it with `tandem run`",
        told(*pairs), MAX_PAIRS
    )]
    TooMany {
        /// The number of pairs, at most `u128::MAX`.
        pairs: u128,
    },
    /// A network's accuracy or a configuration's area is not a finite number.
    #[error("the {what} of {item} is {value}; it must be a finite number")]
    NotFinite {
        /// The metric: accuracy or area.
        what: &'static str,
        /// The network or configuration.
        item: String,
        /// The value.
        value: f64,
    },
    /// An objective that cannot be swept.
    #[error(transparent)]
    Goal(#[from] SweepObjectiveError),
    /// A pair cannot be evaluated.
    #[error("{0}")]
    Scan(String),
}

/// Formats a number of pairs.
fn told(pairs: u128) -> String {
    if pairs == u128::MAX { "2^128 or more".to_owned() } else { pairs.to_string() }
}
