//! The memory of an executor.

use memmap2::MmapMut;

use crate::kernels::{Maps, MapsTerm, Reads};
use crate::plan::{Buffers, Place, Plan, Sources};

/// The memory of a plan's steps, reused from plan to plan.
#[derive(Default)]
pub struct Memory {
    /// Feature maps and their gradients.
    pub arena: Aligned,
    /// Weights, unpacked and packed.
    pub weights: Aligned,
    /// The scale of each normalized channel.
    pub scale: Vec<f32>,
    /// The offset of each normalized channel.
    pub offset: Vec<f32>,
    /// The slope of each channel, as in `kernels::Part`.
    pub slope: Vec<f32>,
    /// The constant of each channel, as in `kernels::Part`.
    pub constant: Vec<f32>,
    /// The mean of each channel in this step.
    pub mean: Vec<f64>,
    /// One over the standard deviation of each channel in this step.
    pub deviation: Vec<f64>,
    /// Sums over each image's channels, for normalization.
    pub sums: Aligned,
    /// Gradients of weights, one for each group of images.
    pub partial: Aligned,
    /// Scratch memory of each thread.
    pub scratch: Vec<Aligned>,
}

/// Values that begin at a cache line, and lie in huge pages where the system grants them.
#[derive(Default)]
pub struct Aligned {
    lines: Lines,
}

/// The storage of cache lines.
enum Lines {
    Heap(Vec<Line>),
    Mapped(MmapMut),
}

#[derive(Clone, Copy)]
#[repr(align(64))]
#[expect(dead_code, reason = "read through pointers")]
struct Line([f32; 16]);

/// Bytes of a huge page. Passes over feature maps read tens of megabytes; with small pages they wait for
/// address translations, for a time that varies with the placement of the pages.
const HUGE_PAGE: usize = 2 << 20;

impl Default for Lines {
    fn default() -> Self {
        Self::Heap(Vec::new())
    }
}

impl Lines {
    fn new(lines: usize) -> Self {
        let bytes = lines * size_of::<Line>();
        if bytes >= HUGE_PAGE / 2
            && let Ok(map) = MmapMut::map_anon(bytes.next_multiple_of(HUGE_PAGE))
        {
            // A wish: where it is refused the pages are small.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            return Self::Mapped(map);
        }
        Self::Heap(vec![Line([0.0; 16]); lines])
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Heap(lines) => size_of_val(lines.as_slice()),
            Self::Mapped(map) => map.len(),
        }
    }
}

impl Aligned {
    /// Ensures that there are at least `values` values; growing discards the old ones.
    pub fn reserve(&mut self, values: usize) {
        let lines = values.div_ceil(16);
        if self.bytes() < lines * size_of::<Line>() {
            // The old memory goes first: there need not be room for both.
            self.lines = Lines::default();
            self.lines = Lines::new(lines);
        }
    }

    /// Returns a pointer to the first value.
    pub fn at(&mut self) -> *mut f32 {
        match &mut self.lines {
            Lines::Heap(lines) => lines.as_mut_ptr().cast(),
            // A mapping begins at a page.
            Lines::Mapped(map) => map.as_mut_ptr().cast(),
        }
    }

    /// Returns the values.
    pub fn values(&mut self) -> &mut [f32] {
        let count = self.bytes() / size_of::<f32>();
        // SAFETY: the bytes are initialised, any bits are a value, and nothing else has them.
        unsafe { std::slice::from_raw_parts_mut(self.at(), count) }
    }

    /// Returns the number of bytes allocated.
    pub fn bytes(&self) -> usize {
        self.lines.bytes()
    }
}

/// Raw views of an executor's memory for the kernels.
#[derive(Clone, Copy)]
pub struct Views<'a> {
    plan: &'a Plan,
    arena: *mut f32,
    scale: *const f32,
    offset: *const f32,
}

// SAFETY: pointers; who dereferences them answers for the aliasing.
unsafe impl Send for Views<'_> {}
// SAFETY: as above.
unsafe impl Sync for Views<'_> {}

impl<'a> Views<'a> {
    /// Creates views of memory that was reserved for a plan.
    pub fn new(plan: &'a Plan, memory: &mut Memory) -> Self {
        Self {
            plan,
            arena: memory.arena.at(),
            scale: memory.scale.as_ptr(),
            offset: memory.offset.as_ptr(),
        }
    }

    /// Returns the maps of a place.
    pub fn maps(&self, place: Place) -> Maps {
        let Place { buffer, channel, stride, channels, height, width } = place;
        let offset = self.plan.offsets[Buffers::index(buffer)] + channel;
        // SAFETY: the plan's offsets lie within the arena.
        let at = unsafe { self.arena.add(offset) };
        Maps { at, stride, channels, height, width }
    }

    /// Returns the terms of a layer's input.
    pub fn terms(&self, sources: &Sources) -> Vec<MapsTerm> {
        let term = |summand: &crate::plan::Summand| MapsTerm {
            maps: self.maps(summand.place),
            // SAFETY: the plan counts the coefficients.
            affine: summand
                .affine
                .map(|first| unsafe { (self.scale.add(first), self.offset.add(first)) }),
            relu: summand.relu,
        };
        sources.terms.iter().map(term).collect()
    }
}

/// Returns the sum of terms, optionally rectified.
pub const fn reads(terms: &[MapsTerm], relu: bool) -> Reads<'_> {
    Reads { terms, relu }
}

/// A pointer that tasks share.
#[derive(Clone, Copy)]
pub struct Shared<T>(*mut T);

// SAFETY: a pointer; who dereferences it answers for the aliasing.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Shares a pointer.
    pub const fn new(at: *mut T) -> Self {
        Self(at)
    }

    /// Returns the pointer.
    pub const fn get(self) -> *mut T {
        self.0
    }

    /// Returns the pointer advanced by `count` values.
    pub fn add(self, count: usize) -> *mut T {
        self.0.wrapping_add(count)
    }
}
