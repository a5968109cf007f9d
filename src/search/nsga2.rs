//! NSGA-II.

use rand::Rng;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::about::About;
use super::batched::{EvaluatedPoint, Proposer, Strategy};
use super::controller::{Feedback, SearchError};
use super::dominance::ranks;
use super::neighbors::{cross, mutate_each};
use super::settings::settings;
use super::state::StateFormat;

settings! {
    /// NSGA-II: parents are selected by non-domination rank and crowding distance, children are crossed and
    /// mutated, and the best of parents and children survive (Deb, Pratap, Agarwal and Meyarivan, IEEE
    /// Transactions on Evolutionary Computation 6(2), 2002).
    ///
    /// It minimizes the costs told, or maximizes the reward if there are none. An infeasible trial is
    /// dominated by every feasible one and by infeasible ones with a higher reward, a failed one by all
    /// others. Crossover takes each choice from either parent. No point is proposed twice.
    pub struct Nsga2 {
        /// Members of the population and children of a generation; as many may be evaluated at once.
        population: usize = 50, Whole(2, 4096), "the members";
        /// Share of children that have two parents.
        crossover: f64 = 0.9, Between(0.0, 1.0), "the share";
        /// Probability that a child's choice is changed; if not given, 1 over the number of choices.
        mutation: Option<f64> = None, Above(0.0, 1.0), "the probability";
    }
}

/// The population, the best first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Generation {
    members: Vec<Member>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Member {
    judged: EvaluatedPoint,
    rank: u32,
    /// The crowding distance: the sum over the costs of the distance between its two neighbors, relative to
    /// the range of the cost; `f64::MAX` for the first and the last.
    crowding: f64,
}

impl Strategy for Nsga2 {
    type State = Generation;

    const ABOUT: About = About {
        name: "nsga2",
        title: "NSGA-II",
        doc: "NSGA-II: a population is ranked by non-dominance and crowding. It follows the experiment's \
              `objectives()`.",
        example: "phase(\"frontier\", #{ steps: 5_000, controller: nsga2() });",
        settings_example: "let controller = nsga2(#{ population: 100, mutation: 0.05 });",
    };

    const FORMAT: StateFormat = StateFormat { name: Self::ABOUT.name, kind: 5, version: 1 };

    fn batch(&self) -> usize {
        self.population
    }

    fn propose(
        &self,
        state: &mut Generation,
        proposer: &mut Proposer<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError> {
        let space = proposer.space;
        let rate = self.mutation.unwrap_or(1.0 / space.sizes.len() as f64);
        let members = &state.members;
        (0..self.population)
            .map(|_| {
                if members.is_empty() {
                    return proposer.uniform();
                }
                proposer.fresh(|rng| {
                    let parent = &tournament(members, rng).judged.point;
                    let child = if rng.random_bool(self.crossover) {
                        cross(parent, &tournament(members, rng).judged.point, rng)
                    } else {
                        parent.clone()
                    };
                    mutate_each(space, &child, rate, rng)
                })
            })
            .collect()
    }

    fn update(&self, state: &mut Generation, results: Vec<EvaluatedPoint>) {
        let mut all: Vec<EvaluatedPoint> =
            state.members.drain(..).map(|member| member.judged).collect();
        all.extend(results);
        let told: Vec<&Feedback> = all.iter().map(|judged| &judged.told).collect();
        let ranks = ranks(&told);
        let crowding = crowding(&told, &ranks);
        let mut members: Vec<Member> = all
            .into_iter()
            .zip(ranks)
            .zip(crowding)
            .map(|((judged, rank), crowding)| Member { judged, rank, crowding })
            .collect();
        // Stable: of equals the older.
        members.sort_by(|a, b| a.rank.cmp(&b.rank).then(b.crowding.total_cmp(&a.crowding)));
        members.truncate(self.population);
        state.members = members;
    }
}

/// Draws two members and returns the better one: by rank, then by crowding distance, then the first drawn.
fn tournament<'a>(members: &'a [Member], rng: &mut ChaCha12Rng) -> &'a Member {
    let mut draw = || &members[rng.random_range(0..members.len())];
    let (a, b) = (draw(), draw());
    let better = a.rank.cmp(&b.rank).then(b.crowding.total_cmp(&a.crowding));
    if better.is_gt() { b } else { a }
}

/// The crowding distance of each trial among those of its rank.
fn crowding(told: &[&Feedback], ranks: &[u32]) -> Vec<f64> {
    let mut distances = vec![0.0; told.len()];
    let last = ranks.iter().copied().max().unwrap_or(0);
    for rank in 0..=last {
        let mut front: Vec<usize> = (0..told.len()).filter(|&i| ranks[i] == rank).collect();
        let Some(&first) = front.first() else { continue };
        let costs = told[first].costs.len();
        // Rejected trials of one rank have the same reward; their costs do not count.
        if !told[first].valid {
            continue;
        }
        for cost in 0..costs {
            let of = |i: usize| told[i].costs.get(cost).copied().unwrap_or(0.0);
            front.sort_by(|&a, &b| of(a).total_cmp(&of(b)).then(a.cmp(&b)));
            let (least, most) = (front[0], front[front.len() - 1]);
            let range = of(most) - of(least);
            distances[least] = f64::MAX;
            distances[most] = f64::MAX;
            if range > 0.0 {
                for three in front.windows(3) {
                    let distance = (of(three[2]) - of(three[0])) / range;
                    distances[three[1]] = f64::min(distances[three[1]] + distance, f64::MAX);
                }
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::dominance::dominates;

    fn valid(costs: [f64; 2]) -> Feedback {
        Feedback { reward: Some(0.0), valid: true, costs: costs.to_vec() }
    }

    #[test]
    fn the_crowding_distance_is_that_of_the_paper() {
        let told = [valid([0.0, 4.0]), valid([1.0, 2.0]), valid([2.0, 1.0]), valid([4.0, 0.0])];
        let told: Vec<&Feedback> = told.iter().collect();
        let distances = crowding(&told, &[0; 4]);
        assert_eq!(distances, [f64::MAX, 2.0 / 4.0 + 3.0 / 4.0, 3.0 / 4.0 + 2.0 / 4.0, f64::MAX]);
    }

    #[test]
    fn survivors_are_the_best_ranks_and_the_least_crowded() {
        let nsga2 = Nsga2 { population: 3, ..Nsga2::default() };
        let told = [
            valid([5.0, 5.0]),
            valid([0.0, 4.0]),
            valid([1.0, 3.9]),
            valid([4.0, 0.0]),
            valid([3.0, 1.0]),
            Feedback { reward: Some(9.0), valid: false, costs: vec![-1.0, -1.0] },
        ];
        let results = told.into_iter().zip(0..);
        let results = results.map(|(told, i)| EvaluatedPoint { point: vec![i], told }).collect();
        let mut state = Generation::default();
        nsga2.update(&mut state, results);
        let kept: Vec<u16> = state.members.iter().map(|m| m.judged.point[0]).collect();
        assert_eq!(kept, [1, 3, 4]);
        assert!(!dominates(&state.members[0].judged.told, &state.members[1].judged.told));
    }
}
