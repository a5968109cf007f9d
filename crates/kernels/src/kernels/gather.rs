//! Gathering of the values of a sum of terms.

use super::maps::{Reads, Term};
use crate::simd::Simd;

/// Writes `count` consecutive pixels of a sum of terms, from pixel `first` of an image, to `to`,
/// `step` values apart.
///
/// # Safety
/// `image` and the pixels are within every term's maps, `to` holds `count` pixels of `channels` values
/// `step` apart; the processor has `S`.
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
        // SAFETY: the lanes are within `channels`; the rest is the caller's.
        unsafe {
            if lanes == S::LANES {
                lane_block::<S, true>(reads, channel, lanes, (image, first), count, to, step);
            } else {
                lane_block::<S, false>(reads, channel, lanes, (image, first), count, to, step);
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
    #[inline(always)]
    unsafe fn new<const FULL: bool>(
        term: &Term,
        channel: usize,
        lanes: usize,
        (image, pixel): (usize, usize),
    ) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let (scale, offset) = match term.affine {
                None => (S::splat(1.0), S::zero()),
                Some((scale, offset)) => (
                    load::<S, FULL>(scale.add(channel), lanes),
                    load::<S, FULL>(offset.add(channel), lanes),
                ),
            };
            let maps = &term.maps;
            let from = maps.image(image).add(pixel * maps.stride + channel);
            Self { from, stride: maps.stride, scale, offset, relu: term.relu }
        }
    }

    #[inline(always)]
    unsafe fn value<const FULL: bool, const AFFINE: bool>(&self, i: usize, lanes: usize) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let v = load::<S, FULL>(self.from.add(i * self.stride), lanes);
            if AFFINE { S::mul_add(v, self.scale, self.offset) } else { v }
        }
    }
}

/// Reads all lanes, or the first ones.
#[inline(always)]
pub unsafe fn load<S: Simd, const FULL: bool>(from: *const f32, lanes: usize) -> S::V {
    // SAFETY: the caller's.
    unsafe { if FULL { S::load(from) } else { S::load_first(from, lanes) } }
}

/// Writes all lanes, or the first ones.
#[inline(always)]
pub unsafe fn store<S: Simd, const FULL: bool>(to: *mut f32, v: S::V, lanes: usize) {
    // SAFETY: the caller's.
    unsafe { if FULL { S::store(to, v) } else { S::store_first(to, v, lanes) } }
}

#[inline(always)]
unsafe fn lane_block<S: Simd, const FULL: bool>(
    reads: &Reads<'_>,
    channel: usize,
    lanes: usize,
    place: (usize, usize),
    count: usize,
    to: *mut f32,
    step: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::zero();
        let to = to.add(channel);
        match reads.terms {
            [] => {
                for i in 0..count {
                    store::<S, FULL>(to.add(i * step), zero, lanes);
                }
            }
            [one] => {
                let at = At::<S>::new::<FULL>(one, channel, lanes, place);
                let relu = at.relu || reads.relu;
                match (one.affine.is_some(), relu) {
                    (false, false) => {
                        for i in 0..count {
                            let v = at.value::<FULL, false>(i, lanes);
                            store::<S, FULL>(to.add(i * step), v, lanes);
                        }
                    }
                    (false, true) => {
                        for i in 0..count {
                            let v = S::max(at.value::<FULL, false>(i, lanes), zero);
                            store::<S, FULL>(to.add(i * step), v, lanes);
                        }
                    }
                    (true, false) => {
                        for i in 0..count {
                            let v = at.value::<FULL, true>(i, lanes);
                            store::<S, FULL>(to.add(i * step), v, lanes);
                        }
                    }
                    (true, true) => {
                        for i in 0..count {
                            let v = S::max(at.value::<FULL, true>(i, lanes), zero);
                            store::<S, FULL>(to.add(i * step), v, lanes);
                        }
                    }
                }
            }
            [first, rest @ ..] => {
                let at = At::<S>::new::<FULL>(first, channel, lanes, place);
                let Some((last, middle)) = rest.split_last() else { return };
                let value = |at: &At<S>, i: usize| {
                    let v = at.value::<FULL, true>(i, lanes);
                    if at.relu { S::max(v, zero) } else { v }
                };
                if middle.is_empty() {
                    let other = At::<S>::new::<FULL>(last, channel, lanes, place);
                    if at.relu && other.relu && !reads.relu {
                        for i in 0..count {
                            let a = S::max(at.value::<FULL, true>(i, lanes), zero);
                            let b = S::max(other.value::<FULL, true>(i, lanes), zero);
                            store::<S, FULL>(to.add(i * step), S::add(a, b), lanes);
                        }
                        return;
                    }
                    for i in 0..count {
                        let sum = S::add(value(&at, i), value(&other, i));
                        let sum = if reads.relu { S::max(sum, zero) } else { sum };
                        store::<S, FULL>(to.add(i * step), sum, lanes);
                    }
                    return;
                }
                for i in 0..count {
                    store::<S, FULL>(to.add(i * step), value(&at, i), lanes);
                }
                for term in middle {
                    let at = At::<S>::new::<FULL>(term, channel, lanes, place);
                    for i in 0..count {
                        let sum = S::add(load::<S, FULL>(to.add(i * step), lanes), value(&at, i));
                        store::<S, FULL>(to.add(i * step), sum, lanes);
                    }
                }
                let at = At::<S>::new::<FULL>(last, channel, lanes, place);
                for i in 0..count {
                    let sum = S::add(load::<S, FULL>(to.add(i * step), lanes), value(&at, i));
                    let sum = if reads.relu { S::max(sum, zero) } else { sum };
                    store::<S, FULL>(to.add(i * step), sum, lanes);
                }
            }
        }
    }
}
