//! Hyperparameters of a training run.

use serde::{Deserialize, Serialize};
use tandem_kernels::check_activations;

use super::data::Dataset;
use super::error::TrainError;
use super::optimizer::UpdateRule;
use crate::network::Network;

/// The hyperparameters of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The number of passes over the training images.
    pub epochs: u32,
    /// Images per step; an incomplete batch at the end of an epoch is skipped.
    pub batch: usize,
    /// The optimizer.
    pub rule: UpdateRule,
    /// The peak learning rate.
    pub rate: f64,
    /// The schedule of the learning rate.
    pub schedule: Schedule,
    /// The number of epochs in which the learning rate rises linearly from 0.
    pub warmup_epochs: f64,
    /// The weight decay of weights; biases and normalization parameters do not decay.
    pub weight_decay: f64,
    /// The maximum norm of all gradients together; larger gradients are scaled down.
    pub clip: Option<f64>,
    /// Label smoothing: the fraction of the target that is spread over all classes.
    pub smoothing: f64,
    /// The weight of a batch's statistics in the update of the running statistics.
    pub norm_momentum: f64,
    /// The augmentation of training images.
    pub augment: Augment,
    /// The number of images to train on; without it, all that are not held out.
    pub images: Option<usize>,
    /// The number of training images held out for validation, the same in every training run.
    pub validation: usize,
    /// Minimum validation accuracies, epoch by epoch; training stops early below them.
    pub stop_below: Vec<f64>,
}

/// Schedules of the learning rate after the warmup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// A constant learning rate.
    Constant,
    /// Half a cosine, down to 0 (Loshchilov and Hutter, ICLR 2017, without restarts).
    Cosine,
    /// Multiplication by a factor at the given epochs.
    Steps {
        /// The epochs.
        at: Vec<f64>,
        /// The factor.
        factor: f64,
    },
}

/// Random changes of training images; pixels from outside the image are the mean of their channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augment {
    /// The maximum number of pixels by which an image is shifted, vertically and horizontally.
    pub pad: usize,
    /// True to flip images horizontally with probability 1/2.
    pub flip: bool,
    /// The side, in pixels, of a random square that is erased (Cutout, DeVries and Taylor 2017); 0 for none.
    pub cutout: usize,
}

impl Default for Recipe {
    /// SGD with Nesterov momentum, one epoch of warmup and a cosine schedule, for short training runs.
    fn default() -> Self {
        Self {
            epochs: 12,
            batch: 64,
            rule: UpdateRule::Sgd { momentum: 0.9, nesterov: true },
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
    /// The recipe of NASBench-101 (Ying et al., ICML 2019, and its published configuration).
    pub fn nasbench101() -> Self {
        Self {
            epochs: 108,
            batch: 256,
            rule: UpdateRule::RmsProp { decay: 0.9, momentum: 0.9, epsilon: 1.0 },
            rate: 0.2,
            warmup_epochs: 0.0,
            weight_decay: 1e-4,
            norm_momentum: 0.003,
            ..Self::default()
        }
    }

    /// The number of images to train on.
    pub fn training_images(&self, data: &Dataset) -> usize {
        let rest = data.train().len().saturating_sub(self.validation);
        self.images.map_or(rest, |images| images.min(rest))
    }

    /// The number of steps of an epoch.
    pub fn steps(&self, data: &Dataset) -> u64 {
        (self.training_images(data) / self.batch.max(1)) as u64
    }

    /// The learning rate at a step, counted from 0 over all epochs.
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

    /// Checks that a network can be trained on a data set with this recipe.
    ///
    /// # Errors
    /// Returns an error if the network does not match the images or the classes, if the kernels do not
    /// support one of its activations, if there are too few images, or if a hyperparameter is out of range.
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

/// The hash of everything that determines the result of a training run (BLAKE3, hexadecimal).
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
