//! The guided controller.

use rand::Rng;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::features::Features;
use super::scores::ranked;
use super::surrogate::{SparseRows, Surrogate, mask};
use crate::search::about::About;
use crate::search::batched::{EvaluatedPoint, Proposer, Strategy};
use crate::search::controller::SearchError;
use crate::search::dominance::{costs_dominate, ranks};
use crate::search::neighbors::{cross, mutate, mutate_each, neighbors};
use crate::search::random::draw_legal;
use crate::search::settings::settings;
use crate::search::state::StateFormat;

settings! {
    /// Search guided by a surrogate model, for budgets of hundreds to thousands of evaluations.
    ///
    /// An ensemble of models is fitted to the costs of the feasible trials so far. Of many candidates, most
    /// of them near the frontier, those are proposed that are most likely to join it. From the 1,000th trial
    /// on, half of the points are children of the trials with the lowest values of each cost. It minimizes
    /// the costs told, or maximizes the reward if there are none. No point is proposed twice.
    pub struct Guided {
        /// Points drawn uniformly at first.
        initial: usize = 100, Whole(2, 65_536), "the points";
        /// Points proposed from one fit; as many may be evaluated at once. With many trials a fit serves for
        /// several batches, for one in 64 of the trials so far.
        batch: usize = 8, Whole(1, 4096), "the points at once";
        /// Candidates that a batch is chosen from.
        candidates: usize = 2000, Whole(16, 65_536), "they";
        /// Trials that the models are fitted to at most: the best, then the latest.
        memory: usize = 2000, Whole(100, 65_536), "the trials";
    }
}

/// The trials that are kept, the oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeptTrials {
    trials: Vec<EvaluatedPoint>,
    drawn: usize,
}

/// The number of trials so far for each point of a proposal: with more trials, one fit serves more points.
const PER_FIT: usize = 64;

/// The weight in a fit of a trial far behind the frontier, to which one on the frontier adds 1.
const FAR: f64 = 0.1;

/// The number of trials from which on one in [`ENDS`] points is a child of the trials with the lowest values
/// of a cost, each cost in turn. The points most likely to join the frontier lie where it is dense, and
/// models tell least about its ends.
const ENDS_FROM: usize = 1_000;
const ENDS: usize = 2;

/// The number of trials at an end of the frontier that have children. They differ in the cost, as many points
/// may share the part that decides it.
const PARENTS: usize = 20;

/// The number of draws that estimate the chance of a candidate.
const DRAWS: usize = 64;

impl Strategy for Guided {
    type State = KeptTrials;

    const ABOUT: About = About {
        name: "guided",
        title: "An ensemble of models of each objective",
        doc: "An ensemble of models of each objective, fitted to the trials so far, for expensive trials. It \
              follows the experiment's `objectives()`.",
        example: "phase(\"frontier\", #{ steps: 500, controller: guided() });",
        settings_example: "let controller = guided(#{ initial: 40, batch: 4 });",
    };

    const FORMAT: StateFormat = StateFormat { name: Self::ABOUT.name, kind: 6, version: 2 };

    fn batch(&self) -> usize {
        self.batch
    }

    fn propose(
        &self,
        state: &mut KeptTrials,
        proposer: &mut Proposer<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError> {
        let valid = state.trials.iter().filter(|trial| trial.told.valid).count();
        if state.drawn < self.initial || valid < 2 {
            return (0..self.batch).map(|_| proposer.uniform()).collect();
        }
        // Later a few more trials change little of what is predicted.
        let count = self.batch * (state.drawn / (PER_FIT * self.batch)).max(1);
        let told: Vec<_> = state.trials.iter().map(|trial| &trial.told).collect();
        let ranks = ranks(&told);
        let front: Vec<usize> = (0..ranks.len()).filter(|&i| ranks[i] == 0).collect();
        let ends = if state.drawn >= ENDS_FROM { count / ENDS } else { 0 };
        let bred = breed(state, ends, proposer)?;
        let mut points = self.likeliest(state, &front, &ranks, count - ends, proposer)?;
        points.extend(bred);
        Ok(points)
    }

    fn update(&self, state: &mut KeptTrials, results: Vec<EvaluatedPoint>) {
        state.drawn += results.len();
        state.trials.extend(results);
        if state.trials.len() > self.memory {
            let told: Vec<_> = state.trials.iter().map(|trial| &trial.told).collect();
            let ranks = ranks(&told);
            let mut order: Vec<usize> = (0..ranks.len()).collect();
            // The best half whatever their age, then the latest.
            order.sort_by_key(|&i| (ranks[i], std::cmp::Reverse(i)));
            let (best, rest) = order.split_at(self.memory / 2);
            let mut kept: Vec<usize> = best.to_vec();
            let mut rest = rest.to_vec();
            rest.sort_unstable_by_key(|&i| std::cmp::Reverse(i));
            kept.extend(rest.into_iter().take(self.memory - self.memory / 2));
            kept.sort_unstable();
            let mut keep = vec![false; state.trials.len()];
            kept.into_iter().for_each(|i| keep[i] = true);
            let mut keep = keep.into_iter();
            state.trials.retain(|_| keep.next().unwrap_or(false));
        }
    }
}

impl Guided {
    /// The candidates most likely to be on the frontier, filled up with uniform draws to `count` points.
    fn likeliest(
        &self,
        state: &KeptTrials,
        front: &[usize],
        ranks: &[u32],
        count: usize,
        proposer: &mut Proposer<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError> {
        let candidates = self.candidates(state, front, ranks, proposer);
        let chances = chances(state, ranks, front, &candidates, proposer);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by(|&a, &b| chances[b].total_cmp(&chances[a]).then(a.cmp(&b)));
        let mut points = Vec::with_capacity(count);
        for index in order {
            if points.len() == count {
                break;
            }
            if proposer.seen.insert((proposer.space.identity)(&candidates[index])) {
                points.push(candidates[index].clone());
            }
        }
        while points.len() < count {
            points.push(proposer.uniform()?);
        }
        Ok(points)
    }

    /// Candidates that were not proposed before: neighbors of the frontier, children of good trials, and some
    /// uniform draws.
    fn candidates(
        &self,
        state: &KeptTrials,
        front: &[usize],
        ranks: &[u32],
        proposer: &mut Proposer<'_>,
    ) -> Vec<Vec<u16>> {
        let space = proposer.space;
        let mut seen = rustc_hash::FxHashSet::default();
        let mut points: Vec<Vec<u16>> = Vec::new();
        let mut add = |point: Vec<u16>, proposer: &Proposer<'_>| {
            let identity = (space.identity)(&point);
            if !proposer.seen.contains(identity) && seen.insert(identity) {
                points.push(point);
            }
        };
        // The good: the first ranks, down to as many as the frontier and 20 more.
        let mut good: Vec<usize> = (0..ranks.len()).collect();
        good.sort_by_key(|&i| (ranks[i], std::cmp::Reverse(i)));
        good.truncate(2 * front.len() + 20);
        let near = self.candidates / 2;
        let each = near.div_ceil(front.len());
        for &member in front {
            let around = neighbors(space, &state.trials[member].point, proposer.rng);
            for point in around.into_iter().take(each) {
                add(point, proposer);
            }
        }
        let bred = self.candidates / 4 + near;
        for _ in 0..bred {
            let pick =
                |rng: &mut ChaCha12Rng| &state.trials[good[rng.random_range(0..good.len())]].point;
            let mut point = pick(proposer.rng).clone();
            if proposer.rng.random_bool(0.5) {
                let other = pick(proposer.rng);
                point = cross(&point, other, proposer.rng);
            }
            for _ in 0..proposer.rng.random_range(1..=2) {
                if let Some(changed) = mutate(space, &point, proposer.rng) {
                    point = changed;
                }
            }
            (space.canonicalize)(&mut point);
            if (space.legal)(&point) {
                add(point, proposer);
            }
        }
        for _ in 0..self.candidates / 8 {
            if let Ok(point) = draw_legal(space, proposer.rng) {
                add(point, proposer);
            }
        }
        points
    }
}

/// Children of the trials at the ends of the frontier.
fn breed(
    state: &KeptTrials,
    count: usize,
    proposer: &mut Proposer<'_>,
) -> Result<Vec<Vec<u16>>, SearchError> {
    let valid: Vec<(Vec<f64>, &EvaluatedPoint)> = state
        .trials
        .iter()
        .filter(|trial| trial.told.valid)
        .map(|trial| (costs_of(trial), trial))
        .collect();
    let many = valid.first().map_or(0, |(costs, _)| costs.len());
    let parents: Vec<Vec<&EvaluatedPoint>> = (0..many)
        .map(|cost| {
            let mut least: Vec<(f64, &EvaluatedPoint)> =
                valid.iter().map(|(costs, trial)| (costs[cost], *trial)).collect();
            least.sort_by(|a, b| a.0.total_cmp(&b.0));
            least.dedup_by_key(|(value, _)| *value);
            least.into_iter().take(PARENTS).map(|(_, trial)| trial).collect()
        })
        .collect();
    let space = proposer.space;
    let rate = 1.0 / space.sizes.len() as f64;
    (0..count)
        .map(|turn| {
            let parents = &parents[(state.drawn + turn) % many];
            proposer.fresh(|rng| {
                let parent = parents[rng.random_range(0..parents.len())];
                mutate_each(space, &parent.point, rate, rng)
            })
        })
        .collect()
}

/// The probability of each candidate to be on the frontier.
fn chances(
    state: &KeptTrials,
    ranks: &[u32],
    front: &[usize],
    candidates: &[Vec<u16>],
    proposer: &mut Proposer<'_>,
) -> Vec<f64> {
    let features = Features::new(proposer.space);
    let trials: Vec<&EvaluatedPoint> =
        state.trials.iter().filter(|trial| trial.told.valid).collect();
    let of: Vec<Vec<u32>> = trials.iter().map(|trial| features.of(&trial.point)).collect();
    let masks: Vec<Vec<bool>> = of.iter().map(|of| mask(of, features.count())).collect();
    let rows = SparseRows { of: &of, masks: &masks, features: features.count() };
    let costs: Vec<Vec<f64>> = trials.iter().map(|trial| costs_of(trial)).collect();
    // What matters is what lies near the frontier.
    let weights: Vec<f64> = (0..state.trials.len())
        .filter(|&i| state.trials[i].told.valid)
        .map(|i| FAR + 1.0 / (1.0 + f64::from(ranks[i])))
        .collect();
    let many = costs[0].len();
    let inputs: Vec<(Vec<u32>, Vec<bool>)> = candidates
        .iter()
        .map(|point| {
            let of = features.of(point);
            let mask = mask(&of, features.count());
            (of, mask)
        })
        .collect();
    let members: Vec<usize> = {
        let mut index = vec![usize::MAX; state.trials.len()];
        let valid = (0..state.trials.len()).filter(|&i| state.trials[i].told.valid);
        valid.enumerate().for_each(|(at, i)| index[i] = at);
        front.iter().map(|&i| index[i]).filter(|&i| i != usize::MAX).collect()
    };
    let mut limits: Vec<Vec<f64>> = vec![Vec::with_capacity(many); members.len()];
    let mut expected: Vec<Vec<(f64, f64)>> = vec![Vec::with_capacity(many); candidates.len()];
    for cost in 0..many {
        let values: Vec<f64> = costs.iter().map(|costs| costs[cost]).collect();
        let scores = ranked(&values);
        let surrogate = Surrogate::fit(&rows, &scores, &weights, proposer.rng);
        for (limit, &member) in limits.iter_mut().zip(&members) {
            limit.push(scores[member]);
        }
        for (expected, (of, mask)) in expected.iter_mut().zip(&inputs) {
            expected.push(surrogate.predict(mask, of));
        }
    }
    let noise: Vec<f64> = (0..DRAWS * many).map(|_| bell(proposer.rng)).collect();
    expected
        .iter()
        .map(|expected| {
            let mut free = 0_u32;
            let mut drawn = vec![0.0; many];
            for noise in noise.chunks_exact(many) {
                for ((drawn, noise), (mean, deviation)) in drawn.iter_mut().zip(noise).zip(expected)
                {
                    *drawn = mean + deviation * noise;
                }
                let beaten = |limit: &Vec<f64>| limit == &drawn || costs_dominate(limit, &drawn);
                free += u32::from(!limits.iter().any(beaten));
            }
            f64::from(free) / DRAWS as f64
        })
        .collect()
}

/// The costs of a trial, or its negated reward if it has none.
fn costs_of(trial: &EvaluatedPoint) -> Vec<f64> {
    if trial.told.costs.is_empty() {
        return vec![-trial.told.reward.unwrap_or(0.0)];
    }
    trial.told.costs.clone()
}

/// Draws a number with mean 0 and variance 1, nearly normal: the sum of twelve uniform numbers, minus 6.
fn bell(rng: &mut ChaCha12Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}
