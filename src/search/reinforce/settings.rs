//! What can be set about the REINFORCE controller.

use serde::{Deserialize, Serialize};

use crate::search::SearchError;
use crate::search::controller::setting;

/// The settings of the REINFORCE controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceSettings {
    /// The LSTM cell's width, 1 to 4,096.
    pub hidden: usize,
    /// Points per update of the weights, 1 to 4,096; as many may be evaluated at once.
    pub batch: usize,
    /// Adam's step size, above 0 and at most 1.
    pub learning_rate: f64,
    /// What the moving mean and variance of the rewards keep at each update, at least 0 and below
    /// 1.
    pub baseline_decay: f64,
    /// The weight of the entropy bonus, 0 to 1,000: what one nat of a choice's entropy is worth, in
    /// standard deviations of the reward.
    pub entropy: f64,
    /// The largest Euclidean norm of the gradient of all weights, above 0 and at most 1,000,000;
    /// a longer gradient is shortened to it.
    pub clip_norm: f64,
    /// What the logits are divided by, 0.001 to 1,000: above 1 the policy explores more.
    pub temperature: f64,
    /// The bound of the logits, above 0 and at most 100: they become `c * tanh(logit / c)`, so that
    /// no option ever becomes certain. `None` leaves them unbounded.
    pub tanh_constant: Option<f64>,
    /// The initial weights are uniform in plus or minus this, above 0 and at most 10.
    pub init_range: f64,
    /// The largest magnitude of an advantage, above 0 and at most 1,000, in standard deviations of
    /// the reward: a rare reward far from the others does not outweigh them all.
    pub advantage_limit: f64,
    /// How far below the baseline a failed trial or an illegal combination counts at least, 0 to
    /// 1,000, in standard deviations of the reward. It counts no better than the batch's worst.
    pub failure_penalty: f64,
}

impl Default for ReinforceSettings {
    fn default() -> Self {
        Self {
            hidden: 64,
            batch: 16,
            learning_rate: 0.01,
            baseline_decay: 0.9,
            entropy: 0.01,
            clip_norm: 5.0,
            temperature: 1.0,
            tanh_constant: None,
            init_range: 0.1,
            advantage_limit: 5.0,
            failure_penalty: 1.0,
        }
    }
}

impl ReinforceSettings {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for the first that is out of range or not a number.
    pub fn validate(&self) -> Result<(), SearchError> {
        let whole = |name, value: usize, expected| {
            setting(name, value, (1..=4096).contains(&value), expected)
        };
        let number = |name, value: f64, fits: bool, expected| setting(name, value, fits, expected);
        let above_zero = |value: f64, most: f64| value > 0.0 && value <= most;
        let from_zero = |value: f64, most: f64| value >= 0.0 && value <= most;

        whole("hidden", self.hidden, "the cell's width must be from 1 to 4096")?;
        whole("batch", self.batch, "the points per update must be from 1 to 4096")?;
        number(
            "learning_rate",
            self.learning_rate,
            above_zero(self.learning_rate, 1.0),
            "the step size must be above 0 and at most 1",
        )?;
        number(
            "baseline_decay",
            self.baseline_decay,
            self.baseline_decay >= 0.0 && self.baseline_decay < 1.0,
            "the decay must be at least 0 and below 1",
        )?;
        number(
            "entropy",
            self.entropy,
            from_zero(self.entropy, 1e3),
            "the weight of the bonus must be from 0 to 1000",
        )?;
        number(
            "clip_norm",
            self.clip_norm,
            above_zero(self.clip_norm, 1e6),
            "the largest norm must be above 0 and at most 1000000",
        )?;
        number(
            "temperature",
            self.temperature,
            self.temperature >= 1e-3 && self.temperature <= 1e3,
            "the temperature must be from 0.001 to 1000",
        )?;
        if let Some(bound) = self.tanh_constant {
            let expected = "the bound of the logits must be above 0 and at most 100";
            number("tanh_constant", bound, above_zero(bound, 100.0), expected)?;
        }
        number(
            "init_range",
            self.init_range,
            above_zero(self.init_range, 10.0),
            "the initial weights' bound must be above 0 and at most 10",
        )?;
        number(
            "advantage_limit",
            self.advantage_limit,
            above_zero(self.advantage_limit, 1e3),
            "the largest advantage must be above 0 and at most 1000",
        )?;
        number(
            "failure_penalty",
            self.failure_penalty,
            from_zero(self.failure_penalty, 1e3),
            "the penalty must be from 0 to 1000",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        ReinforceSettings::default().validate().unwrap();
    }

    #[test]
    fn every_number_is_checked() {
        type Setter = fn(&mut ReinforceSettings, f64);
        let numbers: [(&str, Setter); 9] = [
            ("learning_rate", |s, x| s.learning_rate = x),
            ("baseline_decay", |s, x| s.baseline_decay = x),
            ("entropy", |s, x| s.entropy = x),
            ("clip_norm", |s, x| s.clip_norm = x),
            ("temperature", |s, x| s.temperature = x),
            ("tanh_constant", |s, x| s.tanh_constant = Some(x)),
            ("init_range", |s, x| s.init_range = x),
            ("advantage_limit", |s, x| s.advantage_limit = x),
            ("failure_penalty", |s, x| s.failure_penalty = x),
        ];
        for (name, set) in numbers {
            for wrong in [-0.1, f64::NAN, f64::INFINITY, 1e7] {
                let mut settings = ReinforceSettings::default();
                set(&mut settings, wrong);
                let text = settings.validate().unwrap_err().to_string();
                assert!(text.starts_with(&format!("`{name}` is {wrong}: ")), "{text}");
            }
        }
        for (hidden, batch) in [(0, 16), (64, 0), (5000, 16), (64, 5000)] {
            let settings = ReinforceSettings { hidden, batch, ..Default::default() };
            assert!(settings.validate().is_err());
        }
    }
}
