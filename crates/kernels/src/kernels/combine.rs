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
    pub to: Maps,
    /// The images.
    pub images: Range<usize>,
}

/// Pixels for which all terms are summed before the next pixels.
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

/// Writes the gradient of a normalized part's input for some images.
pub struct Normalised<'a> {
    /// The part.
    pub part: &'a GradientPart,
    /// The gradient.
    pub to: Maps,
    /// True to add the gradient to the values there, false to overwrite them.
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
