//! Maximum and average pooling.

use std::ops::Range;

use super::check::{enough, product};
use super::gather::{load, store};
use super::maps::Maps;
use super::shared::SharedSlice;
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
pub struct Pool<'a> {
    /// The kind of pooling.
    pub pooling: Pooling,
    /// The window.
    pub window: Window,
    /// The input.
    pub from: Maps<'a>,
    /// The output.
    pub to: Maps<'a>,
    /// The position of each maximum in its window, a byte for each output, images one after another; none if
    /// it is not needed.
    pub chosen: Option<SharedSlice<'a, u8>>,
    /// The images.
    pub images: Range<usize>,
}

/// The gradient of a pooling's input for some images.
pub struct PoolBackward<'a> {
    /// The kind of pooling.
    pub pooling: Pooling,
    /// The window.
    pub window: Window,
    /// The output's gradient.
    pub from: Maps<'a>,
    /// The input's gradient.
    pub to: Maps<'a>,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The positions of the maxima, as written by [`Pool`]; averages need none.
    pub chosen: Option<SharedSlice<'a, u8>>,
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
        while $channel < $maps.channels() {
            let $lanes = ($maps.channels() - $channel).min(S::LANES);
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

/// Checks that there is a position for each value of the outputs of images.
fn check_chosen(chosen: Option<SharedSlice<'_, u8>>, outputs: &Maps<'_>, images: &Range<usize>) {
    if let Some(chosen) = chosen {
        let needed = product(&[images.end, outputs.pixels(), outputs.channels()]);
        enough("positions of maxima", chosen.count(), needed);
    }
}

impl Kernel for Pool<'_> {
    fn check(&self, _: usize) {
        let channels = self.to.channels();
        self.from.check("input", channels, self.from.size(), &self.images);
        self.to.check("output", channels, self.to.size(), &self.images);
        check_chosen(self.chosen, &self.to, &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (height, width) = self.to.size();
        for image in self.images.clone() {
            for y in 0..height {
                for x in 0..width {
                    // SAFETY: the check has found the image; the pixel and the lanes are within the output.
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

impl Pool<'_> {
    /// Pools the window of an output pixel.
    ///
    /// # Safety
    /// The check has found the image; the output has the pixel, and the lanes from `channel` on; the
    /// processor has `S`.
    #[inline(always)]
    unsafe fn pixel<S: Simd, const FULL: bool>(
        &self,
        image: usize,
        (y, x): (usize, usize),
        channel: usize,
        lanes: usize,
    ) {
        let (from, to) = (&self.from, &self.to);
        let ((height, width), stride) = (from.size(), from.stride());
        let (top, bottom, first_row) = span(&self.window, y, height);
        let (left, right, first_column) = span(&self.window, x, width);
        // SAFETY: the image has the output pixel, by this function's contract, and the input's pixels, since
        // the window is cut to it; the input has all channels of the output, as the check has found.
        unsafe {
            let input = from.image(image).add(channel);
            let index = y * to.size().1 + x;
            let output = to.image(image).add(index * to.stride() + channel);
            if self.pooling == Pooling::Average {
                let mut sum = S::zero();
                for row in top..bottom {
                    for column in left..right {
                        let at = input.add((row * width + column) * stride);
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
                    let at = input.add((row * width + column) * stride);
                    let v = load::<S, FULL>(at, lanes);
                    let tap = (row - top + first_row) * self.window.kernel
                        + (column - left + first_column);
                    let larger = S::greater(v, best);
                    best = S::select(larger, v, best);
                    chosen = S::select(larger, S::splat(tap as f32), chosen);
                }
            }
            store::<S, FULL>(output, best, lanes);
            if let Some(to_chosen) = self.chosen {
                let at = (image * to.pixels() + index) * to.channels() + channel;
                S::store_bytes(to_chosen.pointer().add(at), chosen, lanes);
            }
        }
    }
}

impl Kernel for PoolBackward<'_> {
    fn check(&self, _: usize) {
        let channels = self.to.channels();
        self.from.check("gradient of the output", channels, self.from.size(), &self.images);
        self.to.check("gradient of the input", channels, self.to.size(), &self.images);
        let known = self.pooling == Pooling::Average || self.chosen.is_some();
        assert!(known, "the gradient of a maximum without its positions");
        check_chosen(self.chosen, &self.from, &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (height, width) = self.to.size();
        let chosen = self.chosen.map_or(std::ptr::null(), |chosen| chosen.pointer().cast_const());
        for image in self.images.clone() {
            for y in 0..height {
                for x in 0..width {
                    // SAFETY: the check has found the image, and the positions of a maximum; the pixel and
                    // the lanes are within the input.
                    unsafe {
                        channel_blocks!(self.to, channel, lanes, FULL => {
                            self.pixel::<S, FULL>(chosen, image, (y, x), (channel, lanes));
                        });
                    }
                }
            }
        }
    }
}

impl PoolBackward<'_> {
    /// Computes the gradient of an input pixel.
    ///
    /// # Safety
    /// The check has found the image; the input has the pixel, and the lanes from `channel` on; `chosen` has
    /// a position for each value of the output's images, unless this is an average; the processor has `S`.
    #[inline(always)]
    unsafe fn pixel<S: Simd, const FULL: bool>(
        &self,
        chosen: *const u8,
        image: usize,
        (y, x): (usize, usize),
        (channel, lanes): (usize, usize),
    ) {
        let (from, to) = (&self.from, &self.to);
        let ((rows, columns), (height, width)) = (from.size(), to.size());
        let (top, bottom) = holders(&self.window, y, rows);
        let (left, right) = holders(&self.window, x, columns);
        // SAFETY: the image has the input pixel, by this function's contract, and the output's pixels, since
        // holders are cut to it; the output has all channels of the input, as the check has found.
        unsafe {
            let mut sum = S::zero();
            for row in top..bottom {
                for column in left..right {
                    let index = row * columns + column;
                    let at = from.image(image).add(index * from.stride() + channel);
                    let gradient = load::<S, FULL>(at, lanes);
                    if self.pooling == Pooling::Average {
                        let (above, below, _) = span(&self.window, row, height);
                        let (before, behind, _) = span(&self.window, column, width);
                        let count = (below - above) * (behind - before);
                        sum = S::mul_add(gradient, S::splat(1.0 / count as f32), sum);
                        continue;
                    }
                    let tap = (y + self.window.padding - row * self.window.stride)
                        * self.window.kernel
                        + (x + self.window.padding - column * self.window.stride);
                    let at = (image * from.pixels() + index) * from.channels() + channel;
                    let mine = S::bytes_equal(chosen.add(at), tap as u8, lanes);
                    sum = S::add(sum, S::select(mine, gradient, S::zero()));
                }
            }
            let at = to.image(image).add((y * width + x) * to.stride() + channel);
            if self.add {
                sum = S::add(sum, load::<S, FULL>(at, lanes));
            }
            store::<S, FULL>(at, sum, lanes);
        }
    }
}

/// Averages whole images, or spreads the gradients of such averages.
pub struct Global<'a> {
    /// The feature maps to average, or the target of their gradient.
    pub maps: Maps<'a>,
    /// The averages, or their gradients: one pixel for each image.
    pub mean: Maps<'a>,
    /// True to spread the gradient, false to average.
    pub backward: bool,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for Global<'_> {
    fn check(&self, _: usize) {
        let channels = self.maps.channels();
        self.maps.check("maps", channels, self.maps.size(), &self.images);
        self.mean.check("means", channels, (1, 1), &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (pixels, stride) = (self.maps.pixels(), self.maps.stride());
        for image in self.images.clone() {
            // SAFETY: the check has found the image in both, with the channels of the maps.
            unsafe {
                let maps = self.maps.image(image);
                let mean = self.mean.image(image);
                let share = S::splat(1.0 / pixels as f32);
                channel_blocks!(self.maps, channel, lanes, FULL => {
                    if self.backward {
                        let part = S::mul(load::<S, FULL>(mean.add(channel), lanes), share);
                        for pixel in 0..pixels {
                            let at = maps.add(pixel * stride + channel);
                            let sum = match self.add {
                                true => S::add(part, load::<S, FULL>(at, lanes)),
                                false => part,
                            };
                            store::<S, FULL>(at, sum, lanes);
                        }
                    } else {
                        let mut sum = S::zero();
                        for pixel in 0..pixels {
                            let at = maps.add(pixel * stride + channel);
                            sum = S::add(sum, load::<S, FULL>(at, lanes));
                        }
                        store::<S, FULL>(mean.add(channel), S::mul(sum, share), lanes);
                    }
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{maps, refuses};
    use super::*;

    const WINDOW: Window = Window { kernel: 2, stride: 2, padding: 0, ceil: false };

    #[test]
    fn short_maps_and_positions_are_refused() {
        let (mut from, mut to, mut chosen) = ([0.0; 96], [0.0; 24], [0; 24]);
        let mut check = |from_values: usize, to_values: usize, positions: usize| {
            let (pooling, window) = (Pooling::Maximum, WINDOW);
            let chosen = Some(SharedSlice::new(&mut chosen[..positions]));
            let from = maps(&mut from[..from_values], 3, (4, 4));
            let to = maps(&mut to[..to_values], 3, (2, 2));
            Pool { pooling, window, from, to, chosen, images: 1..2 }.check(8);
            let (from, to) = (to, from);
            PoolBackward { pooling, window, from, to, add: false, chosen, images: 1..2 }.check(8);
        };
        check(96, 24, 24);
        refuses("input: 95 values where 96", || check(95, 24, 24));
        refuses("output: 23 values where 24", || check(96, 23, 24));
        refuses("positions of maxima: 23 values where 24", || check(96, 24, 23));
    }

    #[test]
    fn gradients_of_poolings_are_checked() {
        let (mut from, mut to, mut chosen) = ([0.0; 24], [0.0; 96], [0; 24]);
        let mut check = |values: (usize, usize), positions: Option<usize>| {
            let chosen = positions.map(|count| SharedSlice::new(&mut chosen[..count]));
            let from = maps(&mut from[..values.0], 3, (2, 2));
            let to = maps(&mut to[..values.1], 3, (4, 4));
            let (pooling, window, add, images) = (Pooling::Maximum, WINDOW, false, 1..2);
            PoolBackward { pooling, window, from, to, add, chosen, images }.check(8);
        };
        check((24, 96), Some(24));
        refuses("gradient of the output: 23 values", || check((23, 96), Some(24)));
        refuses("gradient of the input: 95 values", || check((24, 95), Some(24)));
        refuses("positions of maxima: 23 values where 24", || check((24, 96), Some(23)));
        refuses("a maximum without its positions", || check((24, 96), None));
    }

    #[test]
    fn short_means_are_refused() {
        let (mut from, mut to) = ([0.0; 24], [0.0; 6]);
        let mut check = |from_values: usize, to_values: usize, channels: usize| {
            let from = maps(&mut from[..from_values], 3, (2, 2));
            let mean = maps(&mut to[..to_values], channels, (1, 1));
            Global { maps: from, mean, backward: false, add: false, images: 1..2 }.check(8);
        };
        check(24, 6, 3);
        refuses("maps: 23 values where 24", || check(23, 6, 3));
        refuses("means: 5 values where 6", || check(24, 5, 3));
        refuses("means: 2 channels of 3", || check(24, 6, 2));
    }
}
