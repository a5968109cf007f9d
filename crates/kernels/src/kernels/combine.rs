//! Sums of terms written out, and gradients added up.

use std::ops::Range;

use super::backward::{Part, part_gradient};
use super::gather::gather;
use super::maps::{Maps, Reads};
use crate::simd::{Kernel, Simd};

/// Writes the sum of terms for some images.
pub struct Combine<'a> {
    /// The terms.
    pub reads: Reads<'a>,
    /// Where the sum goes; it may be one of two plain terms.
    pub to: Maps,
    /// The images.
    pub images: Range<usize>,
}

/// Pixels that pass the terms before the next pixels.
const PIXELS: usize = 64;

impl Kernel for Combine<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let pixels = self.to.pixels();
        for image in self.images {
            for first in (0..pixels).step_by(PIXELS) {
                let count = PIXELS.min(pixels - first);
                // SAFETY: the caller's.
                unsafe {
                    let to = self.to.image(image).add(first * self.to.stride);
                    let (channels, step) = (self.to.channels, self.to.stride);
                    gather::<S>(&self.reads, channels, (image, first), count, to, step);
                }
            }
        }
    }
}

/// Writes the gradient of a normalised part's input for some images.
pub struct Normalised<'a> {
    /// The part.
    pub part: &'a Part,
    /// Where the gradient goes.
    pub to: Maps,
    /// Whether it is added to what is there.
    pub add: bool,
    /// The images.
    pub images: Range<usize>,
}

impl Kernel for Normalised<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for image in self.images {
            // SAFETY: the caller's.
            unsafe {
                let (to, count, step) = (self.to.image(image), self.to.pixels(), self.to.stride);
                if self.add {
                    part_gradient::<S, true>(self.part, (image, 0), count, to, step);
                } else {
                    part_gradient::<S, false>(self.part, (image, 0), count, to, step);
                }
            }
        }
    }
}
