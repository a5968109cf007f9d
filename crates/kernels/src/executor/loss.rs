//! Softmax cross-entropy with label smoothing.

use serde::{Deserialize, Serialize};

/// What a batch gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The sum of the images' losses.
    pub loss: f64,
    /// Images whose label has the highest logit; of equals the first.
    pub correct: usize,
    /// Images.
    pub images: usize,
}

impl Outcome {
    /// Adds another batch's outcome.
    pub fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.images += other.images;
    }

    /// The mean loss.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.images as f64
    }

    /// The share of images whose label has the highest logit.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

/// The outcome of a batch; writes the gradient of the mean loss by the logits where that is wanted.
///
/// The target of an image is 1 - `smoothing` for its label and `smoothing` spread over all classes
/// (Szegedy et al., CVPR 2016, section 7).
pub fn cross_entropy(
    logits: &[f32],
    labels: &[u32],
    smoothing: f64,
    mut gradient: Option<&mut [f32]>,
) -> Outcome {
    let classes = logits.len() / labels.len();
    let mut outcome = Outcome { images: labels.len(), ..Outcome::default() };
    let mut shares = vec![0.0_f64; classes];
    for (image, (logits, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let label = label as usize;
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (share, &logit) in shares.iter_mut().zip(logits) {
            *share = f64::from(logit - highest).exp();
            sum += *share;
        }
        let log_sum = f64::ln(sum) + f64::from(highest);
        let even = smoothing / classes as f64;
        let mean: f64 = logits.iter().map(|&logit| log_sum - f64::from(logit)).sum();
        outcome.loss += (1.0 - smoothing) * (log_sum - f64::from(logits[label])) + even * mean;
        outcome.correct +=
            usize::from(logits.iter().position(|&logit| logit == highest) == Some(label));
        if let Some(gradient) = gradient.as_deref_mut() {
            let gradient = &mut gradient[image * classes..][..classes];
            for (class, (gradient, share)) in gradient.iter_mut().zip(&shares).enumerate() {
                let target = even + if class == label { 1.0 - smoothing } else { 0.0 };
                *gradient = ((share / sum - target) / labels.len() as f64) as f32;
            }
        }
    }
    outcome
}
