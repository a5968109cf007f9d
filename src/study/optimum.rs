//! The exact best pairs, by which runs are judged.

use std::collections::HashMap;

use crate::store::Trial;

/// The globally best pairs for the reward of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Optimum {
    /// Their rewards, best first.
    rewards: Vec<f64>,
    /// The rank of each pair, from 0, by the texts of its parts.
    places: HashMap<Vec<String>, usize>,
}

impl Optimum {
    /// Creates a target from the best pairs, best first, as a sweep stores them.
    pub fn new<'t>(best: impl IntoIterator<Item = &'t Trial>) -> Self {
        let mut target = Self::default();
        for trial in best {
            let Some(reward) = trial.outcome.reward() else { continue };
            target.places.insert(texts(trial), target.rewards.len());
            target.rewards.push(reward);
        }
        target
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Returns true if there are none, as if no pair is feasible.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// The reward of the best pair.
    pub fn best(&self) -> Option<f64> {
        self.rewards.first().copied()
    }

    /// The reward of the last pair, such as the 100th best.
    pub fn last(&self) -> Option<f64> {
        self.rewards.last().copied()
    }

    /// The rank of a trial's pair among them, from 0.
    ///
    /// Points with equal texts are the same pair.
    pub fn place(&self, trial: &Trial) -> Option<usize> {
        self.places.get(&texts(trial)).copied()
    }
}

fn texts(trial: &Trial) -> Vec<String> {
    trial.text.values().cloned().collect()
}
