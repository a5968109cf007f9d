//! The cost of a run's trials.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::common::error::CliError;
use tandem::run::Progress;
use tandem::store::{Reader, RunRecord};

/// The costs of the trials of a run.
#[derive(Default)]
pub struct TrialCosts {
    /// The total time of evaluations, in seconds; parallel evaluations each count in full.
    pub seconds: f64,
    /// The number of trials that used cached results, by kind of result.
    pub reused: BTreeMap<&'static str, u64>,
}

impl TrialCosts {
    /// The costs of all stored trials of a run.
    pub fn of(store: &dyn Reader, run: &RunRecord) -> Result<Self, CliError> {
        Self::since(store, run, 0)
    }

    /// The costs of the stored trials of a run from step `first` on.
    pub fn since(store: &dyn Reader, run: &RunRecord, first: u64) -> Result<Self, CliError> {
        let mut all = Self::default();
        for block in store.blocks(&run.name)? {
            let block = block?;
            for at in (0..block.len()).filter(|&at| block.step(at) >= first) {
                let effort = block.effort(at);
                all.seconds += effort.seconds();
                for name in effort.reused.names() {
                    *all.reused.entry(name).or_default() += 1;
                }
            }
        }
        Ok(all)
    }

    /// The numbers of cached results in words; `None` if there are none.
    pub fn reused(&self) -> Option<String> {
        let counts: Vec<String> =
            self.reused.iter().map(|(name, count)| format!("{name} of {count}")).collect();
        let (_, last) = self.reused.last_key_value()?;
        Some(format!("{} {}", counts.join(", "), if *last == 1 { "trial" } else { "trials" }))
    }
}

/// The part of a run that this process did.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// The number of trials.
    pub trials: u64,
    /// The elapsed time.
    pub time: Duration,
}

impl Took {
    /// Trials per second.
    pub fn per_s(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let trials = self.trials as f64;
        trials / self.time.as_secs_f64().max(1e-9)
    }

    /// The costs of these trials, which are the last of the run.
    pub fn efforts(
        self,
        store: &dyn Reader,
        record: &RunRecord,
        progress: &Progress,
    ) -> Result<TrialCosts, CliError> {
        TrialCosts::since(store, record, progress.steps().saturating_sub(self.trials))
    }
}
