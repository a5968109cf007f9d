//! The Adam optimizer, with a state that can be saved, and gradient clipping.

use serde::{Deserialize, Serialize};

/// Decay of the first moment (D. P. Kingma, J. Ba, "Adam", ICLR 2015, algorithm 1).
const BETA1: f64 = 0.9;
/// Decay of the second moment (the same).
const BETA2: f64 = 0.999;
/// The constant that keeps the quotient finite (the same).
const EPSILON: f32 = 1e-8;

/// The state of Adam over several arrays of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    steps: u64,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
}

impl Adam {
    /// Creates the state for arrays of the given lengths: no steps, moments of zero.
    pub fn new(lengths: &[usize]) -> Self {
        let zeros: Vec<_> = lengths.iter().map(|&length| vec![0.0; length]).collect();
        Self { steps: 0, first: zeros.clone(), second: zeros }
    }

    /// The number of steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns true if the state fits arrays of the given lengths, with numbers that `step` can give.
    pub fn fits(&self, lengths: &[usize]) -> bool {
        [&self.first, &self.second].into_iter().all(|moments| {
            moments.iter().map(Vec::len).eq(lengths.iter().copied())
                && moments.iter().flatten().all(|moment| moment.is_finite())
        }) && self.second.iter().flatten().all(|&moment| moment >= 0.0)
    }

    /// Moves the weights one step against their gradients.
    pub fn step(&mut self, weights: &mut [Vec<f32>], gradients: &[Vec<f32>], learning_rate: f64) {
        self.steps += 1;
        let steps = self.steps as f64;
        // Unlike the standard library's function, that of `libm` is the same on every machine.
        let correction1 = 1.0 - libm::pow(BETA1, steps);
        let correction2 = 1.0 - libm::pow(BETA2, steps);
        let rate = (learning_rate / correction1) as f32;
        let scale = (1.0 / correction2).sqrt() as f32;
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        let (rest1, rest2) = ((1.0 - BETA1) as f32, (1.0 - BETA2) as f32);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weights, gradients), (first, second)) in
            weights.iter_mut().zip(gradients).zip(moments)
        {
            for (((weight, &gradient), first), second) in
                weights.iter_mut().zip(gradients).zip(first).zip(second)
            {
                *first = beta1 * *first + rest1 * gradient;
                *second = beta2 * *second + rest2 * gradient * gradient;
                *weight -= rate * *first / (scale * second.sqrt() + EPSILON);
            }
        }
    }
}

/// Shortens the gradients to a Euclidean norm of at most `most`, all by the same factor.
///
/// Returns the norm they had, which is not finite if one of them is not.
pub fn clip(gradients: &mut [Vec<f32>], most: f64) -> f64 {
    let norm = gradients.iter().flatten().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if norm > most && norm.is_finite() {
        let factor = (most / norm) as f32;
        gradients.iter_mut().flatten().for_each(|gradient| *gradient *= factor);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adam in double precision, straight from the paper's algorithm 1.
    fn reference(weight: f64, gradients: &[f64], rate: f64) -> f64 {
        let (mut weight, mut m, mut v) = (weight, 0.0, 0.0);
        for (step, gradient) in gradients.iter().enumerate() {
            m = 0.9 * m + 0.1 * gradient;
            v = 0.999 * v + 0.001 * gradient * gradient;
            let t = step as i32 + 1;
            let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(t)), v / (1.0 - 0.999_f64.powi(t)));
            weight -= rate * m_hat / (v_hat.sqrt() + 1e-8);
        }
        weight
    }

    #[test]
    fn steps_follow_the_paper() {
        let gradients = [0.3, -0.2, 0.0, 5.0, -0.01, 0.4, 0.4];
        let mut adam = Adam::new(&[1, 2]);
        let mut weights = vec![vec![1.0], vec![-2.0, 0.5]];
        for &gradient in &gradients {
            let gradient = gradient as f32;
            let all = [vec![gradient], vec![-gradient, 2.0 * gradient]];
            adam.step(&mut weights, &all, 0.05);
        }
        let negated = gradients.map(|x| -x);
        let doubled = gradients.map(|x| 2.0 * x);
        let near = |weight: f32, expected: f64| (f64::from(weight) - expected).abs() < 1e-5;
        assert!(near(weights[0][0], reference(1.0, &gradients, 0.05)));
        assert!(near(weights[1][0], reference(-2.0, &negated, 0.05)));
        assert!(near(weights[1][1], reference(0.5, &doubled, 0.05)));
        assert_eq!(adam.steps(), 7);
        assert!(adam.fits(&[1, 2]) && !adam.fits(&[1, 3]) && !adam.fits(&[1]));
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let mut gradients = [vec![3.0], vec![0.0, 4.0]];
        assert_eq!(clip(&mut gradients, 10.0), 5.0);
        assert_eq!(gradients, [vec![3.0], vec![0.0, 4.0]]);
        assert_eq!(clip(&mut gradients, 2.5), 5.0);
        assert_eq!(gradients, [vec![1.5], vec![0.0, 2.0]]);
        assert!(!clip(&mut [vec![1.0, f32::NAN]], 1.0).is_finite());
        assert!(!clip(&mut [vec![1.0, f32::INFINITY]], 1.0).is_finite());
    }
}
