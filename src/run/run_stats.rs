//! Statistics of a run, computed from its stored trials without keeping them.

use super::progress::customary;
use crate::pareto::{Frontier, Objective};
use crate::store::{Reader, StoreError, TrialBlock};

/// The trial with the highest reward of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestTrial {
    /// True if it is feasible; feasible trials come before any other.
    pub valid: bool,
    /// Its reward.
    pub reward: f64,
    /// Its step.
    pub step: u64,
}

/// Counts, best trial and frontier of a run so far: a [`Progress`](super::Progress) for other processes.
#[derive(Clone, Debug)]
pub struct RunStats {
    objectives: Vec<Objective>,
    trials: u64,
    valid: u64,
    failed: u64,
    phase: Option<u32>,
    best: Option<BestTrial>,
    frontier: Frontier<u64>,
}

impl RunStats {
    /// Creates the tally of a run before any trial is read. Without objectives, they are derived as by
    /// [`Progress::new`](super::Progress::new).
    pub const fn new(objectives: Vec<Objective>) -> Self {
        let frontier = Frontier::new();
        Self { objectives, trials: 0, valid: 0, failed: 0, phase: None, best: None, frontier }
    }

    /// Reads the trials that were stored since the last call.
    ///
    /// # Errors
    /// The store fails.
    pub fn read(&mut self, store: &dyn Reader, run: &str) -> Result<(), StoreError> {
        while let Some(block) = store.block(run, self.trials / TrialBlock::LEN)? {
            self.add(&block);
            if (block.len() as u64) < TrialBlock::LEN {
                break;
            }
        }
        Ok(())
    }

    /// Adds the trials of a block that are not counted yet.
    fn add(&mut self, block: &TrialBlock) {
        let start = (self.trials % TrialBlock::LEN) as usize;
        for at in start..block.len() {
            self.trials += 1;
            if self.phase != Some(block.phase(at)) {
                self.phase = Some(block.phase(at));
                self.best = None;
            }
            let Some(reward) = block.reward(at) else {
                self.failed += 1;
                continue;
            };
            let best = BestTrial { valid: block.is_valid(at), reward, step: block.step(at) };
            self.valid += u64::from(best.valid);
            if self.best.is_none_or(|b| (best.valid, best.reward) > (b.valid, b.reward)) {
                self.best = Some(best);
            }
            if self.objectives.is_empty() {
                self.objectives = customary(block.trial(at).outcome.metrics());
            }
            let value = |o: &Objective| Some(o.cost(block.values(&o.metric)?[at]));
            let costs: Option<Vec<f64>> = self.objectives.iter().map(value).collect();
            // What a trial lacks is not a number.
            if let Some(costs) = costs.filter(|costs| costs.iter().all(|cost| !cost.is_nan())) {
                self.frontier.offer(costs, best.step);
            }
        }
    }

    /// The number of trials.
    pub const fn trials(&self) -> u64 {
        self.trials
    }

    /// The number of feasible trials, which satisfy the constraints of their phase.
    pub const fn valid(&self) -> u64 {
        self.valid
    }

    /// The number of failed trials, which have no reward.
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// The index of the last trial's phase.
    pub const fn phase(&self) -> Option<u32> {
        self.phase
    }

    /// The trial with the highest reward of the last trial's phase, feasible ones before any other, the first
    /// of equals.
    pub const fn best(&self) -> Option<BestTrial> {
        self.best
    }

    /// The number of non-dominated trials.
    pub const fn frontier_len(&self) -> usize {
        self.frontier.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::Progress;
    use super::*;
    use crate::store::{Entry, Outcome, Trial};

    fn outcome() -> impl Strategy<Value = Outcome> {
        let metrics = || {
            (0..5u8, 0..5u8).prop_map(|(accuracy, area)| {
                BTreeMap::from([
                    ("accuracy".to_owned(), f64::from(accuracy)),
                    ("area_mm2".to_owned(), f64::from(area)),
                ])
            })
        };
        prop_oneof![
            4 => (metrics(), 0..4i8, any::<bool>()).prop_map(|(metrics, reward, valid)| {
                Outcome::Done { metrics, reward: f64::from(reward), valid }
            }),
            1 => metrics().prop_map(|metrics| Outcome::Failed { metrics, reason: "x".to_owned() }),
        ]
    }

    proptest! {
        #[test]
        fn a_tally_says_what_the_progress_does(
            outcomes in prop::collection::vec((outcome(), prop::bool::weighted(0.1)), 1..60),
            cuts in prop::collection::vec(0..60usize, 0..4),
            named in any::<bool>(),
        ) {
            let objectives: Vec<Objective> = match named {
                true => vec!["area_mm2:min".parse().unwrap()],
                false => Vec::new(),
            };
            let mut progress = Progress::new(objectives.clone(), 0);
            progress.enter("first");
            let mut phase = 0;
            let mut entries: Vec<Entry> = Vec::new();
            for ((outcome, enters), step) in outcomes.into_iter().zip(0..) {
                if enters && step > 0 {
                    phase += 1;
                    progress.enter("next");
                }
                let (point, text) = (Vec::new(), BTreeMap::new());
                let trial = Trial { step, phase, point, text, outcome };
                progress.add(Arc::new(trial.clone())).unwrap();
                entries.push(trial.into());
            }
            let mut tally = RunStats::new(objectives);
            let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(entries.len())).collect();
            ends.sort_unstable();
            for end in ends.into_iter().chain([entries.len()]).filter(|&end| end > 0) {
                tally.add(&TrialBlock::of(entries[..end].iter()));
            }
            prop_assert_eq!(tally.trials(), progress.steps());
            prop_assert_eq!(tally.valid(), progress.valid());
            prop_assert_eq!(tally.failed(), progress.failed());
            prop_assert_eq!(tally.phase(), Some(phase));
            prop_assert_eq!(tally.frontier_len(), progress.frontier_len());
            let best = progress.phases().last().and_then(|phase| phase.best.as_ref());
            prop_assert_eq!(tally.best().map(|best| best.step), best.map(|trial| trial.step));
            prop_assert_eq!(tally.best().map(|best| best.reward), best.and_then(|t| t.outcome.reward()));
        }
    }
}
