//! Softmax cross-entropy with label smoothing.

use serde::{Deserialize, Serialize};

/// The loss and accuracy of a batch, or of several batches added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// The sum of the images' losses.
    pub loss: f64,
    /// The number of images whose label has the highest logit; of equal logits, the first counts.
    pub correct: usize,
    /// The number of images.
    pub images: usize,
}

impl BatchOutcome {
    /// Adds the outcome of another batch.
    pub fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.images += other.images;
    }

    /// Returns the mean loss of an image.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.images as f64
    }

    /// Returns the share of images whose label has the highest logit, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

/// Returns the outcome of a batch, and writes the gradient of the mean loss with respect to the logits into
/// `gradient`, if there is one.
///
/// The target of an image is 1 - `smoothing` for its label, plus `smoothing` spread evenly over all classes
/// (Szegedy et al., CVPR 2016, section 7).
pub fn cross_entropy(
    logits: &[f32],
    labels: &[u32],
    smoothing: f64,
    mut gradient: Option<&mut [f32]>,
) -> BatchOutcome {
    let classes = logits.len() / labels.len();
    let mut outcome = BatchOutcome { images: labels.len(), ..BatchOutcome::default() };
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
