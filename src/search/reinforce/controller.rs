//! The REINFORCE controller: batches of proposals, updates, and the saved state.

use std::fmt;

use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::advantage::Baseline;
use super::optimizer::{Adam, clip};
use super::policy::{Loss, Policy, Sample, lengths};
use super::settings::ReinforceSettings;
use crate::search::about::{About, ControllerSettings};
use crate::search::controller::{NOTHING_ASKED, check_feedback};
use crate::search::random::{check_sizes, draw_legal};
use crate::search::settings::Declared as _;
use crate::search::state::StateFormat;
use crate::search::{Controller, Feedback, SearchError, SearchSpace};
use crate::util::rng;

/// The maximum number of combinations sampled for each point of a batch, before the rest of the batch is
/// drawn uniformly.
const ROUNDS: usize = 8;

/// The maximum number of weights of a policy; with their gradients and moments they take half a GB.
const MAX_WEIGHTS: usize = 1 << 25;

const ABOUT: About = About {
    name: "reinforce",
    title: "A recurrent policy trained with REINFORCE,",
    doc: "A recurrent policy trained with REINFORCE, the controller of Codesign-NAS. It follows the phase's reward.",
    example: "phase(\"joint\", #{ steps: 10_000, controller: reinforce() });",
    settings_example: "let controller = reinforce(#{ learning_rate: 0.005, entropy: 0.02 });",
};

const FORMAT: StateFormat = StateFormat { name: ABOUT.name, kind: 2, version: 1 };

impl ControllerSettings for ReinforceSettings {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn build(
        &self,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError> {
        Ok(Box::new(Reinforce::new(self.clone(), space, seed, stream_name)?))
    }
}

/// A recurrent policy trained with REINFORCE.
///
/// A batch is sampled from the policy at once. When all of its results are told, one step of Adam follows the
/// gradient of
///
/// `1/B * (sum of advantage * ln p + entropy * sum of H)`
///
/// over the batch of `B` trials, with `H` the entropy of each choice of a trial.
///
/// Choices that others leave undecided are set to their only option, and learned from as if they were sampled
/// so. Illegal combinations cost no trial: others are sampled in their place. At most `B` of them join the
/// update with the advantage `-failure_penalty`, so that the policy learns what is legal. If places are still
/// open after 8 rounds of `B` samples, they are filled with legal points drawn uniformly, which the policy
/// learns from as if it had sampled them. So it recovers even if it proposes only illegal combinations.
pub struct Reinforce {
    settings: ReinforceSettings,
    space: SearchSpace,
    policy: Policy,
    progress: Progress,
}

/// The state of a search, except the weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    adam: Adam,
    baseline: Baseline,
    rng: ChaCha12Rng,
    /// The points of the current batch; empty before the first and between two batches.
    points: Vec<Vec<u16>>,
    /// The number of `points` that were asked for.
    asked: usize,
    /// The rewards of the first of `points`.
    rewards: Vec<Option<f64>>,
    /// The illegal combinations met in sampling `points`, at most as many as points.
    illegal: Vec<Vec<u16>>,
}

/// The saved state.
#[derive(Serialize, Deserialize)]
struct State {
    settings: ReinforceSettings,
    sizes: Vec<usize>,
    weights: Vec<Vec<f32>>,
    progress: Progress,
}

impl fmt::Debug for Reinforce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reinforce")
            .field("settings", &self.settings)
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

impl Reinforce {
    /// Creates a controller with a new policy.
    ///
    /// The weights are drawn from the stream `(seed, "STREAM_NAME/weights", 0)`, the points from
    /// `(seed, "STREAM_NAME/draws", 0)`.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for a setting out of its range, a search without choices, or a policy with
    /// too many weights.
    pub fn new(
        settings: ReinforceSettings,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Self, SearchError> {
        settings.validate()?;
        space.validate()?;
        let weights: usize = lengths(&space.sizes, settings.hidden).iter().sum();
        if weights > MAX_WEIGHTS {
            return Err(SearchError::Setting {
                name: "hidden",
                value: settings.hidden.to_string(),
                expected: "the policy has at most 2^25 weights: fewer units, or a smaller space"
                    .to_owned(),
            });
        }
        let mut rng = rng::stream(seed, &format!("{stream_name}/weights"), 0);
        let policy = Policy::new(&space.sizes, &settings, &mut rng);
        let progress = Progress {
            adam: Adam::new(&policy.lengths()),
            baseline: Baseline::default(),
            rng: rng::stream(seed, &format!("{stream_name}/draws"), 0),
            points: Vec::new(),
            asked: 0,
            rewards: Vec::new(),
            illegal: Vec::new(),
        };
        Ok(Self { settings, space, policy, progress })
    }

    /// Samples the next batch.
    fn sample(&mut self) -> Result<(), SearchError> {
        let batch = self.settings.batch;
        let rng = &mut self.progress.rng;
        let (mut points, mut illegal) = (Vec::with_capacity(batch), Vec::new());
        for _ in 0..ROUNDS {
            for mut point in self.policy.sample(batch, rng) {
                if points.len() == batch {
                    break;
                }
                (self.space.canonicalize)(&mut point);
                if (self.space.legal)(&point) {
                    points.push(point);
                } else if illegal.len() < batch {
                    illegal.push(point);
                }
            }
            if points.len() == batch {
                break;
            }
        }
        while points.len() < batch {
            points.push(draw_legal(&self.space, rng)?);
        }
        self.progress.points = points;
        self.progress.illegal = illegal;
        self.progress.asked = 0;
        Ok(())
    }

    /// Updates the policy from the batch, whose results are all told.
    fn update(&mut self) -> Result<(), SearchError> {
        let Progress { adam, baseline, points, rewards, illegal, .. } = &mut self.progress;
        let advantages = baseline.advantages(rewards, &self.settings);
        let share = 1.0 / points.len() as f64;
        let entropy = self.settings.entropy * share;
        let trials = points.iter().zip(&advantages.trials).map(|(point, advantage)| Sample {
            point,
            advantage: advantage * share,
            entropy,
        });
        let failure = -self.settings.failure_penalty * share;
        let illegal =
            illegal.iter().map(|point| Sample { point, advantage: failure, entropy: 0.0 });
        let samples = trials.chain(illegal).collect::<Vec<_>>();
        let Loss { value, mut gradients } = self.policy.loss(&samples);
        if !value.is_finite() || !clip(&mut gradients, self.settings.clip_norm).is_finite() {
            return Err(SearchError::Diverged(adam.steps()));
        }
        adam.step(self.policy.weights_mut(), &gradients, self.settings.learning_rate);
        self.progress.points.clear();
        self.progress.rewards.clear();
        self.progress.illegal.clear();
        self.progress.asked = 0;
        Ok(())
    }

    /// Checks that a saved state is possible for this controller.
    fn check(&self, state: &State) -> Result<(), SearchError> {
        let wrong = |text: &str| Err(SearchError::State(text.to_owned()));
        if state.settings != self.settings {
            return Err(SearchError::State(format!(
                "it was saved with the settings {:?}, and the controller has {:?}",
                state.settings, self.settings
            )));
        }
        check_sizes(&state.sizes, &self.space)?;
        let lengths = self.policy.lengths();
        let progress = &state.progress;
        let finite = |weights: &Vec<f32>| weights.iter().all(|weight| weight.is_finite());
        if !state.weights.iter().map(Vec::len).eq(lengths) || !state.weights.iter().all(finite) {
            return wrong("its weights do not fit the policy");
        }
        if !progress.adam.fits(&lengths) {
            return wrong("its optimiser does not fit the policy");
        }
        if !progress.baseline.fits() {
            return wrong("its baseline has impossible values");
        }
        let batch = self.settings.batch;
        let whole = [0, batch].contains(&progress.points.len());
        let in_order = progress.rewards.len() <= progress.asked
            && progress.asked <= progress.points.len()
            && (progress.rewards.is_empty() || progress.rewards.len() < batch);
        let finite = progress.rewards.iter().flatten().all(|reward| reward.is_finite());
        if !whole || !in_order || !finite || progress.illegal.len() > progress.points.len() {
            return wrong("its current batch has impossible values");
        }
        if !progress.points.iter().all(|point| self.space.accepts(point))
            || !progress.illegal.iter().all(|point| self.space.fits(point))
        {
            return wrong("its current batch has points that this search does not allow");
        }
        Ok(())
    }
}

impl Controller for Reinforce {
    fn batch(&self) -> usize {
        self.settings.batch
    }

    fn ask(&mut self) -> Result<Vec<u16>, SearchError> {
        if self.progress.points.is_empty() {
            self.sample()?;
        }
        let Some(point) = self.progress.points.get(self.progress.asked) else {
            return Err(SearchError::Turn(
                "a point was asked for, but the next ones depend on rewards of the batch that are \
                 not yet told: tell them first",
            ));
        };
        self.progress.asked += 1;
        Ok(point.clone())
    }

    fn tell(&mut self, told: Feedback) -> Result<(), SearchError> {
        check_feedback(&told)?;
        if self.progress.rewards.len() == self.progress.asked {
            return Err(NOTHING_ASKED);
        }
        self.progress.rewards.push(told.reward);
        if self.progress.rewards.len() == self.progress.points.len() {
            self.update()?;
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, SearchError> {
        FORMAT.encode(&State {
            settings: self.settings.clone(),
            sizes: self.space.sizes.clone(),
            weights: self.policy.weights().to_vec(),
            progress: self.progress.clone(),
        })
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError> {
        let state: State = FORMAT.decode(state)?;
        self.check(&state)?;
        self.policy.set_weights(state.weights);
        self.progress = state.progress;
        Ok(())
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
