//! The exact best pairs that runs are judged by.

use std::collections::HashMap;

use crate::store::Trial;

/// The best pairs of all for the reward of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Their rewards, best first.
    rewards: Vec<f64>,
    /// The place of each by the texts of its parts.
    places: HashMap<Vec<String>, usize>,
}

impl Target {
    /// Takes the best pairs, best first, as a sweep stores them.
    pub fn new<'t>(best: impl IntoIterator<Item = &'t Trial>) -> Self {
        let mut target = Self::default();
        for trial in best {
            let Some(reward) = trial.outcome.reward() else { continue };
            target.places.insert(texts(trial), target.rewards.len());
            target.rewards.push(reward);
        }
        target
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether no pair keeps the scenario's limits.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// The reward of the best.
    pub fn best(&self) -> Option<f64> {
        self.rewards.first().copied()
    }

    /// The reward of the last, such as the 100th.
    pub fn last(&self) -> Option<f64> {
        self.rewards.last().copied()
    }

    /// The place of a trial's pair among them, from 0.
    ///
    /// Points that stand for the same pair have the same texts.
    pub fn place(&self, trial: &Trial) -> Option<usize> {
        self.places.get(&texts(trial)).copied()
    }
}

fn texts(trial: &Trial) -> Vec<String> {
    trial.text.values().cloned().collect()
}
