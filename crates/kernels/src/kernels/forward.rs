//! The forward pass of convolutions, with the sums that batch normalization needs.

use std::ops::Range;

use super::check::{enough, enough_sums, product};
use super::gather::{gather, load, store};
use super::maps::{Maps, Reads};
use super::pack::Packing;
use super::shared::SharedSlice;
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
    pub weights: &'a [f32],
    /// The output.
    pub to: Maps<'a>,
    /// The sums of the channels and then of their squares, image by image, so twice the channels for each
    /// image; none if they are not needed.
    pub sums: Option<SharedSlice<'a>>,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: SharedSlice<'a>,
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
        product(&[POINTS, window.inputs])
    } else {
        product(&[together(window), window.input_plane().values()])
    }
}

impl Kernel for Forward<'_> {
    fn check(&self, lanes: usize) {
        let window = self.window;
        let taps = window.kernel * window.kernel;
        let (inputs, outputs) = (window.inputs, window.outputs);
        window.check();
        window.check_taps(self.taps, self.tap_inputs);
        let wanted = Packing { taps, inputs, outputs, lanes };
        self.packing.check(&wanted, 1, self.weights.len());
        self.reads.check(inputs, window.input, &self.images);
        self.to.check("output", outputs, window.output, &self.images);
        if let Some(sums) = self.sums {
            enough_sums(sums.count(), self.to.channels(), &self.images);
        }
        enough("scratch memory", self.scratch.count(), scratch(window));
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: both ask for what the check has found.
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
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`; the window is pointwise; the processor has `S`.
    #[inline(always)]
    unsafe fn points<S: Simd>(&self) {
        let (pixels, inputs) = (self.to.pixels(), self.window.inputs);
        let stored = self.reads.stored();
        let gathered = self.scratch.pointer();
        for image in self.images.clone() {
            for first in (0..pixels).step_by(POINTS) {
                let count = (pixels - first).min(POINTS);
                // SAFETY: the check has found the image in the input and in `to`, which have equally many
                // pixels; `scratch` holds `POINTS` pixels of the inputs.
                unsafe {
                    let (from, from_step) = match stored {
                        Some(maps) => (maps.image(image).add(first * maps.stride()), maps.stride()),
                        None => {
                            let place = (image, first);
                            gather::<S>(&self.reads, inputs, place, count, gathered, inputs);
                            (gathered, inputs)
                        }
                    };
                    let to = self.to.image(image).add(first * self.to.stride());
                    for index in 0..self.packing.count() {
                        self.block::<S>(index, from, from_step, to, count);
                    }
                }
            }
            // SAFETY: the image is written.
            unsafe { self.sum::<S>(image) };
        }
    }

    /// A convolution whose input is gathered in planes.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`; the window is not pointwise; the processor has `S`.
    #[inline(always)]
    unsafe fn planes<S: Simd>(&self) {
        let plane = self.window.input_plane();
        let together = together(self.window);
        let scratch = self.scratch.pointer();
        // SAFETY: `scratch` holds `together` planes, and a slot is below `together`; the check has found the
        // images in the input and in `to`, and the taps of every output pixel within a plane.
        unsafe {
            let count = together.min(self.images.len());
            std::ptr::write_bytes(scratch, 0, count * plane.values());
            let mut image = self.images.start;
            while image < self.images.end {
                let count = together.min(self.images.end - image);
                for slot in 0..count {
                    let to = scratch.add(slot * plane.values());
                    read_plane::<S>(&self.reads, self.window, &plane, image + slot, to);
                }
                for index in 0..self.packing.count() {
                    for slot in 0..count {
                        let from = scratch.add(slot * plane.values());
                        let (height, width) = self.window.output;
                        for y in 0..height {
                            let from = from.add(y * self.window.stride * plane.row());
                            let to = self.to.image(image + slot).add(y * width * self.to.stride());
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

    /// Computes a block of channels for a row of pixels.
    ///
    /// # Safety
    /// The packing has the block; `from` has the inputs of all taps for each of the pixels, `to` takes the
    /// output's channels; the processor has `S`.
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
        let (to_step, taps) = (self.to.stride(), self.taps);
        // SAFETY: the check has found the packed weights of all blocks, and those of all taps within them; the
        // rest is this function's contract.
        unsafe {
            let weights = self.weights.as_ptr().add(span.at);
            let (channel, channels) = (span.channel, span.channels);
            let block = ChannelBlock { taps, inputs: self.tap_inputs, weights, channel, channels };
            row::<S>(&Row { from, from_step, to, to_step, pixels, put }, &block);
        }
    }

    /// Sums an image's channels and their squares, if the sums are wanted.
    ///
    /// # Safety
    /// The check has found the image; the processor has `S`.
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, image: usize) {
        if let Some(sums) = self.sums {
            // SAFETY: the check has found sums for all images.
            unsafe {
                let sums = sums.pointer().add(image * 2 * self.to.channels());
                sum_image::<S>(&self.to, image, sums);
            }
        }
    }
}

/// Sums the channels of an image and their squares, into twice the channels.
///
/// # Safety
/// [`Maps::check`] has found the image, `sums` takes twice the channels, the processor has `S`.
#[inline(always)]
pub unsafe fn sum_image<S: Simd>(maps: &Maps<'_>, image: usize, sums: *mut f32) {
    let mut channel = 0;
    while channel < maps.channels() {
        let lanes = (maps.channels() - channel).min(S::LANES);
        // SAFETY: the lanes are within the channels; the rest is this function's contract.
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

/// Sums `lanes` channels of an image from one on.
///
/// # Safety
/// As [`sum_image`]; the maps have the lanes, which are all of a vector if `FULL`.
#[inline(always)]
unsafe fn sum_block<S: Simd, const FULL: bool>(
    maps: &Maps<'_>,
    image: usize,
    channel: usize,
    lanes: usize,
    sums: *mut f32,
) {
    // SAFETY: the image has the pixels and their lanes, and `sums` two values for each channel, by this
    // function's contract.
    unsafe {
        let from = maps.image(image).add(channel);
        let mut sum = [S::zero(); 4];
        let mut squares = [S::zero(); 4];
        let pixels = maps.pixels();
        for pixel in (0..pixels).step_by(4) {
            for i in 0..4 {
                if pixel + i < pixels {
                    let v = load::<S, FULL>(from.add((pixel + i) * maps.stride()), lanes);
                    sum[i] = S::add(sum[i], v);
                    squares[i] = S::mul_add(v, v, squares[i]);
                }
            }
        }
        let four = |v: [S::V; 4]| S::add(S::add(v[0], v[1]), S::add(v[2], v[3]));
        store::<S, FULL>(sums.add(channel), four(sum), lanes);
        store::<S, FULL>(sums.add(maps.channels() + channel), four(squares), lanes);
    }
}

/// Sums the channels of some images and their squares, for maps whose writer has not summed them.
pub struct SumMaps<'a> {
    /// The maps.
    pub maps: Maps<'a>,
    /// The sums, laid out as in [`Forward::sums`].
    pub sums: SharedSlice<'a>,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for SumMaps<'_> {
    fn check(&self, _: usize) {
        let channels = self.maps.channels();
        self.maps.check("maps", channels, self.maps.size(), &self.images);
        enough_sums(self.sums.count(), channels, &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for image in self.images.clone() {
            // SAFETY: the check has found the image and its sums.
            unsafe {
                let sums = self.sums.pointer().add(image * 2 * self.maps.channels());
                sum_image::<S>(&self.maps, image, sums);
            }
        }
    }
}

/// Gathers an image into a plane, and leaves the zeros around it unchanged.
///
/// # Safety
/// [`Reads::check`] has found the image, of the window's inputs and size; the plane is at least as large with
/// its padding, and `to` holds it; the processor has `S`.
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
        // SAFETY: row `y` of the image is inside the plane, by this function's contract.
        unsafe {
            let to = to.add(plane.at(y, 0));
            gather::<S>(reads, window.inputs, (image, y * width), width, to, plane.step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::maps::MapsTerm;
    use super::super::testing::{maps, refuses, shorter};
    use super::*;

    /// Checks a convolution of image 1, of 5 channels, to 9 channels; `change` may spoil it.
    fn check(pointwise: bool, change: impl FnOnce(&mut Forward<'_>)) {
        let (kernel, padding) = if pointwise { (1, 0) } else { (3, 1) };
        let (input, output) = ((4, 3), (4, 3));
        let (inputs, outputs, stride) = (5, 9, 1);
        let window = ConvolutionWindow { kernel, stride, padding, input, output, inputs, outputs };
        let (taps, tap_inputs) = window.taps();
        let packing = Packing { taps: kernel * kernel, inputs, outputs, lanes: 8 };
        let weights = vec![0.0; packing.values()];
        let (mut from, mut to, mut sums) = (vec![0.0; 120], vec![0.0; 216], vec![0.0; 36]);
        let mut scratch = vec![0.0; scratch(&window)];
        let terms = [MapsTerm::plain(maps(&mut from, inputs, input))];
        let mut forward = Forward {
            window: &window,
            taps: &taps,
            tap_inputs,
            reads: Reads { terms: &terms, relu: false },
            packing,
            weights: &weights,
            to: maps(&mut to, outputs, output),
            sums: Some(SharedSlice::new(&mut sums)),
            images: 1..2,
            scratch: SharedSlice::new(&mut scratch),
        };
        change(&mut forward);
        forward.check(8);
    }

    #[test]
    fn short_memory_of_a_convolution_is_refused() {
        for pointwise in [false, true] {
            check(pointwise, |_| {});
            let spoilt = |message: &str, change: &dyn Fn(&mut Forward<'_>)| {
                refuses(message, || check(pointwise, change));
            };
            spoilt("packed weights: ", &|f| f.weights = &f.weights[1..]);
            spoilt("scratch memory: ", &|f| f.scratch = shorter(&f.scratch));
            spoilt("sums: 35 values where 36", &|f| f.sums = f.sums.map(|s| shorter(&s)));
            spoilt("input: 120 values where 180", &|f| f.images = 2..3);
            spoilt("output: 8 channels of 9", &|f| f.to = f.to.slice(0, 8));
            spoilt("inputs beyond", &|f| f.tap_inputs += 1);
            spoilt("the packed weights are", &|f| f.packing.lanes = 16);
            spoilt("the packed weights are", &|f| f.packing.inputs = 6);
            spoilt("input: 120 values", &|f| f.images = 0..3);
        }
    }

    #[test]
    fn short_sums_are_refused() {
        let (mut from, mut sums) = ([0.0; 24], [0.0; 12]);
        let mut check = |values: usize, count: usize| {
            let maps = maps(&mut from[..values], 3, (2, 2));
            let sums = SharedSlice::new(&mut sums[..count]);
            SumMaps { maps, sums, images: 1..2 }.check(8);
        };
        check(24, 12);
        refuses("maps: 23 values where 24", || check(23, 12));
        refuses("sums: 11 values where 12", || check(24, 11));
    }
}
