//! Views of feature maps in memory, and of the input of a layer.

use std::ops::Range;

use super::check::{enough, product};
use super::shared::SharedSlice;

/// The feature maps of a batch: images one after another, pixels row by row, channels innermost.
///
/// Kernels read and write `channels` values of each pixel and ignore the rest of the stride, so a slice of
/// the channels is a `Maps` too.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    /// The values from the first channel of the first pixel of the first image on.
    values: SharedSlice<'a>,
    /// Values from a pixel to the next.
    stride: usize,
    /// Values of a pixel.
    channels: usize,
    height: usize,
    width: usize,
}

impl<'a> Maps<'a> {
    /// Creates a view of maps with `stride` values from a pixel to the next, and of a height and a width.
    ///
    /// # Panics
    /// If there are more channels than the stride has values.
    pub fn new(
        values: SharedSlice<'a>,
        stride: usize,
        channels: usize,
        (height, width): (usize, usize),
    ) -> Self {
        assert!(channels <= stride, "{channels} channels in a stride of {stride} values");
        Self { values, stride, channels, height, width }
    }

    /// Returns some of the channels.
    ///
    /// # Panics
    /// If the maps do not have them.
    pub fn slice(self, channel: usize, channels: usize) -> Self {
        let all = self.channels;
        assert!(
            channel <= all && channels <= all - channel,
            "{channels} channels from {channel} on, of {all}"
        );
        Self { values: self.values.after(channel), channels, ..self }
    }

    /// Returns the number of pixels of an image.
    #[inline(always)]
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Returns the rows and columns.
    #[inline(always)]
    pub const fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Returns the number of channels.
    #[inline(always)]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the number of values from a pixel to the next.
    #[inline(always)]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Checks that the maps have images of a size, with at least so many channels, within their memory.
    ///
    /// # Panics
    /// If they do not.
    pub fn check(&self, what: &str, channels: usize, size: (usize, usize), images: &Range<usize>) {
        assert!(images.start <= images.end, "{what}: images {images:?}");
        assert!(self.channels >= channels, "{what}: {} channels of {channels}", self.channels);
        assert!(self.size() == size, "{what}: images of {:?}, not of {size:?}", self.size());
        let pixels = product(&[images.end, self.height, self.width]);
        let needed = match pixels {
            0 => 0,
            _ => (pixels - 1).saturating_mul(self.stride).saturating_add(self.channels),
        };
        enough(what, self.values.count(), needed);
    }

    /// Returns a pointer to the first value of an image.
    ///
    /// # Safety
    /// [`Maps::check`] has found the image.
    #[inline(always)]
    pub(super) unsafe fn image(&self, image: usize) -> *mut f32 {
        // SAFETY: the image was found, by this function's contract, and its first pixel with it.
        unsafe { self.pixel(image * self.pixels()) }
    }

    /// Returns a pointer to the first value of a pixel, counted from the first of all images.
    ///
    /// # Safety
    /// [`Maps::check`] has found the image of the pixel.
    #[inline(always)]
    pub(super) unsafe fn pixel(&self, pixel: usize) -> *mut f32 {
        debug_assert!(pixel * self.stride + self.channels <= self.values.count());
        // SAFETY: the pixel's channels lie within the values, since its image does.
        unsafe { self.values.pointer().add(pixel * self.stride) }
    }
}

/// A value of each channel that a map scales with, and one that it adds.
pub type Affine<'a> = (&'a [f32], &'a [f32]);

/// Returns the values of some channels.
///
/// # Panics
/// If there are none of them.
pub fn slice_affine<'a>((a, b): Affine<'a>, channel: usize, channels: usize) -> Affine<'a> {
    (&a[channel..][..channels], &b[channel..][..channels])
}

/// A summand of a layer's input: stored maps, or the normalized and rectified maps of a convolution, max(0,
/// scale z + offset), which are computed while they are read instead of being stored.
#[derive(Clone, Copy, Debug)]
pub struct MapsTerm<'a> {
    /// The stored values.
    pub maps: Maps<'a>,
    /// Scale and offset of each channel.
    pub affine: Option<Affine<'a>>,
    /// True if negative values become 0, after the affine map.
    pub relu: bool,
}

impl<'a> MapsTerm<'a> {
    /// Returns a term that is the maps as stored.
    pub const fn plain(maps: Maps<'a>) -> Self {
        Self { maps, affine: None, relu: false }
    }

    /// Returns true if the term's values are the stored ones.
    pub const fn is_plain(&self) -> bool {
        self.affine.is_none() && !self.relu
    }

    /// Returns some of the channels.
    ///
    /// # Panics
    /// If the term does not have them.
    pub fn slice(self, channel: usize, channels: usize) -> Self {
        Self {
            maps: self.maps.slice(channel, channels),
            affine: self.affine.map(|affine| slice_affine(affine, channel, channels)),
            relu: self.relu,
        }
    }
}

/// A sum of terms, optionally rectified.
#[derive(Clone, Copy, Debug)]
pub struct Reads<'a> {
    /// The summands; an empty sum is 0.
    pub terms: &'a [MapsTerm<'a>],
    /// True if negative sums become 0.
    pub relu: bool,
}

impl<'a> Reads<'a> {
    /// Returns the maps that hold the values of the sum, if it is a single stored term.
    pub fn stored(&self) -> Option<Maps<'a>> {
        match self.terms {
            [term] if term.is_plain() && !self.relu => Some(term.maps),
            _ => None,
        }
    }

    /// Checks that every term has images of a size, with at least so many channels, within its memory.
    ///
    /// # Panics
    /// If one does not.
    pub fn check(&self, channels: usize, size: (usize, usize), images: &Range<usize>) {
        for term in self.terms {
            term.maps.check("input", channels, size, images);
            if let Some((scale, offset)) = term.affine {
                enough("scale of the input", scale.len(), channels);
                enough("offset of the input", offset.len(), channels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{maps, refuses};
    use super::*;

    #[test]
    fn maps_end_with_the_last_channel_of_the_last_pixel() {
        let mut values = vec![0.0; 29];
        let all = Maps::new(SharedSlice::new(&mut values), 5, 5, (3, 1));
        all.slice(1, 4).check("maps", 4, (3, 1), &(0..1));
        refuses("maps: 29 values where 30 are needed", || all.check("maps", 5, (3, 1), &(1..2)));
        all.slice(0, 4).check("maps", 4, (3, 1), &(1..2));
        all.check("maps", 5, (3, 1), &(0..0));
        refuses("maps: images 2..1", || {
            all.check("maps", 5, (3, 1), &(Range { start: 2, end: 1 }))
        });
        refuses("maps: 5 channels of 6", || all.check("maps", 6, (3, 1), &(0..1)));
        refuses("maps: images of (3, 1), not of (1, 3)", || {
            all.check("maps", 5, (1, 3), &(0..1));
        });
        refuses("2 channels from 4 on, of 5", || all.slice(4, 2));
        refuses("18446744073709551615 are needed", || {
            all.check("maps", 5, (3, 1), &(0..usize::MAX));
        });
    }

    #[test]
    fn a_stride_holds_all_channels() {
        let mut values = vec![0.0; 30];
        let values = SharedSlice::new(&mut values);
        refuses("6 channels in a stride of 5", || Maps::new(values, 5, 6, (1, 1)));
    }

    #[test]
    fn terms_have_coefficients_for_all_channels() {
        let mut values = vec![0.0; 8];
        let maps = maps(&mut values, 4, (2, 1));
        let (long, short) = ([0.0; 4], [0.0; 3]);
        let term = |affine| MapsTerm { maps, affine: Some(affine), relu: true };
        let check = |affine| {
            Reads { terms: &[MapsTerm::plain(maps), term(affine)], relu: false }.check(
                4,
                (2, 1),
                &(0..1),
            );
        };
        check((&long, &long));
        refuses("scale of the input: 3 values where 4", || check((&short, &long)));
        refuses("offset of the input: 3 values where 4", || check((&long, &short)));
    }
}
