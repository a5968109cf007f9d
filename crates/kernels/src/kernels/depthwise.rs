//! Depthwise convolutions, in which every output depends on its own channel alone.

use std::ops::Range;

use super::backward::{GradientPart, Towards, part_gradient};
use super::forward::{read_plane, sum_image};
use super::gather::{load, store};
use super::maps::{Maps, Reads};
use super::window::{Class, ConvolutionWindow};
use crate::simd::{Kernel, Simd};

/// Depthwise convolutions of some images; the window's inputs and outputs are the channels.
pub struct Depthwise<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The input.
    pub reads: Reads<'a>,
    /// Taps x channels.
    pub weights: *const f32,
    /// The output.
    pub to: Maps,
    /// The sums of each image, as in [`Forward::sums`](super::Forward::sums); null if they are not needed.
    pub sums: *mut f32,
    /// The images.
    pub images: Range<usize>,
    /// Scratch memory for the values of the input plane.
    pub scratch: *mut f32,
}

impl Kernel for Depthwise<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let window = self.window;
        let plane = window.input_plane();
        let channels = self.to.channels;
        let (height, width) = window.output;
        // SAFETY: the caller's; `scratch` holds the plane.
        unsafe {
            std::ptr::write_bytes(self.scratch, 0, plane.values());
            for image in self.images.clone() {
                read_plane::<S>(&self.reads, window, &plane, image, self.scratch);
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let (row, column) = (y * window.stride, x * window.stride);
                    let from = self.scratch.add(row * plane.row() + column * plane.step);
                    let to = self.to.image(image).add((y * width + x) * self.to.stride);
                    for channel in (0..channels).step_by(S::LANES) {
                        let lanes = (channels - channel).min(S::LANES);
                        let mut sum = S::zero();
                        for tap in 0..window.kernel * window.kernel {
                            let (row, column) = (tap / window.kernel, tap % window.kernel);
                            let at = row * plane.row() + column * plane.step + channel;
                            let x = load::<S, false>(from.add(at), lanes);
                            let weights = self.weights.add(tap * channels + channel);
                            sum = S::mul_add(x, load::<S, false>(weights, lanes), sum);
                        }
                        store::<S, false>(to.add(channel), sum, lanes);
                    }
                }
                if !self.sums.is_null() {
                    let sums = self.sums.add(image * 2 * channels);
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
    pub parts: &'a [GradientPart],
    /// Taps x channels.
    pub weights: *const f32,
    /// The target of the input's gradient; none if it is not needed.
    pub towards: Option<Towards>,
    /// The weights' gradient of these images: taps x channels.
    pub gradient: *mut f32,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: *mut f32,
}

/// Returns the number of values of scratch memory that the backward pass needs.
pub fn scratch(window: &ConvolutionWindow, lanes: usize) -> usize {
    window.input_plane().values() + window.gradient_plane(lanes).values()
}

impl Kernel for DepthwiseBackward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let window = self.window;
        let channels = window.outputs;
        let (input, output) = (window.input_plane(), window.gradient_plane(S::LANES));
        let (height, width) = window.output;
        // SAFETY: the caller's; `scratch` holds both planes.
        unsafe {
            let (outputs, inputs) = (self.scratch, self.scratch.add(output.values()));
            std::ptr::write_bytes(self.scratch, 0, output.values() + input.values());
            std::ptr::write_bytes(self.gradient, 0, window.kernel * window.kernel * channels);
            for image in self.images.clone() {
                for y in 0..height {
                    for part in self.parts {
                        let to = outputs.add(output.at(y, 0) + part.channel);
                        part_gradient::<S, false>(part, (image, y * width), width, to, output.step);
                    }
                }
                read_plane::<S>(&self.reads, window, &input, image, inputs);
                for tap in 0..window.kernel * window.kernel {
                    let (row, column) = (tap / window.kernel, tap % window.kernel);
                    for channel in (0..channels).step_by(S::LANES) {
                        let lanes = (channels - channel).min(S::LANES);
                        let to = self.gradient.add(tap * channels + channel);
                        let mut sum = load::<S, false>(to, lanes);
                        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                            let (row, column) =
                                (y * window.stride + row, x * window.stride + column);
                            let x_at = row * input.row() + column * input.step + channel;
                            let g_at = output.at(y, x) + channel;
                            let v = load::<S, false>(inputs.add(x_at), lanes);
                            let g = load::<S, false>(outputs.add(g_at), lanes);
                            sum = S::mul_add(v, g, sum);
                        }
                        store::<S, false>(to, sum, lanes);
                    }
                }
                if let Some(towards) = &self.towards {
                    for class in self.classes {
                        self.inputs::<S>(class, towards, outputs, image);
                    }
                }
            }
        }
    }
}

impl DepthwiseBackward<'_> {
    #[inline(always)]
    unsafe fn inputs<S: Simd>(
        &self,
        class: &Class,
        towards: &Towards,
        outputs: *const f32,
        image: usize,
    ) {
        let window = self.window;
        let plane = window.gradient_plane(S::LANES);
        let channels = window.inputs;
        for (j, i) in (0..class.size.0).flat_map(|j| (0..class.size.1).map(move |i| (j, i))) {
            let y = class.first.0 + j * window.stride;
            let x = class.first.1 + i * window.stride;
            let pixel = (image * window.input.0 + y) * window.input.1 + x;
            for channel in (0..channels).step_by(S::LANES) {
                let lanes = (channels - channel).min(S::LANES);
                // SAFETY: the taps are inside the plane.
                unsafe {
                    let from = outputs.add(j * plane.row() + i * plane.step + channel);
                    let mut sum = S::zero();
                    for tap in &class.taps {
                        let g = load::<S, false>(from.add(tap.from), lanes);
                        let weights = self.weights.add(tap.weights * channels + channel);
                        sum = S::mul_add(g, load::<S, false>(weights, lanes), sum);
                    }
                    if let Some(of) = &towards.positive {
                        let at = of.at.add(pixel * of.stride + channel);
                        let open = S::greater(load::<S, false>(at, lanes), S::zero());
                        sum = S::select(open, sum, S::zero());
                    }
                    let to = towards.maps.at.add(pixel * towards.maps.stride + channel);
                    if towards.add {
                        sum = S::add(sum, load::<S, false>(to, lanes));
                    }
                    store::<S, false>(to, sum, lanes);
                }
            }
        }
    }
}
