//! Regularized evolution.

use std::collections::VecDeque;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::about::About;
use super::batched::{EvaluatedPoint, Proposer, Strategy};
use super::controller::SearchError;
use super::neighbors::mutate;
use super::settings::settings;
use super::state::StateFormat;

settings! {
    /// Regularized (aging) evolution: the best of a random sample of the population is mutated in one choice,
    /// and the child replaces the oldest member (Real, Aggarwal, Huang and Le, AAAI 2019).
    ///
    /// The first population is drawn uniformly. No point is proposed twice. A feasible trial beats an
    /// infeasible one, which beats a failed one, whatever their rewards. Infeasible and failed trials, the
    /// oldest first, leave the population before any feasible one, so that a series of them displaces no good
    /// trial.
    pub struct Evolution {
        /// Members of the population.
        population: usize = 100, Whole(2, 65_536), "the members";
        /// Members of which the best becomes a parent.
        // A tenth of the population, as in the paper's search of 20,000 models.
        sample: usize = 10, UpTo(1, "population"), "the sample";
        /// Points proposed before the first of them is judged; as many may be evaluated at once.
        batch: usize = 8, Whole(1, 4096), "the points at once";
    }
}

/// The population, the oldest first, and the number of trials so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Population {
    members: VecDeque<EvaluatedPoint>,
    drawn: usize,
}

impl Strategy for Evolution {
    type State = Population;

    const ABOUT: About = About {
        name: "evolution",
        title: "Regularised evolution",
        doc: "Regularised evolution: the best of a sample of the population is changed in one choice, and the \
              oldest leaves. It follows the phase's reward.",
        example: "phase(\"joint\", #{ steps: 1_000, controller: evolution() });",
        settings_example: "let controller = evolution(#{ population: 50, sample: 5 });",
    };

    const FORMAT: StateFormat = StateFormat { name: Self::ABOUT.name, kind: 3, version: 1 };

    fn batch(&self) -> usize {
        self.batch
    }

    fn propose(
        &self,
        state: &mut Population,
        proposer: &mut Proposer<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError> {
        let mut points = Vec::with_capacity(self.batch);
        for index in 0..self.batch {
            points.push(if state.drawn + index < self.population || state.members.is_empty() {
                proposer.uniform()?
            } else {
                let space = proposer.space;
                proposer.fresh(|rng| {
                    let count = state.members.len();
                    let best = (0..self.sample)
                        .map(|_| &state.members[rng.random_range(0..count)])
                        // Of equals the first drawn.
                        .reduce(|best, other| match other.told.compare(&best.told).is_gt() {
                            true => other,
                            false => best,
                        })?;
                    mutate(space, &best.point, rng)
                })?
            });
        }
        Ok(points)
    }

    fn update(&self, state: &mut Population, results: Vec<EvaluatedPoint>) {
        state.drawn += results.len();
        state.members.extend(results);
        while state.members.len() > self.population {
            let rejected = state.members.iter().position(|member| !member.told.valid);
            state.members.remove(rejected.unwrap_or(0));
        }
    }
}
