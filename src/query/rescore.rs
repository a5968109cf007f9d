//! Rescoring of stored metrics with another reward.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::scan::scan;
use super::selection::SelectedRun;
use crate::accuracy::nasbench101::predictor::{kendall_tau, spearman};
use crate::metrics::Metrics;
use crate::run::{Failure, Reward};
use crate::store::{Reader, StoreError, TrialBlock};

/// A trial with its stored reward and another one.
#[derive(Clone, Debug)]
pub struct RescoredTrial {
    /// Its step.
    pub step: u64,
    /// The option of each choice of its point.
    point: Box<[u16]>,
    /// The stored reward; `None` if the trial failed.
    pub before: Option<Reward>,
    /// The other reward; `None` if its function fails on the metrics.
    pub after: Option<Reward>,
}

impl RescoredTrial {
    /// Returns true if another trial has the same point.
    pub fn is_same_point(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

/// The trials of a run under another reward.
#[derive(Clone, Debug, Default)]
pub struct Rescored {
    /// The trials that have metrics.
    pub trials: Vec<RescoredTrial>,
    /// The number of trials without metrics, whose points could not be evaluated.
    pub without_metrics: u64,
    /// The failures of the other reward, each with its first step and its number of trials, in the order of
    /// these steps.
    pub failures: Vec<(Failure, u64, u64)>,
}

/// The order of the trials by one reward.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Indices into [`Rescored::trials`]: the best trial of each point, best first.
    pub order: Vec<usize>,
}

impl Rescored {
    /// The stored and the other rewards of the trials that have both.
    fn pairs(&self) -> (Vec<f64>, Vec<f64>) {
        let both = self.trials.iter().filter_map(|trial| Some((trial.before?, trial.after?)));
        both.map(|(before, after)| (before.value, after.value)).unzip()
    }

    /// Spearman's rank correlation and Kendall's tau-b between the stored and the other rewards of all trials
    /// that have both. `None` for fewer than two such trials, or if all rewards are the same.
    pub fn correlation(&self) -> Option<(f64, f64)> {
        let (before, after) = self.pairs();
        let (rho, tau) = (spearman(&before, &after), kendall_tau(&before, &after));
        (rho.is_finite() && tau.is_finite()).then_some((rho, tau))
    }
}

/// Rescores every trial of a run that has metrics. `reward` gets the number of the trial's phase and its
/// metrics.
///
/// # Errors
/// The store fails.
pub fn rescore(
    reader: &dyn Reader,
    subject: &SelectedRun,
    reward: impl Fn(u32, &Metrics) -> Result<Reward, Failure> + Sync,
) -> Result<Rescored, StoreError> {
    let look = |_, block: &TrialBlock| {
        let mut found = Rescored::default();
        let columns: Vec<(&String, &[f64])> =
            block.metrics().iter().filter_map(|name| Some((name, block.values(name)?))).collect();
        for at in 0..block.len() {
            let present = columns.iter().filter(|(_, values)| !values[at].is_nan());
            let metrics: Metrics =
                present.map(|(name, values)| ((*name).clone(), values[at])).collect();
            if metrics.is_empty() {
                found.without_metrics += 1;
                continue;
            }
            let step = block.step(at);
            let finite = |reward: Reward| match reward.value.is_finite() {
                true => Ok(reward),
                false => Err(Failure::new(format!("the reward is {}", reward.value))),
            };
            let after = reward(block.phase(at), &metrics).and_then(finite);
            let before = block.reward(at);
            found.trials.push(RescoredTrial {
                step,
                point: block.point(at).into(),
                before: before.map(|value| Reward { value, valid: block.is_valid(at) }),
                after: after.as_ref().ok().copied(),
            });
            if let Err(failure) = after {
                found.fail(failure, step, 1);
            }
        }
        Ok(found)
    };
    let mut whole = Rescored::default();
    scan(reader, std::slice::from_ref(subject), look, |part| {
        whole.trials.extend(part.trials);
        whole.without_metrics += part.without_metrics;
        for (failure, step, count) in part.failures {
            whole.fail(failure, step, count);
        }
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    Ok(whole)
}

impl Rescored {
    fn fail(&mut self, failure: Failure, step: u64, count: u64) {
        match self.failures.iter_mut().find(|(known, ..)| *known == failure) {
            Some((_, _, known)) => *known += count,
            None => self.failures.push((failure, step, count)),
        }
    }
}

/// Ranks the trials by one of their rewards: feasible ones before infeasible ones, then the higher reward
/// first, then the earlier step. Only the best trial of each point is ranked.
pub fn rank(trials: &[RescoredTrial], of: impl Fn(&RescoredTrial) -> Option<Reward>) -> Ranking {
    let mut order: Vec<(usize, Reward)> =
        (0..trials.len()).filter_map(|place| Some((place, of(&trials[place])?))).collect();
    order.sort_by(|(a, one), (b, other)| {
        let by_valid = other.valid.cmp(&one.valid);
        let by_value = other.value.partial_cmp(&one.value).unwrap_or(Ordering::Equal);
        by_valid.then(by_value).then(a.cmp(b))
    });
    let mut seen = HashSet::new();
    order.retain(|(place, _)| seen.insert(&trials[*place].point));
    Ranking { order: order.into_iter().map(|(place, _)| place).collect() }
}
