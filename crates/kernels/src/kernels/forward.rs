//! The forward pass of convolutions, with the sums that batch normalization needs.

use std::ops::Range;

use super::gather::{gather, load, store};
use super::maps::{Maps, Reads};
use super::pack::Packing;
use super::tile::{ChannelBlock, Put, Row, Tap, row};
use super::window::{ConvolutionWindow, Plane};
use crate::simd::{Kernel, Simd};

/// Convolutions of some images of a batch.
pub struct Forward<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The window's taps, [`ConvolutionWindow::taps`].
    pub taps: &'a [Tap],
    /// Inputs of a tap.
    pub tap_inputs: usize,
    /// The input.
    pub reads: Reads<'a>,
    /// The layout of the packed weights.
    pub packing: Packing,
    /// The packed weights.
    pub weights: *const f32,
    /// The output.
    pub to: Maps,
    /// The sums of the channels and then of their squares, image by image, so twice the channels for each
    /// image; null if they are not needed.
    pub sums: *mut f32,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: *mut f32,
}

/// Weights up to this many bytes stay in the second-level cache from one image to the next.
const SMALL_WEIGHTS: usize = 600_000;

/// Images that are convolved with a block of weights before the next block.
const TOGETHER: usize = 4;

/// Pixels of a matrix product that are gathered at a time.
const POINTS: usize = 256;

fn together(window: &ConvolutionWindow) -> usize {
    if window.weights() * size_of::<f32>() > SMALL_WEIGHTS { TOGETHER } else { 1 }
}

/// Returns the number of values of scratch memory that the forward pass of a window needs.
pub fn scratch(window: &ConvolutionWindow) -> usize {
    if window.is_pointwise() {
        POINTS * window.inputs
    } else {
        together(window) * window.input_plane().values()
    }
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's.
        unsafe {
            if self.window.is_pointwise() {
                self.points::<S>();
            } else {
                self.planes::<S>();
            }
        }
    }
}

impl Forward<'_> {
    /// A 1x1 convolution: images are one row of pixels.
    #[inline(always)]
    unsafe fn points<S: Simd>(&self) {
        // SAFETY: the caller's; pixels of consecutive images are consecutive.
        unsafe {
            let pixels = self.to.pixels();
            let stored = self.reads.stored();
            for image in self.images.clone() {
                let mut first = 0;
                while first < pixels {
                    let count = (pixels - first).min(POINTS);
                    let (from, from_step) = match stored {
                        Some(maps) => (maps.image(image).add(first * maps.stride), maps.stride),
                        None => {
                            let inputs = self.window.inputs;
                            let place = (image, first);
                            gather::<S>(&self.reads, inputs, place, count, self.scratch, inputs);
                            (self.scratch, inputs)
                        }
                    };
                    let to = self.to.image(image).add(first * self.to.stride);
                    for index in 0..self.packing.count() {
                        self.block::<S>(index, from, from_step, to, count);
                    }
                    first += count;
                }
                self.sum::<S>(image);
            }
        }
    }

    #[inline(always)]
    unsafe fn planes<S: Simd>(&self) {
        let plane = self.window.input_plane();
        let together = together(self.window);
        // SAFETY: the caller's; `scratch` holds that many planes.
        unsafe {
            let count = together.min(self.images.len());
            std::ptr::write_bytes(self.scratch, 0, count * plane.values());
            let mut image = self.images.start;
            while image < self.images.end {
                let count = together.min(self.images.end - image);
                for slot in 0..count {
                    let to = self.scratch.add(slot * plane.values());
                    read_plane::<S>(&self.reads, self.window, &plane, image + slot, to);
                }
                for index in 0..self.packing.count() {
                    for slot in 0..count {
                        let from = self.scratch.add(slot * plane.values());
                        let (height, width) = self.window.output;
                        for y in 0..height {
                            let from = from.add(y * self.window.stride * plane.row());
                            let to = self.to.image(image + slot).add(y * width * self.to.stride);
                            let step = self.window.stride * plane.step;
                            self.block::<S>(index, from, step, to, width);
                        }
                    }
                }
                (image..image + count).for_each(|image| self.sum::<S>(image));
                image += count;
            }
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd>(
        &self,
        index: usize,
        from: *const f32,
        from_step: usize,
        to: *mut f32,
        pixels: usize,
    ) {
        let span = self.packing.span(index);
        let put = Put { add: false, positive: std::ptr::null(), positive_step: 0 };
        let (to_step, taps) = (self.to.stride, self.taps);
        // SAFETY: the caller's.
        unsafe {
            let weights = self.weights.add(span.at);
            let (channel, channels) = (span.channel, span.channels);
            let block = ChannelBlock { taps, inputs: self.tap_inputs, weights, channel, channels };
            row::<S>(&Row { from, from_step, to, to_step, pixels, put }, &block);
        }
    }

    /// Sums an image's channels and their squares.
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, image: usize) {
        if self.sums.is_null() {
            return;
        }
        // SAFETY: the caller's.
        unsafe {
            let sums = self.sums.add(image * 2 * self.to.channels);
            sum_image::<S>(&self.to, image, sums);
        }
    }
}

/// Sums the channels of an image and their squares, into twice the channels.
///
/// # Safety
/// The image is within the maps, `sums` takes twice their channels, the processor has `S`.
#[inline(always)]
pub unsafe fn sum_image<S: Simd>(maps: &Maps, image: usize, sums: *mut f32) {
    let mut channel = 0;
    while channel < maps.channels {
        let lanes = (maps.channels - channel).min(S::LANES);
        // SAFETY: the caller's.
        unsafe {
            if lanes == S::LANES {
                sum_block::<S, true>(maps, image, channel, lanes, sums);
            } else {
                sum_block::<S, false>(maps, image, channel, lanes, sums);
            }
        }
        channel += lanes;
    }
}

#[inline(always)]
unsafe fn sum_block<S: Simd, const FULL: bool>(
    maps: &Maps,
    image: usize,
    channel: usize,
    lanes: usize,
    sums: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let from = maps.image(image).add(channel);
        let mut sum = [S::zero(); 4];
        let mut squares = [S::zero(); 4];
        let pixels = maps.pixels();
        for pixel in (0..pixels).step_by(4) {
            for i in 0..4 {
                if pixel + i < pixels {
                    let v = load::<S, FULL>(from.add((pixel + i) * maps.stride), lanes);
                    sum[i] = S::add(sum[i], v);
                    squares[i] = S::mul_add(v, v, squares[i]);
                }
            }
        }
        let four = |v: [S::V; 4]| S::add(S::add(v[0], v[1]), S::add(v[2], v[3]));
        store::<S, FULL>(sums.add(channel), four(sum), lanes);
        store::<S, FULL>(sums.add(maps.channels + channel), four(squares), lanes);
    }
}

/// Sums the channels of some images and their squares, for maps whose writer has not summed them.
pub struct SumMaps {
    /// The maps.
    pub maps: Maps,
    /// The sums, laid out as in [`Forward::sums`].
    pub sums: *mut f32,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for SumMaps {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for image in self.images.clone() {
            // SAFETY: the caller's.
            unsafe {
                let sums = self.sums.add(image * 2 * self.maps.channels);
                sum_image::<S>(&self.maps, image, sums);
            }
        }
    }
}

/// Gathers an image into a plane, and leaves the zeros around it unchanged.
///
/// # Safety
/// The image is within what is read, `to` holds the plane, the processor has `S`.
#[inline(always)]
pub unsafe fn read_plane<S: Simd>(
    reads: &Reads<'_>,
    window: &ConvolutionWindow,
    plane: &Plane,
    image: usize,
    to: *mut f32,
) {
    let (height, width) = window.input;
    for y in 0..height {
        // SAFETY: the row is inside the plane.
        unsafe {
            let to = to.add(plane.at(y, 0));
            gather::<S>(reads, window.inputs, (image, y * width), width, to, plane.step);
        }
    }
}
