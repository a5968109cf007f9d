//! Where feature maps lie in memory, and what a layer reads.

/// The feature maps of a batch: images one after another, pixels row by row, channels innermost.
///
/// Kernels read and write `channels` values of each pixel and leave the rest of the stride alone, so
/// that a slice of channels is maps too.
#[derive(Clone, Copy, Debug)]
pub struct Maps {
    /// The first channel of the first pixel of the first image.
    pub at: *mut f32,
    /// Values from a pixel to the next.
    pub stride: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

// SAFETY: a pointer with sizes; who dereferences it answers for the aliasing.
unsafe impl Send for Maps {}
// SAFETY: as above.
unsafe impl Sync for Maps {}

impl Maps {
    /// Pixels of an image.
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The first value of an image.
    ///
    /// # Safety
    /// The image is within the maps' memory.
    #[inline(always)]
    pub unsafe fn image(&self, image: usize) -> *mut f32 {
        // SAFETY: the caller's.
        unsafe { self.at.add(image * self.pixels() * self.stride) }
    }
}

/// A summand of what a layer reads: maps, or the normalised and rectified maps of a convolution,
/// max(0, scale z + offset), which are computed where they are read instead of being stored.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// The stored values.
    pub maps: Maps,
    /// Scale and offset of each channel.
    pub affine: Option<(*const f32, *const f32)>,
    /// Whether negative values become 0 (after the affine map).
    pub relu: bool,
}

// SAFETY: as for `Maps`.
unsafe impl Send for Term {}
// SAFETY: as for `Maps`.
unsafe impl Sync for Term {}

impl Term {
    /// Maps as they are.
    pub const fn plain(maps: Maps) -> Self {
        Self { maps, affine: None, relu: false }
    }

    /// Whether the stored values are the term's.
    pub const fn is_plain(&self) -> bool {
        self.affine.is_none() && !self.relu
    }
}

/// A sum of terms, rectified or not.
#[derive(Clone, Copy, Debug)]
pub struct Reads<'a> {
    /// The summands; none are 0.
    pub terms: &'a [Term],
    /// Whether negative sums become 0.
    pub relu: bool,
}

impl Reads<'_> {
    /// The maps that hold the values as they are, if there are such.
    pub fn stored(&self) -> Option<Maps> {
        match self.terms {
            [term] if term.is_plain() && !self.relu => Some(term.maps),
            _ => None,
        }
    }
}
