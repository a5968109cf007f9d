//! Views of feature maps in memory, and of the input of a layer.

/// The feature maps of a batch: images one after another, pixels row by row, channels innermost.
///
/// Kernels read and write `channels` values of each pixel and ignore the rest of the stride, so a slice of
/// the channels is a `Maps` too.
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
    /// Returns the number of pixels of an image.
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Returns a pointer to the first value of an image.
    ///
    /// # Safety
    /// The image is within the maps' memory.
    #[inline(always)]
    pub unsafe fn image(&self, image: usize) -> *mut f32 {
        // SAFETY: the caller's.
        unsafe { self.at.add(image * self.pixels() * self.stride) }
    }
}

/// A summand of a layer's input: stored maps, or the normalized and rectified maps of a convolution, max(0,
/// scale z + offset), which are computed while they are read instead of being stored.
#[derive(Clone, Copy, Debug)]
pub struct MapsTerm {
    /// The stored values.
    pub maps: Maps,
    /// Scale and offset of each channel.
    pub affine: Option<(*const f32, *const f32)>,
    /// True if negative values become 0, after the affine map.
    pub relu: bool,
}

// SAFETY: as for `Maps`.
unsafe impl Send for MapsTerm {}
// SAFETY: as for `Maps`.
unsafe impl Sync for MapsTerm {}

impl MapsTerm {
    /// Returns a term that is the maps as stored.
    pub const fn plain(maps: Maps) -> Self {
        Self { maps, affine: None, relu: false }
    }

    /// Returns true if the term's values are the stored ones.
    pub const fn is_plain(&self) -> bool {
        self.affine.is_none() && !self.relu
    }
}

/// A sum of terms, optionally rectified.
#[derive(Clone, Copy, Debug)]
pub struct Reads<'a> {
    /// The summands; an empty sum is 0.
    pub terms: &'a [MapsTerm],
    /// True if negative sums become 0.
    pub relu: bool,
}

impl Reads<'_> {
    /// Returns the maps that hold the values of the sum, if it is a single stored term.
    pub fn stored(&self) -> Option<Maps> {
        match self.terms {
            [term] if term.is_plain() && !self.relu => Some(term.maps),
            _ => None,
        }
    }
}
