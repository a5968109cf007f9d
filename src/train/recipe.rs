//! How a network is trained: a value with a hash.

use serde::{Deserialize, Serialize};
use tandem_kernels::check_activations;

use super::data::Dataset;
use super::error::TrainError;
use super::optimiser::Rule;
use crate::network::Network;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images of a step; what is left at the end of an epoch is left out of it.
    pub batch: usize,
    /// How parameters follow their gradients.
    pub rule: Rule,
    /// The learning rate at its highest.
    pub rate: f64,
    /// How the learning rate falls.
    pub schedule: Schedule,
    /// Epochs in which the learning rate rises linearly from 0.
    pub warmup_epochs: f64,
    /// Decay of weights; biases and normalisations do not decay.
    pub weight_decay: f64,
    /// The largest norm of all gradients together; larger ones are scaled down.
    pub clip: Option<f64>,
    /// The share of the target that is spread over all classes.
    pub smoothing: f64,
    /// The share of a batch's statistics that enters the running ones.
    pub norm_momentum: f64,
    /// Changes of the images.
    pub augment: Augment,
    /// Images to learn from; all that are not held out if it is not given.
    pub images: Option<usize>,
    /// Training images that are held out to validate with, always the same ones.
    pub validation: usize,
    /// Validation accuracies, epoch by epoch, below which the training is given up.
    pub stop_below: Vec<f64>,
}

/// How the learning rate falls after warming up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// As a half cosine, to 0 (Loshchilov and Hutter, ICLR 2017, without restarts).
    Cosine,
    /// By a factor at some epochs.
    Steps {
        /// The epochs.
        at: Vec<f64>,
        /// The factor.
        factor: f64,
    },
}

/// How images are changed in training; what moves in from outside is the mean of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augment {
    /// Pixels by which an image moves at most, up or down and left or right.
    pub pad: usize,
    /// Whether every other image, on average, is mirrored.
    pub flip: bool,
    /// The side of a square that is wiped out, around any pixel (DeVries and Taylor 2017); 0 for none.
    pub cutout: usize,
}

impl Default for Recipe {
    /// SGD with Nesterov momentum, one epoch of warming up and a cosine: a recipe for short trainings.
    fn default() -> Self {
        Self {
            epochs: 12,
            batch: 64,
            rule: Rule::Sgd { momentum: 0.9, nesterov: true },
            rate: 0.1,
            schedule: Schedule::Cosine,
            warmup_epochs: 1.0,
            weight_decay: 5e-4,
            clip: None,
            smoothing: 0.0,
            norm_momentum: 0.1,
            augment: Augment { pad: 4, flip: true, cutout: 0 },
            images: None,
            validation: 0,
            stop_below: Vec::new(),
        }
    }
}

impl Recipe {
    /// What NASBench-101 trained with (Ying et al., ICML 2019, and its published configuration).
    pub fn nasbench101() -> Self {
        Self {
            epochs: 108,
            batch: 256,
            rule: Rule::RmsProp { decay: 0.9, momentum: 0.9, epsilon: 1.0 },
            rate: 0.2,
            warmup_epochs: 0.0,
            weight_decay: 1e-4,
            norm_momentum: 0.003,
            ..Self::default()
        }
    }

    /// How many images there are to learn from.
    pub fn training_images(&self, data: &Dataset) -> usize {
        let rest = data.train().len().saturating_sub(self.validation);
        self.images.map_or(rest, |images| images.min(rest))
    }

    /// Steps of an epoch.
    pub fn steps(&self, data: &Dataset) -> u64 {
        (self.training_images(data) / self.batch.max(1)) as u64
    }

    /// The learning rate of a step, counted from 0 over all epochs.
    pub fn rate_at(&self, step: u64, steps_of_epoch: u64) -> f64 {
        let each = steps_of_epoch as f64;
        let (warm, total) = (self.warmup_epochs * each, f64::from(self.epochs) * each);
        let step = step as f64;
        if step + 1.0 < warm {
            return self.rate * (step + 1.0) / warm;
        }
        match &self.schedule {
            Schedule::Constant => self.rate,
            Schedule::Cosine => {
                let done = ((step - warm) / (total - warm).max(1.0)).clamp(0.0, 1.0);
                self.rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Schedule::Steps { at, factor } => {
                let passed = at.iter().filter(|&&epoch| step >= epoch * each).count();
                self.rate * factor.powi(i32::try_from(passed).unwrap_or(i32::MAX))
            }
        }
    }

    /// Refuses what cannot be trained, before time is spent.
    ///
    /// # Errors
    /// The network reads other images or tells other classes apart, has an activation that the kernels do
    /// not compute, there are too few images, or a number makes no sense.
    pub fn check(&self, network: &Network, data: &Dataset) -> Result<(), TrainError> {
        let refuse = |what: String| Err(TrainError::Recipe(what));
        let (reads, has) = (network.input(), data.shape());
        if reads != has {
            return refuse(format!(
                "the network reads images of {reads}, and those of {} are {has} (channels, rows, \
                 columns)",
                data.name()
            ));
        }
        let (tells, classes) = (network.output().values(), data.classes());
        if tells != classes as u64 {
            return refuse(format!(
                "the network tells {tells} classes apart, and {} has {classes}",
                data.name()
            ));
        }
        check_activations(network)?;
        if self.epochs == 0 || self.batch == 0 {
            return refuse("`epochs` and `batch` must be at least 1".to_owned());
        }
        let Self { rate, warmup_epochs, weight_decay, clip, norm_momentum, smoothing, .. } = *self;
        let numbers = [
            ("rate", rate, rate > 0.0, "above 0"),
            (
                "warmup_epochs",
                warmup_epochs,
                (0.0..f64::from(self.epochs)).contains(&warmup_epochs),
                "at least 0 and less than `epochs`",
            ),
            ("weight_decay", weight_decay, weight_decay >= 0.0, "at least 0"),
            ("clip", clip.unwrap_or(1.0), clip.is_none_or(|norm| norm > 0.0), "above 0"),
            (
                "norm_momentum",
                norm_momentum,
                norm_momentum > 0.0 && norm_momentum <= 1.0,
                "above 0 and at most 1",
            ),
            ("smoothing", smoothing, (0.0..1.0).contains(&smoothing), "at least 0 and below 1"),
        ];
        for (name, value, fits, expected) in numbers {
            if !fits || !value.is_finite() {
                return refuse(format!("`{name}` is {value}; it must be {expected}"));
            }
        }
        let there = data.train().len();
        let wanted = self.images.unwrap_or(1).saturating_add(self.validation);
        if wanted > there || self.images == Some(0) {
            return refuse(format!(
                "{} training and {} validation images are asked for, and {} has {there}",
                self.images.map_or_else(|| "all other".to_owned(), |images| images.to_string()),
                self.validation,
                data.name()
            ));
        }
        let images = self.training_images(data);
        if self.batch > images {
            let batch = self.batch;
            return refuse(format!(
                "a batch of {batch} is larger than the {images} images to learn from"
            ));
        }
        if !self.stop_below.is_empty() && self.validation == 0 {
            return refuse("`stop_below` needs `validation` images to judge by".to_owned());
        }
        Ok(())
    }
}

/// The hash of all that decides a training (BLAKE3, hexadecimal).
pub fn training_key(network: &Network, data: &Dataset, recipe: &Recipe, seed: u64) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("tandem training v1");
    hasher.update(network.digest().as_bytes());
    hasher.update(data.digest().as_bytes());
    hasher.update(format!("{recipe:?}").as_bytes());
    hasher.update(&seed.to_le_bytes());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall() {
        let recipe = Recipe { epochs: 10, rate: 0.4, warmup_epochs: 2.0, ..Recipe::default() };
        let rates: Vec<f64> = (0..100).map(|step| recipe.rate_at(step, 10)).collect();
        assert!((rates[0] - 0.02).abs() < 1e-12 && (rates[9] - 0.2).abs() < 1e-12);
        assert!(rates[..20].is_sorted() && rates[20..].is_sorted_by(|a, b| a >= b));
        assert!((rates[20] - 0.4).abs() < 1e-12 && (rates[60] - 0.2).abs() < 1e-12);
        assert!(rates[99] > 0.0 && rates[99] < 1e-3);

        let schedule = Schedule::Steps { at: vec![5.0, 7.5], factor: 0.1 };
        let recipe = Recipe { schedule, warmup_epochs: 0.0, rate: 1.0, ..recipe };
        let rates = [0, 49, 50, 74, 75, 99].map(|step| recipe.rate_at(step, 10));
        for (rate, expected) in rates.into_iter().zip([1.0, 1.0, 0.1, 0.1, 0.01, 0.01]) {
            assert!((rate - expected).abs() < 1e-12);
        }
        let constant = Recipe { schedule: Schedule::Constant, ..recipe };
        assert!((constant.rate_at(99, 10) - 1.0).abs() < 1e-12);
    }
}
