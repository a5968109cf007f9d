//! Maximum and average pooling.

use std::ops::Range;

use super::gather::{load, store};
use super::maps::Maps;
use crate::simd::{Kernel, Simd};
use tandem_network::Window;

/// The kind of a pooling; padding never counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The maximum of the window; of equal values the first, row by row.
    Maximum,
    /// The mean of the window.
    Average,
}

/// Pools some images.
pub struct Pool {
    /// The kind of pooling.
    pub pooling: Pooling,
    /// The window.
    pub window: Window,
    /// The input.
    pub from: Maps,
    /// The output.
    pub to: Maps,
    /// The position of each maximum in its window, a byte for each output, images one after another; null if
    /// it is not needed.
    pub chosen: *mut u8,
    /// The images.
    pub images: Range<usize>,
}

/// The gradient of a pooling's input for some images.
pub struct PoolBackward {
    /// The kind of pooling.
    pub pooling: Pooling,
    /// The window.
    pub window: Window,
    /// The output's gradient.
    pub from: Maps,
    /// The input's gradient.
    pub to: Maps,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The positions of the maxima, as written by [`Pool`].
    pub chosen: *const u8,
    /// The images.
    pub images: Range<usize>,
}

/// Returns the first position of a window along one dimension and the one after the last, clipped to the
/// image, and the tap of the first.
#[inline(always)]
fn span(window: &Window, output: usize, size: usize) -> (usize, usize, usize) {
    let start = output * window.stride;
    let first = start.saturating_sub(window.padding);
    let last = (start + window.kernel - window.padding).min(size);
    (first, last, first + window.padding - start)
}

/// Returns the first output along one dimension whose window contains an input, and the one after the last.
#[inline(always)]
fn holders(window: &Window, input: usize, outputs: usize) -> (usize, usize) {
    let at = input + window.padding;
    let first = (at + 1).saturating_sub(window.kernel).div_ceil(window.stride);
    (first, (at / window.stride + 1).min(outputs))
}

macro_rules! channel_blocks {
    ($maps:expr, $channel:ident, $lanes:ident, $full:ident => $body:expr) => {
        let mut $channel = 0;
        while $channel < $maps.channels {
            let $lanes = ($maps.channels - $channel).min(S::LANES);
            if $lanes == S::LANES {
                const $full: bool = true;
                $body
            } else {
                const $full: bool = false;
                $body
            }
            $channel += $lanes;
        }
    };
}

impl Kernel for Pool {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for image in self.images.clone() {
            for y in 0..self.to.height {
                for x in 0..self.to.width {
                    // SAFETY: the caller's.
                    unsafe {
                        channel_blocks!(self.to, channel, lanes, FULL => {
                            self.pixel::<S, FULL>(image, (y, x), channel, lanes);
                        });
                    }
                }
            }
        }
    }
}

impl Pool {
    #[inline(always)]
    unsafe fn pixel<S: Simd, const FULL: bool>(
        &self,
        image: usize,
        (y, x): (usize, usize),
        channel: usize,
        lanes: usize,
    ) {
        let (from, to) = (&self.from, &self.to);
        let (top, bottom, first_row) = span(&self.window, y, from.height);
        let (left, right, first_column) = span(&self.window, x, from.width);
        // SAFETY: the caller's; the window is cut to the image.
        unsafe {
            let input = from.image(image).add(channel);
            let index = y * to.width + x;
            let output = to.image(image).add(index * to.stride + channel);
            if self.pooling == Pooling::Average {
                let mut sum = S::zero();
                for row in top..bottom {
                    for column in left..right {
                        let at = input.add((row * from.width + column) * from.stride);
                        sum = S::add(sum, load::<S, FULL>(at, lanes));
                    }
                }
                let count = (bottom - top) * (right - left);
                let mean = S::mul(sum, S::splat(1.0 / count as f32));
                store::<S, FULL>(output, mean, lanes);
                return;
            }
            let mut best = S::splat(f32::NEG_INFINITY);
            let mut chosen = S::zero();
            for row in top..bottom {
                for column in left..right {
                    let at = input.add((row * from.width + column) * from.stride);
                    let v = load::<S, FULL>(at, lanes);
                    let tap = (row - top + first_row) * self.window.kernel
                        + (column - left + first_column);
                    let larger = S::greater(v, best);
                    best = S::select(larger, v, best);
                    chosen = S::select(larger, S::splat(tap as f32), chosen);
                }
            }
            store::<S, FULL>(output, best, lanes);
            if !self.chosen.is_null() {
                let at = (image * to.pixels() + index) * to.channels + channel;
                S::store_bytes(self.chosen.add(at), chosen, lanes);
            }
        }
    }
}

impl Kernel for PoolBackward {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for image in self.images.clone() {
            for y in 0..self.to.height {
                for x in 0..self.to.width {
                    // SAFETY: the caller's.
                    unsafe {
                        channel_blocks!(self.to, channel, lanes, FULL => {
                            self.pixel::<S, FULL>(image, (y, x), channel, lanes);
                        });
                    }
                }
            }
        }
    }
}

impl PoolBackward {
    #[inline(always)]
    unsafe fn pixel<S: Simd, const FULL: bool>(
        &self,
        image: usize,
        (y, x): (usize, usize),
        channel: usize,
        lanes: usize,
    ) {
        let (from, to) = (&self.from, &self.to);
        let (top, bottom) = holders(&self.window, y, from.height);
        let (left, right) = holders(&self.window, x, from.width);
        // SAFETY: the caller's; holders are within the output.
        unsafe {
            let mut sum = S::zero();
            for row in top..bottom {
                for column in left..right {
                    let index = row * from.width + column;
                    let at = from.image(image).add(index * from.stride + channel);
                    let gradient = load::<S, FULL>(at, lanes);
                    if self.pooling == Pooling::Average {
                        let (above, below, _) = span(&self.window, row, to.height);
                        let (before, behind, _) = span(&self.window, column, to.width);
                        let count = (below - above) * (behind - before);
                        sum = S::mul_add(gradient, S::splat(1.0 / count as f32), sum);
                        continue;
                    }
                    let tap = (y + self.window.padding - row * self.window.stride)
                        * self.window.kernel
                        + (x + self.window.padding - column * self.window.stride);
                    let chosen = (image * from.pixels() + index) * from.channels + channel;
                    let mine = S::bytes_equal(self.chosen.add(chosen), tap as u8, lanes);
                    sum = S::add(sum, S::select(mine, gradient, S::zero()));
                }
            }
            let at = to.image(image).add((y * to.width + x) * to.stride + channel);
            if self.add {
                sum = S::add(sum, load::<S, FULL>(at, lanes));
            }
            store::<S, FULL>(at, sum, lanes);
        }
    }
}

/// Averages whole images, or spreads the gradients of such averages.
pub struct Global {
    /// The feature maps to average, or the target of their gradient.
    pub maps: Maps,
    /// The averages, or their gradients: one pixel for each image.
    pub mean: Maps,
    /// True to spread the gradient, false to average.
    pub backward: bool,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for Global {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let pixels = self.maps.pixels();
        for image in self.images.clone() {
            // SAFETY: the caller's.
            unsafe {
                let maps = self.maps.image(image);
                let mean = self.mean.image(image);
                let share = S::splat(1.0 / pixels as f32);
                channel_blocks!(self.maps, channel, lanes, FULL => {
                    if self.backward {
                        let part = S::mul(load::<S, FULL>(mean.add(channel), lanes), share);
                        for pixel in 0..pixels {
                            let at = maps.add(pixel * self.maps.stride + channel);
                            let sum = match self.add {
                                true => S::add(part, load::<S, FULL>(at, lanes)),
                                false => part,
                            };
                            store::<S, FULL>(at, sum, lanes);
                        }
                    } else {
                        let mut sum = S::zero();
                        for pixel in 0..pixels {
                            let at = maps.add(pixel * self.maps.stride + channel);
                            sum = S::add(sum, load::<S, FULL>(at, lanes));
                        }
                        store::<S, FULL>(mean.add(channel), S::mul(sum, share), lanes);
                    }
                });
            }
        }
    }
}
