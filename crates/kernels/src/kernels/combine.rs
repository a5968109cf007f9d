//! Storing of sums of terms, and of the gradients of normalized channels.

use std::ops::Range;

use super::backward::{GradientPart, part_gradient};
use super::gather::gather;
use super::maps::{Maps, Reads};
use crate::simd::{Kernel, Simd};

/// Writes the sum of terms for some images.
pub struct Combine<'a> {
    /// The terms.
    pub reads: Reads<'a>,
    /// The sum; it may be the memory of one of two plain terms.
    pub to: Maps<'a>,
    /// The images.
    pub images: Range<usize>,
}

/// Pixels for which all terms are summed before the next pixels.
const PIXELS: usize = 64;

impl Kernel for Combine<'_> {
    fn check(&self, _: usize) {
        let (channels, size) = (self.to.channels(), self.to.size());
        self.to.check("output", channels, size, &self.images);
        self.reads.check(channels, size, &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (pixels, channels, step) = (self.to.pixels(), self.to.channels(), self.to.stride());
        for image in self.images {
            for first in (0..pixels).step_by(PIXELS) {
                let count = PIXELS.min(pixels - first);
                // SAFETY: the check has found the image in `to` and in every term; the pixels are within it.
                unsafe {
                    let to = self.to.image(image).add(first * step);
                    gather::<S>(&self.reads, channels, (image, first), count, to, step);
                }
            }
        }
    }
}

/// Writes the gradient of a normalized part's input for some images.
pub struct Normalised<'a> {
    /// The part.
    pub part: &'a GradientPart<'a>,
    /// The gradient.
    pub to: Maps<'a>,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for Normalised<'_> {
    fn check(&self, _: usize) {
        let (channels, size) = (self.part.z.channels(), self.to.size());
        self.to.check("gradient", channels, size, &self.images);
        self.part.check(size, &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (count, step) = (self.to.pixels(), self.to.stride());
        for image in self.images {
            // SAFETY: the check has found the image in `to`, with the part's channels, and in the part.
            unsafe {
                let to = self.to.image(image);
                if self.add {
                    part_gradient::<S, true>(self.part, (image, 0), count, to, step);
                } else {
                    part_gradient::<S, false>(self.part, (image, 0), count, to, step);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::maps::MapsTerm;
    use super::super::testing::{maps, refuses};
    use super::*;

    #[test]
    fn short_sums_and_terms_are_refused() {
        let (mut from, mut to) = ([0.0; 24], [0.0; 24]);
        let mut check = |from_values: usize, to_values: usize, size: (usize, usize)| {
            let terms = [MapsTerm::plain(maps(&mut from[..from_values], 3, size))];
            let reads = Reads { terms: &terms, relu: false };
            Combine { reads, to: maps(&mut to[..to_values], 3, (2, 2)), images: 1..2 }.check(8);
        };
        check(24, 24, (2, 2));
        refuses("input: 23 values where 24", || check(23, 24, (2, 2)));
        refuses("output: 23 values where 24", || check(24, 23, (2, 2)));
        refuses("input: images of (1, 4), not of (2, 2)", || check(24, 24, (1, 4)));
    }

    #[test]
    fn short_gradients_of_normalizations_are_refused() {
        let (mut z, mut to) = ([0.0; 24], [0.0; 24]);
        let z = maps(&mut z, 3, (2, 2));
        let (scale, offset) = (&[0.0; 3][..], &[0.0; 3][..]);
        let mut check = |to_values: usize, channels: usize, constant: usize| {
            let affine = Some((&[0.0; 3][..], &[0.0; 3][..constant]));
            let part = GradientPart { channel: 0, of: z, z, scale, offset, affine, relu: true };
            let to = maps(&mut to[..to_values], channels, (2, 2));
            Normalised { part: &part, to, add: true, images: 1..2 }.check(8);
        };
        check(24, 3, 3);
        refuses("gradient: 23 values where 24", || check(23, 3, 3));
        refuses("gradient: 2 channels of 3", || check(24, 2, 3));
        refuses("constant: 2 values where 3", || check(24, 3, 2));
    }
}
