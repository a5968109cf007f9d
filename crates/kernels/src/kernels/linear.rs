//! Fully connected layers.

use std::ops::Range;

use super::gather::{load, store};
use crate::simd::{Kernel, Simd};

/// Rows of a batch: `values` consecutive values for each image.
#[derive(Clone, Copy, Debug)]
pub struct ImageRows {
    /// The first value.
    pub at: *mut f32,
    /// Values of an image.
    pub values: usize,
}

// SAFETY: a pointer with a size; who dereferences it answers for the aliasing.
unsafe impl Send for ImageRows {}
// SAFETY: as above.
unsafe impl Sync for ImageRows {}

impl ImageRows {
    #[inline(always)]
    unsafe fn row(&self, image: usize) -> *mut f32 {
        // SAFETY: the caller's.
        unsafe { self.at.add(image * self.values) }
    }
}

/// Outputs of some images: weights times inputs, plus the bias.
pub struct Linear {
    /// The inputs.
    pub from: ImageRows,
    /// The outputs.
    pub to: ImageRows,
    /// Outputs x inputs.
    pub weights: *const f32,
    /// A value for each output.
    pub bias: *const f32,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for Linear {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (inputs, outputs) = (self.from.values, self.to.values);
        for image in self.images.clone() {
            for output in 0..outputs {
                // SAFETY: the caller's.
                unsafe {
                    let weights = self.weights.add(output * inputs);
                    let sum = dot::<S>(self.from.row(image), weights, inputs);
                    *self.to.row(image).add(output) = sum + *self.bias.add(output);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn dot<S: Simd>(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [S::zero(); 2];
        let mut i = 0;
        while i + 2 * S::LANES <= count {
            for (n, sum) in sums.iter_mut().enumerate() {
                let at = i + n * S::LANES;
                *sum = S::mul_add(S::load(a.add(at)), S::load(b.add(at)), *sum);
            }
            i += 2 * S::LANES;
        }
        while i < count {
            let lanes = (count - i).min(S::LANES);
            let (a, b) = (S::load_first(a.add(i), lanes), S::load_first(b.add(i), lanes));
            sums[0] = S::mul_add(a, b, sums[0]);
            i += lanes;
        }
        let mut values = [0.0; 16];
        S::store(values.as_mut_ptr(), S::add(sums[0], sums[1]));
        values[..S::LANES].iter().sum()
    }
}

/// Gradients of a fully connected layer: of the inputs for some images, or of the weights and the bias
/// for some outputs.
pub struct LinearBackward {
    /// The inputs of the forward pass.
    pub from: ImageRows,
    /// The outputs' gradients.
    pub gradient: ImageRows,
    /// Outputs x inputs.
    pub weights: *const f32,
    /// The gradient to compute.
    pub of: LinearGradient,
}

/// A gradient of a fully connected layer.
pub enum LinearGradient {
    /// Of the inputs.
    Inputs {
        /// The gradient.
        to: ImageRows,
        /// True to add the gradient to the values there, false to overwrite them.
        add: bool,
        /// The images.
        images: Range<usize>,
    },
    /// Of the weights and the bias.
    Weights {
        /// Outputs x inputs.
        to: *mut f32,
        /// A value for each output.
        bias: *mut f32,
        /// The outputs.
        outputs: Range<usize>,
        /// Images of the batch.
        images: usize,
    },
}

impl Kernel for LinearBackward {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (inputs, outputs) = (self.from.values, self.gradient.values);
        // SAFETY: the caller's.
        unsafe {
            match self.of {
                LinearGradient::Inputs { to, add, images } => {
                    for image in images {
                        let (to, gradient) = (to.row(image), self.gradient.row(image));
                        for i in (0..inputs).step_by(S::LANES) {
                            let lanes = (inputs - i).min(S::LANES);
                            let mut sum = match add {
                                true => load::<S, false>(to.add(i), lanes),
                                false => S::zero(),
                            };
                            for output in 0..outputs {
                                let weights = self.weights.add(output * inputs + i);
                                let g = S::splat(*gradient.add(output));
                                sum = S::mul_add(g, load::<S, false>(weights, lanes), sum);
                            }
                            store::<S, false>(to.add(i), sum, lanes);
                        }
                    }
                }
                LinearGradient::Weights { to, bias, outputs, images } => {
                    for output in outputs {
                        let of = |image: usize| *self.gradient.row(image).add(output);
                        *bias.add(output) = (0..images).map(of).sum();
                        for i in (0..inputs).step_by(S::LANES) {
                            let lanes = (inputs - i).min(S::LANES);
                            let mut sum = S::zero();
                            for image in 0..images {
                                let x = load::<S, false>(self.from.row(image).add(i), lanes);
                                sum = S::mul_add(S::splat(of(image)), x, sum);
                            }
                            store::<S, false>(to.add(output * inputs + i), sum, lanes);
                        }
                    }
                }
            }
        }
    }
}
