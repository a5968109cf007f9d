//! Regularised evolution.

use std::collections::VecDeque;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::batched::{Ground, Judged, Strategy};
use super::controller::{SearchError, setting};
use super::neighbours::mutate;
use super::state::Format;

/// Regularised (aging) evolution: the best of a random sample of the population is changed in one
/// choice, and the child replaces the oldest member (Real, Aggarwal, Huang and Le, AAAI 2019).
///
/// A population is first drawn uniformly. No point is proposed twice. A valid trial beats a rejected
/// one, and that one a failed one, whatever their rewards; rejected and failed trials, the oldest
/// first, leave the population before any valid one does, so that a stretch of rejections costs
/// nothing that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evolution {
    /// Members of the population, 2 to 65,536.
    pub population: usize,
    /// Members among which a parent is the best, from 1 to the population.
    pub sample: usize,
    /// Points proposed before the first of them is judged, 1 to 4,096; as many may be evaluated at
    /// once.
    pub batch: usize,
}

impl Default for Evolution {
    /// A tenth of the population is sampled, as in the paper's search of 20,000 models.
    fn default() -> Self {
        Self { population: 100, sample: 10, batch: 8 }
    }
}

impl Evolution {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for the first that is out of range.
    pub fn validate(&self) -> Result<(), SearchError> {
        let &Self { population, sample, batch } = self;
        let fits = (2..=65_536).contains(&population);
        setting("population", population, fits, "the members must be from 2 to 65,536")?;
        let fits = (1..=population).contains(&sample);
        setting("sample", sample, fits, "the sample must be from 1 to the population")?;
        let fits = (1..=4096).contains(&batch);
        setting("batch", batch, fits, "the points at once must be from 1 to 4096")
    }
}

/// The population, the oldest first, and how many were drawn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Population {
    members: VecDeque<Judged>,
    drawn: usize,
}

impl Strategy for Evolution {
    type State = Population;

    const FORMAT: Format = Format { name: "evolution", kind: 3, version: 1 };

    fn batch(&self) -> usize {
        self.batch
    }

    fn propose(
        &self,
        state: &mut Population,
        ground: &mut Ground<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError> {
        let mut points = Vec::with_capacity(self.batch);
        for index in 0..self.batch {
            points.push(if state.drawn + index < self.population || state.members.is_empty() {
                ground.uniform()?
            } else {
                let searched = ground.searched;
                ground.fresh(|rng| {
                    let count = state.members.len();
                    let best = (0..self.sample)
                        .map(|_| &state.members[rng.random_range(0..count)])
                        // Of equals the first drawn.
                        .reduce(|best, other| match other.told.compare(&best.told).is_gt() {
                            true => other,
                            false => best,
                        })?;
                    mutate(searched, &best.point, rng)
                })?
            });
        }
        Ok(points)
    }

    fn absorb(&self, state: &mut Population, results: Vec<Judged>) {
        state.drawn += results.len();
        state.members.extend(results);
        while state.members.len() > self.population {
            let rejected = state.members.iter().position(|member| !member.told.valid);
            state.members.remove(rejected.unwrap_or(0));
        }
    }
}
