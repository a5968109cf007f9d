//! What the trials of a run took.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::CliError;
use tandem::run::Progress;
use tandem::store::{Reader, RunRecord};

/// The costs of the trials of a run.
#[derive(Default)]
pub struct TrialCosts {
    /// The time of all evaluations, in seconds; those at the same time count each.
    pub seconds: f64,
    /// How many trials used what was known before, by what that was.
    pub reused: BTreeMap<&'static str, u64>,
}

impl TrialCosts {
    /// Those of all stored trials of a run.
    pub fn of(store: &dyn Reader, run: &RunRecord) -> Result<Self, CliError> {
        Self::since(store, run, 0)
    }

    /// Those of the stored trials of a run from a step on.
    pub fn since(store: &dyn Reader, run: &RunRecord, first: u64) -> Result<Self, CliError> {
        let mut all = Self::default();
        for stretch in store.stretches(&run.name)? {
            let stretch = stretch?;
            for at in (0..stretch.len()).filter(|&at| stretch.step(at) >= first) {
                let effort = stretch.effort(at);
                all.seconds += effort.seconds();
                for name in effort.reused.names() {
                    *all.reused.entry(name).or_default() += 1;
                }
            }
        }
        Ok(all)
    }

    /// What was not paid for again; nothing if all was.
    pub fn reused(&self) -> Option<String> {
        let counts: Vec<String> =
            self.reused.iter().map(|(name, count)| format!("{name} of {count}")).collect();
        let (_, last) = self.reused.last_key_value()?;
        Some(format!("{} {}", counts.join(", "), if *last == 1 { "trial" } else { "trials" }))
    }
}

/// What of a run this process has done.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Trials.
    pub trials: u64,
    /// In what time.
    pub time: Duration,
}

impl Took {
    /// Trials a second.
    pub fn per_s(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let trials = self.trials as f64;
        trials / self.time.as_secs_f64().max(1e-9)
    }

    /// What its trials took, which are the last of the run.
    pub fn efforts(
        self,
        store: &dyn Reader,
        record: &RunRecord,
        progress: &Progress,
    ) -> Result<TrialCosts, CliError> {
        TrialCosts::since(store, record, progress.steps().saturating_sub(self.trials))
    }
}
