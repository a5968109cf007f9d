//! Depthwise convolutions, in which every output depends on its own channel alone.

use std::ops::Range;

use super::backward::{GradientPart, Towards, part_gradient};
use super::check::{enough, enough_sums, product};
use super::forward::{read_plane, sum_image};
use super::gather::{load, store};
use super::maps::{Maps, Reads};
use super::shared::SharedSlice;
use super::window::{Class, ConvolutionWindow, Plane};
use crate::simd::{Kernel, Simd};

/// Depthwise convolutions of some images; the window's inputs and outputs are the channels.
pub struct Depthwise<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The input.
    pub reads: Reads<'a>,
    /// Taps x channels.
    pub weights: &'a [f32],
    /// The output.
    pub to: Maps<'a>,
    /// The sums of each image, as in [`Forward::sums`](super::Forward::sums); none if they are not needed.
    pub sums: Option<SharedSlice<'a>>,
    /// The images.
    pub images: Range<usize>,
    /// Scratch memory for the values of the input plane.
    pub scratch: SharedSlice<'a>,
}

/// Checks a depthwise window, and that there is a weight for each tap and channel.
fn check_window(window: &ConvolutionWindow, weights: &[f32]) {
    window.check();
    let (inputs, outputs) = (window.inputs, window.outputs);
    assert!(inputs == outputs, "{inputs} inputs and {outputs} outputs of a depthwise convolution");
    enough("weights", weights.len(), product(&[window.kernel, window.kernel, outputs]));
}

impl Kernel for Depthwise<'_> {
    fn check(&self, _: usize) {
        let window = self.window;
        let channels = window.outputs;
        check_window(window, self.weights);
        self.reads.check(channels, window.input, &self.images);
        self.to.check("output", channels, window.output, &self.images);
        assert!(self.to.channels() == channels, "{} outputs of {channels}", self.to.channels());
        if let Some(sums) = self.sums {
            enough_sums(sums.count(), channels, &self.images);
        }
        enough("scratch memory", self.scratch.count(), window.input_plane().values());
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let window = self.window;
        let plane = window.input_plane();
        let channels = self.to.channels();
        let (height, width) = window.output;
        let (scratch, weights) = (self.scratch.pointer(), self.weights.as_ptr());
        // SAFETY: the check has found the images in the input, in `to` and in the sums, the plane in
        // `scratch`, the window of every output pixel within the plane, and weights for all taps; the lanes
        // are within the channels of all of them.
        unsafe {
            std::ptr::write_bytes(scratch, 0, plane.values());
            for image in self.images.clone() {
                read_plane::<S>(&self.reads, window, &plane, image, scratch);
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let (row, column) = (y * window.stride, x * window.stride);
                    let from = scratch.add(row * plane.row() + column * plane.step);
                    let to = self.to.image(image).add((y * width + x) * self.to.stride());
                    for channel in (0..channels).step_by(S::LANES) {
                        let lanes = (channels - channel).min(S::LANES);
                        let mut sum = S::zero();
                        for tap in 0..window.kernel * window.kernel {
                            let (row, column) = (tap / window.kernel, tap % window.kernel);
                            let at = row * plane.row() + column * plane.step + channel;
                            let x = load::<S, false>(from.add(at), lanes);
                            let weights = weights.add(tap * channels + channel);
                            sum = S::mul_add(x, load::<S, false>(weights, lanes), sum);
                        }
                        store::<S, false>(to.add(channel), sum, lanes);
                    }
                }
                if let Some(sums) = self.sums {
                    let sums = sums.pointer().add(image * 2 * channels);
                    sum_image::<S>(&self.to, image, sums);
                }
            }
        }
    }
}

/// Gradients of a depthwise convolution for some images.
pub struct DepthwiseBackward<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The classes of input pixels.
    pub classes: &'a [Class],
    /// The input of the forward pass.
    pub reads: Reads<'a>,
    /// The output channels and their gradients.
    pub parts: &'a [GradientPart<'a>],
    /// Taps x channels.
    pub weights: &'a [f32],
    /// The target of the input's gradient; none if it is not needed.
    pub towards: Option<Towards<'a>>,
    /// The weights' gradient of these images: taps x channels.
    pub gradient: SharedSlice<'a>,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: SharedSlice<'a>,
}

/// Returns the number of values of scratch memory that the backward pass needs.
pub fn scratch(window: &ConvolutionWindow, lanes: usize) -> usize {
    scratch_with(window, &window.gradient_plane(lanes))
}

/// Does the work of [`scratch`], given the gradient's plane.
const fn scratch_with(window: &ConvolutionWindow, gradient: &Plane) -> usize {
    window.input_plane().values().saturating_add(gradient.values())
}

impl Kernel for DepthwiseBackward<'_> {
    fn check(&self, lanes: usize) {
        let window = self.window;
        let channels = window.outputs;
        check_window(window, self.weights);
        let plane = window.gradient_plane(lanes);
        self.reads.check(channels, window.input, &self.images);
        for part in self.parts {
            part.check_within(window, &self.images);
        }
        if let Some(towards) = &self.towards {
            window.check_classes(self.classes, &plane);
            towards.check(window, &self.images);
        }
        let needed = product(&[window.kernel, window.kernel, channels]);
        enough("gradient of the weights", self.gradient.count(), needed);
        enough("scratch memory", self.scratch.count(), scratch_with(window, &plane));
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let window = self.window;
        let (input, output) = (window.input_plane(), window.gradient_plane(S::LANES));
        let (height, width) = window.output;
        // SAFETY: the check has found the images in the input, the parts and the target, both planes in
        // `scratch`, each as large as what is written to it, and taps x channels values in `gradient`.
        unsafe {
            let outputs = self.scratch.pointer();
            let inputs = outputs.add(output.values());
            std::ptr::write_bytes(outputs, 0, output.values() + input.values());
            let taps = window.kernel * window.kernel;
            std::ptr::write_bytes(self.gradient.pointer(), 0, taps * window.outputs);
            for image in self.images.clone() {
                for y in 0..height {
                    for part in self.parts {
                        let to = outputs.add(output.at(y, 0) + part.channel);
                        part_gradient::<S, false>(part, (image, y * width), width, to, output.step);
                    }
                }
                read_plane::<S>(&self.reads, window, &input, image, inputs);
                self.weights::<S>(inputs, outputs, &output);
                if let Some(towards) = &self.towards {
                    for class in self.classes {
                        self.inputs::<S>(class, towards, outputs, &output, image);
                    }
                }
            }
        }
    }
}

impl DepthwiseBackward<'_> {
    /// Adds an image's gradient of the weights.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`; `inputs` and `outputs` hold the planes of an image, of
    /// which `output` is the second; the processor has `S`.
    #[inline(always)]
    unsafe fn weights<S: Simd>(&self, inputs: *const f32, outputs: *const f32, output: &Plane) {
        let window = self.window;
        let channels = window.outputs;
        let input = window.input_plane();
        let (height, width) = window.output;
        for tap in 0..window.kernel * window.kernel {
            let (row, column) = (tap / window.kernel, tap % window.kernel);
            for channel in (0..channels).step_by(S::LANES) {
                let lanes = (channels - channel).min(S::LANES);
                // SAFETY: the check has found all taps of an output pixel within the input plane, and a value
                // for each tap and channel in `gradient`; the lanes are within the channels.
                unsafe {
                    let to = self.gradient.pointer().add(tap * channels + channel);
                    let mut sum = load::<S, false>(to, lanes);
                    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                        let (row, column) = (y * window.stride + row, x * window.stride + column);
                        let x_at = row * input.row() + column * input.step + channel;
                        let g_at = output.at(y, x) + channel;
                        let v = load::<S, false>(inputs.add(x_at), lanes);
                        let g = load::<S, false>(outputs.add(g_at), lanes);
                        sum = S::mul_add(v, g, sum);
                    }
                    store::<S, false>(to, sum, lanes);
                }
            }
        }
    }

    /// Computes the gradient of an image's input for a class of pixels.
    ///
    /// # Safety
    /// The check has found the class, the target and the image, with the lanes of `S`; `outputs` holds the
    /// plane of the image's gradient, `plane`; the processor has `S`.
    #[inline(always)]
    unsafe fn inputs<S: Simd>(
        &self,
        class: &Class,
        towards: &Towards<'_>,
        outputs: *const f32,
        plane: &Plane,
        image: usize,
    ) {
        let window = self.window;
        let channels = window.inputs;
        for (j, i) in (0..class.size.0).flat_map(|j| (0..class.size.1).map(move |i| (j, i))) {
            let y = class.first.0 + j * window.stride;
            let x = class.first.1 + i * window.stride;
            let pixel = (image * window.input.0 + y) * window.input.1 + x;
            for channel in (0..channels).step_by(S::LANES) {
                let lanes = (channels - channel).min(S::LANES);
                // SAFETY: the check has found the class's pixels within the image and their taps within the
                // plane and the weights; the lanes are within the channels, which the target has.
                unsafe {
                    let from = outputs.add(j * plane.row() + i * plane.step + channel);
                    let mut sum = S::zero();
                    for tap in &class.taps {
                        let g = load::<S, false>(from.add(tap.from), lanes);
                        let weights = self.weights.as_ptr().add(tap.weights * channels + channel);
                        sum = S::mul_add(g, load::<S, false>(weights, lanes), sum);
                    }
                    if let Some(of) = &towards.positive {
                        let at = of.pixel(pixel).add(channel);
                        let open = S::greater(load::<S, false>(at, lanes), S::zero());
                        sum = S::select(open, sum, S::zero());
                    }
                    let to = towards.maps.pixel(pixel).add(channel);
                    if towards.add {
                        sum = S::add(sum, load::<S, false>(to, lanes));
                    }
                    store::<S, false>(to, sum, lanes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::maps::MapsTerm;
    use super::super::testing::{maps, needs_each, refuses};
    use super::*;

    const WINDOW: ConvolutionWindow = ConvolutionWindow {
        kernel: 3,
        stride: 2,
        padding: 1,
        input: (5, 4),
        output: (3, 2),
        inputs: 5,
        outputs: 5,
    };

    #[test]
    fn short_memory_of_a_depthwise_convolution_is_refused() {
        let check = |values: [usize; 5], window: ConvolutionWindow| {
            let [from, to, sums, weights, scratch] = values.map(|count| vec![0.0; count]);
            let (mut from, mut to, mut sums, mut scratch) = (from, to, sums, scratch);
            let terms = [MapsTerm::plain(maps(&mut from, 5, (5, 4)))];
            Depthwise {
                window: &window,
                reads: Reads { terms: &terms, relu: false },
                weights: &weights,
                to: maps(&mut to, 5, (3, 2)),
                sums: Some(SharedSlice::new(&mut sums)),
                images: 1..2,
                scratch: SharedSlice::new(&mut scratch),
            }
            .check(8);
        };
        let enough = [200, 60, 20, 45, WINDOW.input_plane().values()];
        let messages =
            ["input: 199", "output: 59", "sums: 19", "weights: 44", "scratch memory: 209"];
        needs_each(enough, messages, |values| check(values, WINDOW));
        refuses("6 inputs and 5 outputs", || {
            check(enough, ConvolutionWindow { inputs: 6, ..WINDOW });
        });
    }

    #[test]
    fn short_memory_of_a_depthwise_gradient_is_refused() {
        let check = |values: [usize; 6]| {
            let [from, of, weights, towards, gradient, scratch] =
                values.map(|count| vec![0.0; count]);
            let (mut from, mut of, mut towards) = (from, of, towards);
            let (mut gradient, mut scratch) = (gradient, scratch);
            let terms = [MapsTerm::plain(maps(&mut from, 5, (5, 4)))];
            let of = maps(&mut of, 5, (3, 2));
            let (scale, offset) = (&weights[..5], &weights[..5]);
            let affine = None;
            let parts = [GradientPart { channel: 0, of, z: of, scale, offset, affine, relu: true }];
            let to = maps(&mut towards, 5, (5, 4));
            DepthwiseBackward {
                window: &WINDOW,
                classes: &WINDOW.classes(8),
                reads: Reads { terms: &terms, relu: false },
                parts: &parts,
                weights: &weights,
                towards: Some(Towards { maps: to, add: true, positive: None }),
                gradient: SharedSlice::new(&mut gradient),
                images: 1..2,
                scratch: SharedSlice::new(&mut scratch),
            }
            .check(8);
        };
        let enough = [200, 60, 45, 200, 45, scratch(&WINDOW, 8)];
        let messages = [
            "input: 199",
            "the layer's values: 59",
            "weights: 44",
            "gradient of the input: 199",
            "gradient of the weights: 44",
            "scratch memory: ",
        ];
        needs_each(enough, messages, check);
    }
}
