//! The sweeps that scripts describe, and their pairs.

mod each;
mod error;
mod networks;
mod plan;

pub use each::ScriptPairs;
pub use error::SweepPairsError;
pub use networks::{Accuracies, SweepNetworks};
pub use plan::SweepPlan;

use super::experiment::Script;
use crate::accel::chaidnn::{Chaidnn, Platform};
use crate::run::Experiment;
use crate::sweep::check_size;
use each::Configurations;
use plan::PlannedPairs;

/// The pairs of a sweep.
pub enum SweepPairs<'s> {
    /// Networks on all configurations of CHaiDNN; most pairs need not be evaluated.
    OnChaidnn {
        /// The networks with their accuracies.
        networks: SweepNetworks,
        /// The accelerator's platform: clock, precision and logic blocks.
        platform: Platform,
        /// The indices of the parts that choose the network and the accelerator.
        parts: (usize, usize),
    },
    /// Pairs that are evaluated one by one.
    OneByOne(ScriptPairs<'s>),
}

impl Script {
    /// Returns the pairs of a plan.
    ///
    /// `cache` is the folder for results that take long to compute.
    ///
    /// # Errors
    /// A table is missing or damaged, the accelerator's space is not that of the experiment, or there are no
    /// pairs, or too many to be evaluated one by one.
    pub fn sweep_pairs(
        &self,
        plan: &SweepPlan,
        cache: Option<&std::path::Path>,
    ) -> Result<SweepPairs<'_>, SweepPairsError> {
        match &plan.planned {
            PlannedPairs::OnChaidnn { networks, platform, parts } => {
                self.services().used_accelerator(&Chaidnn { platform: *platform });
                let networks = SweepNetworks::of(self.services(), networks, cache)?;
                Ok(SweepPairs::OnChaidnn { networks, platform: *platform, parts: *parts })
            }
            PlannedPairs::On { networks, accelerator, part, parts } => {
                let configurations =
                    Configurations::of(accelerator, part, &self.space().parts()[parts.1])?;
                // Before accuracies are had, which may take long.
                check_size(
                    networks.at_least(self.services())?.into(),
                    configurations.len() as u128,
                )?;
                let networks = SweepNetworks::of(self.services(), networks, cache)?;
                check_size(networks.accuracies().len() as u128, configurations.len() as u128)?;
                let accelerator = accelerator.clone();
                let pairs = ScriptPairs::on(self, accelerator, configurations, networks, *parts);
                Ok(SweepPairs::OneByOne(pairs))
            }
            PlannedPairs::Points => {
                check_size(self.space().count().unwrap_or(u128::MAX), 1)?;
                Ok(SweepPairs::OneByOne(ScriptPairs::points(self)))
            }
        }
    }
}
