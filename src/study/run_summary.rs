//! Summaries of finished runs.

use std::collections::{BTreeSet, HashSet};

use super::optimum::Optimum;
use crate::metrics::Metrics;
use crate::pareto::{Frontier, Objective, costs};
use crate::run::{Failure, Reward};
use crate::store::{Outcome, Trial};

/// The best pair of a run so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Improvement {
    /// The number of trials until it was found, itself included.
    pub step: u64,
    /// The scenario's reward.
    pub reward: f64,
    /// Its metrics.
    pub metrics: Metrics,
}

/// The course of a run, by the reward of its scenario, regardless of what its phases optimized.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    /// The number of trials.
    pub trials: u64,
    /// The number of feasible trials.
    pub valid: u64,
    /// Each feasible pair that was better than all before it.
    pub improvements: Vec<Improvement>,
    /// The ranks of the globally best pairs that the run found.
    pub found: BTreeSet<usize>,
    /// The metrics of the non-dominated feasible pairs.
    pub frontier: Frontier<Metrics>,
}

impl RunSummary {
    /// Summarizes the trials of a run.
    ///
    /// Only feasible pairs count; a pair on which the reward fails counts as infeasible.
    ///
    /// # Errors
    /// Returns the first error among the trials.
    pub fn of<E>(
        trials: impl IntoIterator<Item = Result<Trial, E>>,
        reward: impl Fn(&Metrics) -> Result<Reward, Failure>,
        target: Option<&Optimum>,
        objectives: &[Objective],
    ) -> Result<Self, E> {
        let mut course = Self::default();
        let mut seen = HashSet::new();
        for trial in trials {
            let trial = trial?;
            course.trials += 1;
            let Outcome::Done { metrics, .. } = &trial.outcome else { continue };
            let Ok(Reward { value, valid: true }) = reward(metrics) else { continue };
            course.valid += 1;
            if course.best().is_none_or(|best| value > best.reward) {
                let (step, metrics) = (course.trials, metrics.clone());
                course.improvements.push(Improvement { step, reward: value, metrics });
            }
            // Controllers come back to the same points over and over.
            if !seen.insert(trial.point.clone()) {
                continue;
            }
            course.found.extend(target.and_then(|target| target.place(&trial)));
            if let Ok(costs) = costs(objectives, metrics) {
                course.frontier.offer(costs, metrics.clone());
            }
        }
        Ok(course)
    }

    /// The best feasible pair.
    pub fn best(&self) -> Option<&Improvement> {
        self.improvements.last()
    }

    /// The best feasible reward; minus infinity if there is none.
    pub fn score(&self) -> f64 {
        self.best().map_or(f64::NEG_INFINITY, |best| best.reward)
    }

    /// The best feasible reward within the first `step` trials; minus infinity if there is none.
    pub fn score_at(&self, step: u64) -> f64 {
        let known = self.improvements.partition_point(|best| best.step <= step);
        known.checked_sub(1).map_or(f64::NEG_INFINITY, |last| self.improvements[last].reward)
    }

    /// The number of trials until the best reward is at least `reward`; `None` if it never is.
    pub fn steps_to(&self, reward: f64) -> Option<u64> {
        self.improvements.iter().find(|best| best.reward >= reward).map(|best| best.step)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    fn trial(step: u64, x: u16, metrics: Option<f64>) -> Trial {
        let outcome = match metrics {
            // What the controller was told is another phase's, and does not count.
            Some(value) => Outcome::Done {
                metrics: BTreeMap::from([("accuracy".to_owned(), value)]),
                reward: 9.0,
                valid: true,
            },
            None => Outcome::Failed { metrics: BTreeMap::new(), reason: "no".to_owned() },
        };
        let text = BTreeMap::from([("x".to_owned(), format!("x{x}"))]);
        Trial { step, phase: 0, point: vec![x], text, outcome }
    }

    #[test]
    fn a_course_has_what_the_scenario_rewards() {
        let values = [Some(0.2), None, Some(0.9), Some(0.5), Some(0.4), Some(0.6), Some(0.6)];
        let trials: Vec<Trial> =
            values.iter().zip(0..).map(|(&v, step)| trial(step, step as u16, v)).collect();
        let best = [trial(0, 5, Some(0.6)), trial(1, 77, Some(0.55)), trial(2, 3, Some(0.5))];
        let target = Optimum::new(&best);
        let reward = |metrics: &Metrics| {
            let value = metrics["accuracy"];
            Ok(Reward { value: 10.0 * value, valid: (0.3..0.8).contains(&value) })
        };
        let objectives = ["accuracy:max".parse().unwrap()];
        let stored = trials.into_iter().map(Ok::<_, Infallible>);
        let course = RunSummary::of(stored, reward, Some(&target), &objectives).unwrap();
        assert_eq!((course.trials, course.valid), (7, 4));
        let improvements: Vec<(u64, f64)> =
            course.improvements.iter().map(|best| (best.step, best.reward)).collect();
        assert_eq!(improvements, [(4, 5.0), (6, 6.0)]);
        assert_eq!(course.score(), 6.0);
        assert_eq!(
            [3, 4, 5, 6, 100].map(|s| course.score_at(s)),
            [f64::NEG_INFINITY, 5.0, 5.0, 6.0, 6.0]
        );
        assert_eq!([4.0, 5.5, 6.5].map(|r| course.steps_to(r)), [Some(4), Some(6), None]);
        assert_eq!(course.found, BTreeSet::from([0, 2]));
        assert_eq!(course.frontier.len(), 1);
    }
}
