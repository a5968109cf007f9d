//! The memory of an executor.

use memmap2::MmapMut;

use crate::kernels::{GradientPart, ImageRows, Maps, MapsTerm, Reads, SharedSlice};
use crate::plan::{BufferId, Buffers, OutputPart, Place, Plan, Sources, Summand};

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
    /// The slope of each channel, as in `kernels::GradientPart`.
    pub slope: Vec<f32>,
    /// The constant of each channel, as in `kernels::GradientPart`.
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

    /// Returns the values.
    pub fn values(&mut self) -> &mut [f32] {
        let count = self.bytes() / size_of::<f32>();
        let at = match &mut self.lines {
            Lines::Heap(lines) => lines.as_mut_ptr().cast(),
            // A mapping begins at a page.
            Lines::Mapped(map) => map.as_mut_ptr().cast(),
        };
        // SAFETY: `at` is the first of so many bytes, which are initialised and stay borrowed from `self`; any
        // bits are a value.
        unsafe { std::slice::from_raw_parts_mut(at, count) }
    }

    /// Shares the values.
    pub fn shared(&mut self) -> SharedSlice<'_> {
        SharedSlice::new(self.values())
    }

    /// Returns the number of bytes allocated.
    pub fn bytes(&self) -> usize {
        self.lines.bytes()
    }
}

/// Views of an executor's memory for the kernels, which stays borrowed.
pub struct Views<'a> {
    plan: &'a Plan,
    arena: SharedSlice<'a>,
    scale: &'a [f32],
    offset: &'a [f32],
    slope: &'a [f32],
    constant: &'a [f32],
    /// The weights, unpacked and packed.
    pub weights: &'a [f32],
    /// Sums over each image's channels.
    pub sums: SharedSlice<'a>,
    /// Gradients of weights, one for each group of images.
    pub partial: SharedSlice<'a>,
    scratch: &'a mut [Aligned],
}

impl<'a> Views<'a> {
    /// Creates views of memory that was reserved for a plan.
    pub fn new(plan: &'a Plan, memory: &'a mut Memory) -> Self {
        Self {
            plan,
            arena: memory.arena.shared(),
            scale: &memory.scale,
            offset: &memory.offset,
            slope: &memory.slope,
            constant: &memory.constant,
            weights: memory.weights.values(),
            sums: memory.sums.shared(),
            partial: memory.partial.shared(),
            scratch: &mut memory.scratch,
        }
    }

    /// Returns the scratch memory of each thread.
    pub fn scratch(&mut self) -> Vec<SharedSlice<'_>> {
        self.scratch.iter_mut().map(Aligned::shared).collect()
    }

    fn buffer(&self, buffer: BufferId) -> SharedSlice<'a> {
        self.arena.part(self.plan.buffers[Buffers::index(buffer)].clone())
    }

    /// Returns a buffer as bytes.
    pub fn bytes(&self, buffer: BufferId) -> SharedSlice<'a, u8> {
        self.buffer(buffer).bytes()
    }

    /// Returns the maps of a place.
    pub fn maps(&self, place: Place) -> Maps<'a> {
        let Place { buffer, channel, stride, channels, height, width } = place;
        Maps::new(self.buffer(buffer).after(channel), stride, channels, (height, width))
    }

    /// Returns the images of a place as rows.
    ///
    /// # Panics
    /// If the values of an image do not lie one after another.
    pub fn rows(&self, place: Place) -> ImageRows<'a> {
        let pixels = place.height * place.width;
        assert!(pixels == 1 || place.stride == place.channels, "{place:?} has gaps");
        let values = self.buffer(place.buffer).after(place.channel);
        ImageRows::new(values, pixels * place.stride, pixels * place.channels)
    }

    /// Returns the terms of a layer's input.
    pub fn terms(&self, sources: &Sources) -> Vec<MapsTerm<'a>> {
        let term = |summand: &Summand| {
            let affine = |first: usize| {
                let channels = summand.place.channels;
                (&self.scale[first..][..channels], &self.offset[first..][..channels])
            };
            MapsTerm {
                maps: self.maps(summand.place),
                affine: summand.affine.map(affine),
                relu: summand.relu,
            }
        };
        sources.terms.iter().map(term).collect()
    }

    /// Returns a part for the kernels, with slope and constant if it is `normalised`; `None` if it has no
    /// gradient.
    pub fn part(&self, part: &OutputPart, normalised: bool) -> Option<GradientPart<'a>> {
        let range = part.coefficients..part.coefficients + part.z.channels;
        Some(GradientPart {
            channel: part.channel,
            of: self.maps(part.gradient?),
            z: self.maps(part.z),
            scale: &self.scale[range.clone()],
            offset: &self.offset[range.clone()],
            affine: normalised.then(|| (&self.slope[range.clone()], &self.constant[range])),
            relu: part.relu,
        })
    }
}

/// Returns the sum of terms, optionally rectified.
pub const fn reads<'a>(terms: &'a [MapsTerm<'a>], relu: bool) -> Reads<'a> {
    Reads { terms, relu }
}
