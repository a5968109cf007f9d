//! What the runs of each strategy come to together.

use super::optimum::Target;
use super::run_summary::Course;
use super::statistics::{Interval, Quartiles, median_difference, superiority};
use crate::util::rng::stream;

/// Rewards that differ by less, relatively, count as the same: sums are rounded.
const ROUNDING: f64 = 1e-12;

/// How soon runs reach a reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// The reward.
    pub reward: f64,
    /// How many runs reach it.
    pub runs: u64,
    /// Trials after which the median run does; infinite if fewer than half of the runs do.
    pub steps: Quartiles,
}

/// What the runs of one strategy on a scenario come to.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyOutcome {
    /// The strategy's name.
    pub strategy: String,
    /// Runs.
    pub runs: u64,
    /// Runs that found a pair within the limits.
    pub valid_runs: u64,
    /// The best reward within the limits; minus infinity counts for a run that found none.
    pub best: Quartiles,
    /// How far that is below the best of all.
    pub gap: Option<Quartiles>,
    /// How far that is below the last of the best of all, such as the 100th; below 0 for a run that is
    /// among them.
    pub gap_to_last: Option<Quartiles>,
    /// How soon a run is among the best of all.
    pub among_best: Option<Reached>,
    /// How many of the best of all a run found.
    pub found: Option<Quartiles>,
    /// How soon a run reaches each of the shares of the best reward.
    pub reached: Vec<Reached>,
}

/// One strategy beside another on a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// The median of the best rewards of the one less the other's; none if a run has no best reward.
    pub best: Option<Interval>,
    /// How often a run of the one ends with a higher reward than one of the other.
    pub superiority: f64,
}

/// What the strategies come to on one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    /// The best reward that is known: the best of all, else the best of any run.
    pub best_known: Option<f64>,
    /// Each strategy, in the order of the study.
    pub strategies: Vec<StrategyOutcome>,
    /// Each pair of strategies.
    pub differences: Vec<Difference>,
}

/// Compares the runs of strategies on a scenario, each strategy with its runs.
///
/// The bootstrap draws from streams that the seed and the names decide.
pub fn compare(
    scenario: &str,
    strategies: &[(String, Vec<Course>)],
    target: Option<&Target>,
    fractions: &[f64],
    seed: u64,
) -> Outcomes {
    let exact = target.and_then(Target::best);
    let courses = strategies.iter().flat_map(|(_, courses)| courses);
    let best_found = courses.filter_map(Course::best).map(|best| best.reward).reduce(f64::max);
    let best_known = exact.or(best_found);
    let outcome = |(name, courses): &(String, Vec<Course>)| {
        let best = Quartiles::of(courses.iter().map(Course::score))?;
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
            gap_to_last: target.and_then(Target::last).and_then(gap_from),
            among_best: target.and_then(Target::last).and_then(|last| reached(courses, last)),
            found: target.and_then(|_| Quartiles::of(courses.iter().map(|c| c.found.len() as f64))),
            reached: shares.filter_map(|reward| reached(courses, reward)).collect(),
        })
    };
    let mut differences = Vec::new();
    for (index, (a, of_a)) in strategies.iter().enumerate() {
        for (b, of_b) in &strategies[index + 1..] {
            let scores = |courses: &[Course]| courses.iter().map(Course::score).collect::<Vec<_>>();
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

fn reached(courses: &[Course], reward: f64) -> Option<Reached> {
    let enough = reward - ROUNDING * reward.abs();
    let steps = courses.iter().map(|course| course.steps_to(enough));
    let steps: Vec<f64> = steps.map(|s| s.map_or(f64::INFINITY, |s| s as f64)).collect();
    let runs = steps.iter().filter(|steps| steps.is_finite()).count() as u64;
    Some(Reached { reward, runs, steps: Quartiles::of(steps)? })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::run_summary::Best;
    use super::*;
    use crate::store::{Outcome, Trial};

    fn course(improvements: &[(u64, f64)], found: &[usize]) -> Course {
        let best = |&(step, reward)| Best { step, reward, metrics: BTreeMap::new() };
        Course {
            trials: 100,
            valid: 50,
            improvements: improvements.iter().map(best).collect(),
            found: BTreeSet::from_iter(found.iter().copied()),
            ..Course::default()
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
        let target = Target::new(&[trial(0, 1.0), trial(1, 0.9)]);
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
