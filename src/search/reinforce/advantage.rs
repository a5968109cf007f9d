//! Advantages: rewards relative to their expectation, independent of their scale.

use serde::{Deserialize, Serialize};

use super::settings::ReinforceSettings;

/// The bound on rewards, so that squares and sums of deviations stay finite.
const LARGEST_REWARD: f64 = 1e150;

/// The smallest spread, relative to the baseline, that is not taken for rounding.
const RELATIVE_RESOLUTION: f64 = 1e-9;

/// The moving mean and variance of the rewards.
///
/// Both are exponential averages over batches, divided by the sum of their weights, so that the
/// first batch counts in full (the bias correction of Adam).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    mean: f64,
    variance: f64,
    weight: f64,
}

/// The advantages of one batch.
#[derive(Debug, PartialEq)]
pub struct Advantages {
    /// The advantage of each trial, in the order of the rewards.
    pub trials: Vec<f64>,
    /// The advantage of a failed trial; never positive.
    pub failure: f64,
}

impl Baseline {
    /// Returns true if the numbers are possible results of `advantages`.
    pub fn fits(&self) -> bool {
        self.mean.is_finite()
            && self.variance >= 0.0
            && self.variance.is_finite()
            && (0.0..=1.0).contains(&self.weight)
    }

    /// Converts the rewards of a batch to advantages, and adds them to the averages.
    ///
    /// An advantage is `(reward - baseline) / deviation`, bounded by `advantage_limit`. The baseline is the
    /// moving mean before this batch (for the first batch: its own mean), which leaves the policy gradient
    /// unbiased. The deviation is the root of the moving variance around the baselines, this batch included.
    /// If rewards differ by no more than rounding, the advantages are zero.
    ///
    /// A failed trial does not change the averages. Its advantage is the lowest of the batch or
    /// `-failure_penalty`, whichever is lower.
    pub fn advantages(
        &mut self,
        rewards: &[Option<f64>],
        settings: &ReinforceSettings,
    ) -> Advantages {
        let bounded = |reward: &f64| reward.clamp(-LARGEST_REWARD, LARGEST_REWARD);
        let known: Vec<f64> = rewards.iter().flatten().map(bounded).collect();
        let normalized = self.normalize(&known, settings);
        let lowest = normalized.iter().copied().fold(0.0, f64::min);
        let failure = lowest.min(-settings.failure_penalty);
        let mut normalized = normalized.into_iter();
        let trials = rewards
            .iter()
            .map(|reward| reward.and_then(|_| normalized.next()).unwrap_or(failure))
            .collect();
        Advantages { trials, failure }
    }

    fn normalize(&mut self, rewards: &[f64], settings: &ReinforceSettings) -> Vec<f64> {
        if rewards.is_empty() {
            return Vec::new();
        }
        let share = 1.0 / rewards.len() as f64;
        let batch_mean: f64 = rewards.iter().map(|reward| reward * share).sum();
        let baseline = if self.weight > 0.0 { self.mean / self.weight } else { batch_mean };
        let deviations: Vec<f64> = rewards.iter().map(|reward| reward - baseline).collect();
        let batch_variance: f64 = deviations.iter().map(|x| x * x * share).sum();

        let keep = settings.baseline_decay;
        self.mean = keep * self.mean + (1.0 - keep) * batch_mean;
        self.variance = keep * self.variance + (1.0 - keep) * batch_variance;
        self.weight = keep * self.weight + (1.0 - keep);

        let deviation = (self.variance / self.weight).sqrt();
        let scale = deviation.max(baseline.abs() * RELATIVE_RESOLUTION);
        let limit = settings.advantage_limit;
        let normalize = |x: f64| if scale > 0.0 { (x / scale).clamp(-limit, limit) } else { 0.0 };
        deviations.into_iter().map(normalize).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> ReinforceSettings {
        ReinforceSettings { baseline_decay: 0.5, failure_penalty: 0.5, ..Default::default() }
    }

    #[test]
    fn the_first_batch_is_compared_with_itself() {
        let mut baseline = Baseline::default();
        let first = baseline.advantages(&[Some(1.0), Some(3.0)], &settings());
        assert_eq!(first, Advantages { trials: vec![-1.0, 1.0], failure: -1.0 });
        // Baseline 2; the variance is 1 with weight 1/4 and (1 + 9) / 2 with weight 1/2.
        let second = baseline.advantages(&[Some(3.0), Some(5.0)], &settings());
        let deviation = ((0.25 * 1.0 + 0.5 * 5.0) / 0.75_f64).sqrt();
        for (advantage, expected) in second.trials.iter().zip([1.0, 3.0]) {
            assert!((advantage - expected / deviation).abs() < 1e-12);
        }
        assert_eq!(second.failure, -0.5);
    }

    #[test]
    fn failures_count_as_the_worst_and_move_nothing() {
        let mut baseline = Baseline::default();
        let all_failed = baseline.advantages(&[None, None], &settings());
        assert_eq!(all_failed, Advantages { trials: vec![-0.5, -0.5], failure: -0.5 });
        assert_eq!(baseline, Baseline::default());
        let some = baseline.advantages(&[Some(1.0), None, Some(3.0)], &settings());
        assert_eq!(some.trials, [-1.0, -1.0, 1.0]);
    }

    #[test]
    fn rounding_is_not_a_difference() {
        let mut baseline = Baseline::default();
        for _ in 0..20 {
            let advantages = baseline.advantages(&[Some(0.1); 10], &settings());
            assert!(advantages.trials.iter().all(|x| x.abs() < 1e-6), "{advantages:?}");
            assert_eq!(advantages.failure, -0.5);
        }
    }

    proptest! {
        #[test]
        fn the_scale_and_the_origin_of_rewards_do_not_matter(
            rewards in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 4), 1..6),
            exponent in -12..12_i32,
            origin in -10.0..10.0_f64,
        ) {
            let scale = 10.0_f64.powi(exponent);
            let (mut one, mut other) = (Baseline::default(), Baseline::default());
            for batch in &rewards {
                let plain: Vec<_> = batch.iter().map(|&x| Some(x)).collect();
                let scaled: Vec<_> = batch.iter().map(|&x| Some(scale * (x + origin))).collect();
                let plain = one.advantages(&plain, &settings());
                let scaled = other.advantages(&scaled, &settings());
                for (a, b) in plain.trials.iter().zip(&scaled.trials) {
                    prop_assert!((a - b).abs() < 1e-6, "{a} {b}");
                }
            }
        }

        #[test]
        fn advantages_of_any_finite_rewards_are_finite(
            rewards in prop::collection::vec(
                prop::collection::vec(
                    prop::option::of(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL
                        | prop::num::f64::ZERO),
                    1..5,
                ),
                1..8,
            ),
        ) {
            let mut baseline = Baseline::default();
            for batch in &rewards {
                let advantages = baseline.advantages(batch, &settings());
                prop_assert!(baseline.fits());
                prop_assert!(advantages.failure <= -0.5);
                prop_assert!(advantages.trials.iter().all(|x| x.abs() <= 5.0));
            }
        }
    }
}
