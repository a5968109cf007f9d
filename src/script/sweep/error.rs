//! The error of a sweep's pairs.

use crate::accuracy::nasbench101::Nasbench101TableError;
use crate::accuracy::nasbench101::predictor::PredictorError;
use crate::accuracy::nasbench201;
use crate::space::Illegal;
use crate::sweep::SweepError;

/// The most configurations of an accelerator, which are all kept at hand.
pub(super) const MAX_CONFIGURATIONS: u128 = 1_000_000;

/// Reasons for which the pairs of a sweep cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepPairsError {
    /// The table of NASBench-101 is missing or damaged.
    #[error(transparent)]
    Nasbench101(#[from] Nasbench101TableError),
    /// The program was built with a damaged table of NAS-Bench-201.
    #[error(transparent)]
    Nasbench201(#[from] &'static nasbench201::Nasbench201TableError),
    /// The program was built with a damaged predictor.
    #[error(transparent)]
    Predictor(#[from] PredictorError),
    /// There are no pairs, or too many to evaluate one by one.
    #[error(transparent)]
    Size(#[from] SweepError),
    /// The accelerator has too many configurations.
    #[error(
        "`{accelerator}` has {count} configurations, and a sweep takes at most \
         {MAX_CONFIGURATIONS}; hold some of its choices, or search with `tandem run`"
    )]
    Configurations {
        /// The accelerator's name.
        accelerator: String,
        /// The number of its configurations.
        count: u128,
    },
    /// The space of the accelerator has a configuration that the experiment's space does not have.
    #[error("part `{part}` of the space is not that of `{accelerator}`: {illegal}")]
    OtherSpace {
        /// The part's name.
        part: String,
        /// The accelerator's name.
        accelerator: String,
        /// The first configuration that does not fit.
        illegal: Illegal,
    },
    /// A configuration has no value in scripts.
    #[error("{0}")]
    Value(String),
    /// The accuracies are those of other networks.
    #[error("the networks and the accuracies do not belong together")]
    OtherNetworks,
}
