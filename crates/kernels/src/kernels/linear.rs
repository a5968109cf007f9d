//! Fully connected layers.

use std::ops::Range;

use super::check::{enough, product};
use super::gather::{load, store};
use super::shared::SharedSlice;
use crate::simd::{Kernel, Simd};

/// Rows of a batch: some consecutive values for each image.
#[derive(Clone, Copy, Debug)]
pub struct ImageRows<'a> {
    memory: SharedSlice<'a>,
    /// Values from an image to the next.
    step: usize,
    /// Values of an image.
    values: usize,
}

impl<'a> ImageRows<'a> {
    /// Creates rows of `values` values, `step` values apart.
    ///
    /// # Panics
    /// If the rows overlap.
    pub fn new(memory: SharedSlice<'a>, step: usize, values: usize) -> Self {
        assert!(values <= step, "rows of {values} values in steps of {step}");
        Self { memory, step, values }
    }

    /// Returns the number of values of an image.
    pub const fn values(&self) -> usize {
        self.values
    }

    /// Checks that the rows of images lie within their memory.
    fn check(&self, what: &str, images: &Range<usize>) {
        assert!(images.start <= images.end, "{what}: images {images:?}");
        let needed = match images.end {
            0 => 0,
            end => product(&[end - 1, self.step]).saturating_add(self.values),
        };
        enough(what, self.memory.count(), needed);
    }

    /// Returns a pointer to an image's values.
    ///
    /// # Safety
    /// [`ImageRows::check`] has found the image.
    #[inline(always)]
    unsafe fn row(&self, image: usize) -> *mut f32 {
        // SAFETY: the image's row lies within the memory, by this function's contract.
        unsafe { self.memory.pointer().add(image * self.step) }
    }
}

/// Outputs of some images: weights times inputs, plus the bias.
pub struct Linear<'a> {
    /// The inputs.
    pub from: ImageRows<'a>,
    /// The outputs.
    pub to: ImageRows<'a>,
    /// Outputs x inputs.
    pub weights: &'a [f32],
    /// A value for each output.
    pub bias: &'a [f32],
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for Linear<'_> {
    fn check(&self, _: usize) {
        self.from.check("inputs", &self.images);
        self.to.check("outputs", &self.images);
        enough("weights", self.weights.len(), product(&[self.from.values, self.to.values]));
        enough("bias", self.bias.len(), self.to.values);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (inputs, outputs) = (self.from.values, self.to.values);
        for image in self.images.clone() {
            for output in 0..outputs {
                // SAFETY: the check has found the rows of the image, `inputs` weights for each output, and a
                // bias.
                unsafe {
                    let weights = self.weights.as_ptr().add(output * inputs);
                    let sum = dot::<S>(self.from.row(image), weights, inputs);
                    *self.to.row(image).add(output) = sum + *self.bias.as_ptr().add(output);
                }
            }
        }
    }
}

/// The inner product of two rows.
///
/// # Safety
/// Both have `count` values; the processor has `S`.
#[inline(always)]
unsafe fn dot<S: Simd>(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: vectors and first lanes end at `count` at the latest; `values` takes the widest vector.
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
pub struct LinearBackward<'a> {
    /// The inputs of the forward pass.
    pub from: ImageRows<'a>,
    /// The outputs' gradients.
    pub gradient: ImageRows<'a>,
    /// Outputs x inputs.
    pub weights: &'a [f32],
    /// The gradient to compute.
    pub of: LinearGradient<'a>,
}

/// A gradient of a fully connected layer.
pub enum LinearGradient<'a> {
    /// Of the inputs.
    Inputs {
        /// The gradient.
        to: ImageRows<'a>,
        /// True to add the gradient to the values there, false to overwrite them.
        add: bool,
        /// The images.
        images: Range<usize>,
    },
    /// Of the weights and the bias.
    Weights {
        /// Outputs x inputs.
        to: SharedSlice<'a>,
        /// A value for each output.
        bias: SharedSlice<'a>,
        /// The outputs.
        outputs: Range<usize>,
        /// Images of the batch.
        images: usize,
    },
}

impl Kernel for LinearBackward<'_> {
    fn check(&self, _: usize) {
        let (inputs, all) = (self.from.values, self.gradient.values);
        match &self.of {
            LinearGradient::Inputs { to, images, .. } => {
                assert!(to.values == inputs, "a gradient of {} inputs of {inputs}", to.values);
                to.check("gradient of the inputs", images);
                self.gradient.check("gradient of the outputs", images);
                enough("weights", self.weights.len(), product(&[inputs, all]));
            }
            LinearGradient::Weights { to, bias, outputs, images } => {
                assert!(outputs.end <= all, "outputs {outputs:?} of {all}");
                self.from.check("inputs", &(0..*images));
                self.gradient.check("gradient of the outputs", &(0..*images));
                let needed = product(&[outputs.end, inputs]);
                enough("gradient of the weights", to.count(), needed);
                enough("gradient of the bias", bias.count(), outputs.end);
            }
        }
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        match &self.of {
            LinearGradient::Inputs { to, add, images } => {
                for image in images.clone() {
                    // SAFETY: the check has found the image in `to` and in the gradient.
                    unsafe { self.inputs::<S>(to.row(image), *add, image) };
                }
            }
            LinearGradient::Weights { to, bias, outputs, images } => {
                for output in outputs.clone() {
                    // SAFETY: the check has found the output in `to` and in `bias`, and the images.
                    unsafe {
                        let to = to.pointer().add(output * self.from.values);
                        self.weights::<S>((to, bias.pointer().add(output)), output, *images);
                    }
                }
            }
        }
    }
}

impl LinearBackward<'_> {
    /// Writes the gradient of an image's inputs, or adds it to the values there.
    ///
    /// # Safety
    /// `to` takes the inputs; the check has found the image and the weights; the processor has `S`.
    #[inline(always)]
    unsafe fn inputs<S: Simd>(&self, to: *mut f32, add: bool, image: usize) {
        let (inputs, outputs) = (self.from.values, self.gradient.values);
        // SAFETY: `i` and the lanes after it are within the inputs, which `to` takes and each output has a
        // row of weights for, by this function's contract.
        unsafe {
            let gradient = self.gradient.row(image);
            for i in (0..inputs).step_by(S::LANES) {
                let lanes = (inputs - i).min(S::LANES);
                let mut sum = match add {
                    true => load::<S, false>(to.add(i), lanes),
                    false => S::zero(),
                };
                for output in 0..outputs {
                    let weights = self.weights.as_ptr().add(output * inputs + i);
                    let g = S::splat(*gradient.add(output));
                    sum = S::mul_add(g, load::<S, false>(weights, lanes), sum);
                }
                store::<S, false>(to.add(i), sum, lanes);
            }
        }
    }

    /// Writes the gradient of an output's weights and bias.
    ///
    /// # Safety
    /// `to` takes the inputs and `bias` one value; the check has found the output and the images; the
    /// processor has `S`.
    #[inline(always)]
    unsafe fn weights<S: Simd>(
        &self,
        (to, bias): (*mut f32, *mut f32),
        output: usize,
        images: usize,
    ) {
        let inputs = self.from.values;
        // SAFETY: the rows of the images hold the output and the inputs, `i` and the lanes after it are
        // within the inputs, which `to` takes, by this function's contract.
        unsafe {
            let of = |image: usize| *self.gradient.row(image).add(output);
            *bias = (0..images).map(of).sum();
            for i in (0..inputs).step_by(S::LANES) {
                let lanes = (inputs - i).min(S::LANES);
                let mut sum = S::zero();
                for image in 0..images {
                    let x = load::<S, false>(self.from.row(image).add(i), lanes);
                    sum = S::mul_add(S::splat(of(image)), x, sum);
                }
                store::<S, false>(to.add(i), sum, lanes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::refuses;
    use super::*;

    #[test]
    fn short_rows_weights_and_biases_are_refused() {
        let (mut from, mut to) = ([0.0; 6], [0.0; 4]);
        let (from, to) = (SharedSlice::new(&mut from), SharedSlice::new(&mut to));
        let linear = |inputs: usize, weights: usize, bias: usize, images: Range<usize>| {
            let (from, to) = (ImageRows::new(from.part(0..inputs), 3, 3), ImageRows::new(to, 2, 2));
            let (weights, bias) = (&[0.0; 6][..weights], &[0.0; 2][..bias]);
            Linear { from, to, weights, bias, images }.check(8);
        };
        linear(6, 6, 2, 0..2);
        refuses("inputs: 5 values where 6", || linear(5, 6, 2, 0..2));
        refuses("inputs: 6 values where 9", || linear(6, 6, 2, 2..3));
        refuses("weights: 5 values where 6", || linear(6, 5, 2, 0..2));
        refuses("bias: 1 values where 2", || linear(6, 6, 1, 0..2));
    }

    #[test]
    fn short_gradients_are_refused() {
        let (mut from, mut to) = ([0.0; 6], [0.0; 4]);
        let (rows, memory) = (SharedSlice::new(&mut from), SharedSlice::new(&mut to));
        let check = |weights: usize, of: LinearGradient<'_>| {
            let (from, gradient) = (ImageRows::new(rows, 3, 3), ImageRows::new(memory, 2, 2));
            LinearBackward { from, gradient, weights: &[0.0; 6][..weights], of }.check(8);
        };
        let inputs = |count: usize, values: usize| LinearGradient::Inputs {
            to: ImageRows::new(rows.part(0..count), values, values),
            add: false,
            images: 0..2,
        };
        check(6, inputs(6, 3));
        refuses("gradient of the inputs: 5 values where 6", || check(6, inputs(5, 3)));
        refuses("a gradient of 2 inputs of 3", || check(6, inputs(6, 2)));
        refuses("weights: 5 values where 6", || check(5, inputs(6, 3)));
        let weights = |count: usize, bias: usize, outputs: Range<usize>, images: usize| {
            let (to, bias) = (rows.part(0..count), memory.part(0..bias));
            LinearGradient::Weights { to, bias, outputs, images }
        };
        check(0, weights(6, 2, 1..2, 2));
        refuses("gradient of the weights: 5 values where 6", || check(0, weights(5, 2, 1..2, 2)));
        refuses("gradient of the bias: 1 values where 2", || check(0, weights(6, 1, 1..2, 2)));
        refuses("outputs 2..3 of 2", || check(0, weights(6, 2, 2..3, 2)));
        refuses("inputs: 6 values where 9", || check(0, weights(6, 2, 1..2, 3)));
    }
}
