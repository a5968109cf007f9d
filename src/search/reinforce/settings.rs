//! The settings of the REINFORCE controller.

use crate::search::settings::settings;

settings! {
    /// The settings of the REINFORCE controller.
    pub struct ReinforceSettings {
        /// Width of the LSTM cell.
        hidden: usize = 64, Whole(1, 4096), "the cell's width";
        /// Points for each update of the weights; as many may be evaluated at once.
        batch: usize = 16, Whole(1, 4096), "the points per update";
        /// Step size of Adam.
        learning_rate: f64 = 0.01, Above(0.0, 1.0), "the step size";
        /// Share of the moving mean and variance of the rewards that each update keeps.
        baseline_decay: f64 = 0.9, Below(0.0, 1.0), "the decay";
        /// Weight of the entropy bonus: the worth of one nat of a choice's entropy, in standard deviations of the
        /// reward.
        entropy: f64 = 0.01, Between(0.0, 1e3), "the weight of the bonus";
        /// Largest Euclidean norm of the gradient of all weights; a longer gradient is shortened to it.
        clip_norm: f64 = 5.0, Above(0.0, 1e6), "the largest norm";
        /// Divisor of the logits: above 1 the policy explores more.
        temperature: f64 = 1.0, Between(1e-3, 1e3), "the temperature";
        /// Bound `c` of the logits, which become `c * tanh(logit / c)`, so that no option becomes certain; if not
        /// given, they are unbounded.
        tanh_constant: Option<f64> = None, Above(0.0, 100.0), "the bound of the logits";
        /// Bound of the initial weights, which are uniform between minus and plus it.
        init_range: f64 = 0.1, Above(0.0, 10.0), "the initial weights' bound";
        /// Largest magnitude of an advantage, in standard deviations of the reward: a rare reward far from the
        /// others does not outweigh them all.
        advantage_limit: f64 = 5.0, Above(0.0, 1e3), "the largest advantage";
        /// Least distance below the baseline at which a failed trial or an illegal combination counts, in standard
        /// deviations of the reward; it counts no better than the worst of the batch.
        failure_penalty: f64 = 1.0, Between(0.0, 1e3), "the penalty";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::settings::Declared as _;

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
