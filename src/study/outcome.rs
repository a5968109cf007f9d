//! Results of strategies, aggregated over their runs.

use super::optimum::Optimum;
use super::run_summary::RunSummary;
use super::statistics::{Interval, Quartiles, median_difference, superiority};
use crate::util::rng::stream;

/// Relative difference below which rewards count as equal, as sums are rounded.
const ROUNDING: f64 = 1e-12;

/// Runs that reach a reward, and the trials that they need.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardReached {
    /// The reward.
    pub reward: f64,
    /// The number of runs that reach it.
    pub runs: u64,
    /// Quartiles, over runs, of the trials needed; infinite for a run that does not reach it.
    pub steps: Quartiles,
}

/// Results of the runs of one strategy on a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyOutcome {
    /// The strategy's name.
    pub strategy: String,
    /// The number of runs.
    pub runs: u64,
    /// The number of runs that found a feasible pair.
    pub valid_runs: u64,
    /// The best feasible reward of a run; minus infinity for a run without one.
    pub best: Quartiles,
    /// The distance of a run's best reward below the globally best one.
    pub gap: Option<Quartiles>,
    /// The distance of a run's best reward below the last of the globally best, such as the 100th; negative
    /// for a run that does better.
    pub gap_to_last: Option<Quartiles>,
    /// Runs that reach the last of the globally best rewards.
    pub among_best: Option<RewardReached>,
    /// The number of the globally best pairs that a run found.
    pub found: Option<Quartiles>,
    /// Runs that reach each fraction of the best reward.
    pub reached: Vec<RewardReached>,
}

/// A comparison of two strategies on a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The first strategy.
    pub a: String,
    /// The second strategy.
    pub b: String,
    /// The median best reward of `a` less that of `b`; none if a run found no feasible pair.
    pub best: Option<Interval>,
    /// The probability that a run of `a` ends with a higher reward than one of `b`; ties count half.
    pub superiority: f64,
}

/// Results of all strategies on one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    /// The best known reward: the globally best if that is known, else the best of any run.
    pub best_known: Option<f64>,
    /// The results of each strategy, in the order of the study.
    pub strategies: Vec<StrategyOutcome>,
    /// The comparison of each pair of strategies.
    pub differences: Vec<Difference>,
}

/// Compares the runs of strategies on a scenario.
///
/// The random streams of the bootstrap depend only on the seed and the names of scenario and strategies.
pub fn compare(
    scenario: &str,
    strategies: &[(String, Vec<RunSummary>)],
    target: Option<&Optimum>,
    fractions: &[f64],
    seed: u64,
) -> Outcomes {
    let exact = target.and_then(Optimum::best);
    let courses = strategies.iter().flat_map(|(_, courses)| courses);
    let best_found = courses.filter_map(RunSummary::best).map(|best| best.reward).reduce(f64::max);
    let best_known = exact.or(best_found);
    let outcome = |(name, courses): &(String, Vec<RunSummary>)| {
        let best = Quartiles::of(courses.iter().map(RunSummary::score))?;
        let gap_from = |reward: f64| Quartiles::of(courses.iter().map(|c| reward - c.score()));
        let shares = best_known
            .into_iter()
            .flat_map(|best| fractions.iter().map(move |share| best - (1.0 - share) * best.abs()));
        Some(StrategyOutcome {
            strategy: name.clone(),
            runs: courses.len() as u64,
            valid_runs: courses.iter().filter(|course| course.best().is_some()).count() as u64,
            best,
            gap: exact.and_then(gap_from),
            gap_to_last: target.and_then(Optimum::last).and_then(gap_from),
            among_best: target.and_then(Optimum::last).and_then(|last| reached(courses, last)),
            found: target.and_then(|_| Quartiles::of(courses.iter().map(|c| c.found.len() as f64))),
            reached: shares.filter_map(|reward| reached(courses, reward)).collect(),
        })
    };
    let mut differences = Vec::new();
    for (index, (a, of_a)) in strategies.iter().enumerate() {
        for (b, of_b) in &strategies[index + 1..] {
            let scores =
                |courses: &[RunSummary]| courses.iter().map(RunSummary::score).collect::<Vec<_>>();
            let (scores_a, scores_b) = (scores(of_a), scores(of_b));
            let mut rng = stream(seed, &format!("bootstrap {scenario} {a} {b}"), 0);
            differences.push(Difference {
                a: a.clone(),
                b: b.clone(),
                best: median_difference(&scores_a, &scores_b, &mut rng),
                superiority: superiority(&scores_a, &scores_b).unwrap_or(0.5),
            });
        }
    }
    let strategies = strategies.iter().filter_map(outcome).collect();
    Outcomes { best_known, strategies, differences }
}

fn reached(courses: &[RunSummary], reward: f64) -> Option<RewardReached> {
    let enough = reward - ROUNDING * reward.abs();
    let steps = courses.iter().map(|course| course.steps_to(enough));
    let steps: Vec<f64> = steps.map(|s| s.map_or(f64::INFINITY, |s| s as f64)).collect();
    let runs = steps.iter().filter(|steps| steps.is_finite()).count() as u64;
    Some(RewardReached { reward, runs, steps: Quartiles::of(steps)? })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::run_summary::Improvement;
    use super::*;
    use crate::store::{Outcome, Trial};

    fn course(improvements: &[(u64, f64)], found: &[usize]) -> RunSummary {
        let best = |&(step, reward)| Improvement { step, reward, metrics: BTreeMap::new() };
        RunSummary {
            trials: 100,
            valid: 50,
            improvements: improvements.iter().map(best).collect(),
            found: BTreeSet::from_iter(found.iter().copied()),
            ..RunSummary::default()
        }
    }

    #[test]
    fn outcomes_are_judged_by_the_best_of_all() {
        let trial = |step: u64, reward| Trial {
            step,
            phase: 1,
            point: vec![],
            text: BTreeMap::from([("x".to_owned(), step.to_string())]),
            outcome: Outcome::Done { metrics: BTreeMap::new(), reward, valid: true },
        };
        let target = Optimum::new(&[trial(0, 1.0), trial(1, 0.9)]);
        let good = vec![course(&[(2, 0.5), (10, 0.9)], &[1]), course(&[(20, 1.0)], &[0, 1])];
        let bad = vec![course(&[], &[]), course(&[(4, 0.5)], &[])];
        let strategies = [("good".to_owned(), good), ("bad".to_owned(), bad)];
        let outcomes = compare("s", &strategies, Some(&target), &[0.5, 1.0], 0);
        assert_eq!(outcomes.best_known, Some(1.0));
        let [good, bad] = outcomes.strategies.as_slice() else { panic!() };
        assert_eq!((good.runs, good.valid_runs, bad.valid_runs), (2, 2, 1));
        assert_eq!((good.best.median, bad.best.median), (0.95, f64::NEG_INFINITY));
        assert!((good.gap.unwrap().median - 0.05).abs() < 1e-12);
        assert!((good.gap_to_last.unwrap().median + 0.05).abs() < 1e-12);
        let among = good.among_best.as_ref().unwrap();
        assert_eq!((among.runs, among.steps.median), (2, 15.0));
        assert_eq!(bad.among_best.as_ref().unwrap().runs, 0);
        assert_eq!(good.found.unwrap().median, 1.5);
        let reached: Vec<(u64, f64)> =
            good.reached.iter().map(|reached| (reached.runs, reached.steps.median)).collect();
        assert_eq!(reached, [(2, 11.0), (1, f64::INFINITY)]);
        let [difference] = outcomes.differences.as_slice() else { panic!() };
        assert_eq!((difference.superiority, difference.best), (1.0, None));

        // Without the best of all, the best of any run is what is known.
        let outcomes = compare("s", &strategies[1..], None, &[0.9], 0);
        assert_eq!(outcomes.best_known, Some(0.5));
        assert_eq!(outcomes.strategies[0].gap, None);
        assert_eq!(outcomes.strategies[0].reached[0].runs, 1);
    }
}
