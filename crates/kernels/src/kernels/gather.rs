//! Gathering of the values of a sum of terms.

use super::maps::{MapsTerm, Reads};
use crate::simd::Simd;

/// Writes `count` consecutive pixels of a sum of terms, from pixel `first` of an image, to `to`,
/// `step` values apart.
///
/// # Safety
/// [`Reads::check`] has found `channels` channels of the image and the pixels are within it, `to` holds `count`
/// pixels of `channels` values `step` apart; the processor has `S`.
#[inline(always)]
pub unsafe fn gather<S: Simd>(
    reads: &Reads<'_>,
    channels: usize,
    (image, first): (usize, usize),
    count: usize,
    to: *mut f32,
    step: usize,
) {
    let mut channel = 0;
    while channel < channels {
        let lanes = (channels - channel).min(S::LANES);
        // SAFETY: the lanes are within `channels`, which every term and `to` have at each pixel, by this
        // function's contract.
        unsafe {
            let pixels = Pixels { to: to.add(channel), count, step, lanes };
            if lanes == S::LANES {
                lane_block::<S, true>(reads, channel, (image, first), pixels);
            } else {
                lane_block::<S, false>(reads, channel, (image, first), pixels);
            }
        }
        channel += lanes;
    }
}

/// A term at a block of channels: its first pixel, stride, scale and offset.
struct At<S: Simd> {
    from: *const f32,
    stride: usize,
    scale: S::V,
    offset: S::V,
    relu: bool,
}

impl<S: Simd> At<S> {
    /// Returns a term at `lanes` channels from one on.
    ///
    /// # Safety
    /// [`Reads::check`] has found the image and the channels; the processor has `S`.
    #[inline(always)]
    unsafe fn new<const FULL: bool>(
        term: &MapsTerm<'_>,
        channel: usize,
        lanes: usize,
        (image, pixel): (usize, usize),
    ) -> Self {
        // SAFETY: scale and offset have the lanes, and the maps the pixel, since the check has found them, by
        // this function's contract.
        unsafe {
            let (scale, offset) = match term.affine {
                None => (S::splat(1.0), S::zero()),
                Some((scale, offset)) => (
                    load::<S, FULL>(scale.as_ptr().add(channel), lanes),
                    load::<S, FULL>(offset.as_ptr().add(channel), lanes),
                ),
            };
            let maps = &term.maps;
            let from = maps.image(image).add(pixel * maps.stride() + channel);
            Self { from, stride: maps.stride(), scale, offset, relu: term.relu }
        }
    }

    /// The value of a pixel, scaled and moved if `AFFINE`.
    ///
    /// # Safety
    /// The term's maps have the pixel `i` pixels after the first; `lanes` as in [`At::new`].
    #[inline(always)]
    unsafe fn value<const FULL: bool, const AFFINE: bool>(&self, i: usize, lanes: usize) -> S::V {
        // SAFETY: the pixel is within the maps and has the lanes, by this function's contract.
        unsafe {
            let v = load::<S, FULL>(self.from.add(i * self.stride), lanes);
            if AFFINE { S::mul_add(v, self.scale, self.offset) } else { v }
        }
    }

    /// The value, scaled and moved, and rectified where the term is.
    ///
    /// # Safety
    /// As [`At::value`].
    #[inline(always)]
    unsafe fn rectified<const FULL: bool>(&self, i: usize, lanes: usize) -> S::V {
        // SAFETY: `value` asks for what this function does.
        unsafe {
            let v = self.value::<FULL, true>(i, lanes);
            if self.relu { S::max(v, S::zero()) } else { v }
        }
    }
}

/// Reads all lanes, or the first ones.
///
/// # Safety
/// `lanes` values, which are all of a vector if `FULL`, are readable; the processor has `S`.
#[inline(always)]
pub unsafe fn load<S: Simd, const FULL: bool>(from: *const f32, lanes: usize) -> S::V {
    // SAFETY: the lanes are readable, by this function's contract.
    unsafe { if FULL { S::load(from) } else { S::load_first(from, lanes) } }
}

/// Writes all lanes, or the first ones.
///
/// # Safety
/// `lanes` values, which are all of a vector if `FULL`, are writable; the processor has `S`.
#[inline(always)]
pub unsafe fn store<S: Simd, const FULL: bool>(to: *mut f32, v: S::V, lanes: usize) {
    // SAFETY: the lanes are writable, by this function's contract.
    unsafe { if FULL { S::store(to, v) } else { S::store_first(to, v, lanes) } }
}

/// The pixels that are written: `count` of them, `step` values apart.
#[derive(Clone, Copy)]
pub(super) struct Pixels {
    /// The first channel of a block at the first pixel.
    pub to: *mut f32,
    /// The number of pixels.
    pub count: usize,
    /// Values from a pixel to the next.
    pub step: usize,
    /// The lanes of the block.
    pub lanes: usize,
}

impl Pixels {
    /// Writes what `value` gives for each pixel.
    ///
    /// # Safety
    /// `to` holds the pixels, each with `lanes` values; the processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn fill<S: Simd, const FULL: bool>(&self, value: impl Fn(usize) -> S::V) {
        for i in 0..self.count {
            // SAFETY: `i` is below `count`, and `to` holds so many pixels, by this function's contract.
            unsafe { store::<S, FULL>(self.to.add(i * self.step), value(i), self.lanes) };
        }
    }

    /// A value that was written before.
    ///
    /// # Safety
    /// As [`Pixels::fill`]; `i` is one of the pixels.
    #[inline(always)]
    pub(super) unsafe fn value<S: Simd, const FULL: bool>(&self, i: usize) -> S::V {
        // SAFETY: `to` holds pixel `i`, by this function's contract.
        unsafe { load::<S, FULL>(self.to.add(i * self.step), self.lanes) }
    }
}

/// Writes the sum of the terms for the channels of a block; `pixels` begins at its first channel.
///
/// # Safety
/// As [`gather`], whose channels have those of the block.
#[inline(always)]
unsafe fn lane_block<S: Simd, const FULL: bool>(
    reads: &Reads<'_>,
    channel: usize,
    place: (usize, usize),
    pixels: Pixels,
) {
    let lanes = pixels.lanes;
    // SAFETY: every term and `to` have the block's lanes at `pixels.count` pixels, by this function's
    // contract.
    unsafe {
        let at = |term: &MapsTerm<'_>| At::<S>::new::<FULL>(term, channel, lanes, place);
        match reads.terms {
            [] => pixels.fill::<S, FULL>(|_| S::zero()),
            [one] => {
                let (affine, relu) = (one.affine.is_some(), one.relu || reads.relu);
                single::<S, FULL>(&at(one), affine, relu, pixels);
            }
            [first, second] => pair::<S, FULL>([&at(first), &at(second)], reads.relu, pixels),
            [first, middle @ .., last] => {
                let first = at(first);
                pixels.fill::<S, FULL>(|i| first.rectified::<FULL>(i, lanes));
                for term in middle {
                    let at = at(term);
                    pixels.fill::<S, FULL>(|i| {
                        S::add(pixels.value::<S, FULL>(i), at.rectified::<FULL>(i, lanes))
                    });
                }
                let last = at(last);
                pixels.fill::<S, FULL>(|i| {
                    let sum = S::add(pixels.value::<S, FULL>(i), last.rectified::<FULL>(i, lanes));
                    if reads.relu { S::max(sum, S::zero()) } else { sum }
                });
            }
        }
    }
}

/// Writes one term: a loop for each of its forms, without a branch inside.
///
/// # Safety
/// The term and `pixels` have `pixels.lanes` values at `pixels.count` pixels; the processor has `S`.
#[inline(always)]
unsafe fn single<S: Simd, const FULL: bool>(at: &At<S>, affine: bool, relu: bool, pixels: Pixels) {
    let lanes = pixels.lanes;
    // SAFETY: the pixels that `fill` asks for are below `count`, which the term has, by this function's
    // contract.
    unsafe {
        let zero = S::zero();
        match (affine, relu) {
            (false, false) => pixels.fill::<S, FULL>(|i| at.value::<FULL, false>(i, lanes)),
            (false, true) => {
                pixels.fill::<S, FULL>(|i| S::max(at.value::<FULL, false>(i, lanes), zero));
            }
            (true, false) => pixels.fill::<S, FULL>(|i| at.value::<FULL, true>(i, lanes)),
            (true, true) => {
                pixels.fill::<S, FULL>(|i| S::max(at.value::<FULL, true>(i, lanes), zero));
            }
        }
    }
}

/// Writes the sum of two terms.
///
/// # Safety
/// As [`single`], for both terms.
#[inline(always)]
unsafe fn pair<S: Simd, const FULL: bool>([a, b]: [&At<S>; 2], relu: bool, pixels: Pixels) {
    let lanes = pixels.lanes;
    // SAFETY: the pixels that `fill` asks for are below `count`, which both terms have, by this function's
    // contract.
    unsafe {
        let zero = S::zero();
        // The sums of residual blocks.
        if a.relu && b.relu && !relu {
            pixels.fill::<S, FULL>(|i| {
                let a = S::max(a.value::<FULL, true>(i, lanes), zero);
                S::add(a, S::max(b.value::<FULL, true>(i, lanes), zero))
            });
            return;
        }
        pixels.fill::<S, FULL>(|i| {
            let sum = S::add(a.rectified::<FULL>(i, lanes), b.rectified::<FULL>(i, lanes));
            if relu { S::max(sum, zero) } else { sum }
        });
    }
}
