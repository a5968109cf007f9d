//! 3x3 convolutions of stride 1 by Winograd's minimal filtering, F(2x2, 3x3): 16 products where the sum
//! over taps takes 36 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016).
//!
//! For a tile of 2x2 outputs y = A' [(G g G') * (B' d B)] A, with d its 4x4 inputs and g the taps. The
//! gradients are the transposes: of the taps G' [sum (B' d B) * (A dy A')] G, of the input the same
//! convolution with the taps turned around.

use std::ops::Range;

use super::backward::{GradientPart, GradientRows, Towards, part_gradient, weight_inputs};
use super::check::{enough, enough_sums, product};
use super::forward::sum_image;
use super::gather::gather;
use super::maps::{Maps, Reads};
use super::pack::Packing;
use super::shared::SharedSlice;
use super::tile::{ChannelBlock, Put, Row, Tap, put, row};
use super::window::{ConvolutionWindow, Plane};
use crate::simd::{Kernel, Simd};

/// Positions of a transformed tile.
pub const POSITIONS: usize = 16;

/// Tiles that are transformed before they are multiplied: enough to reuse weights from the third-level cache
/// often, and few enough to stay in the second-level cache.
const TILES: usize = 64;

/// Returns true if the algorithm applies and has enough channels to be faster: the transforms cost about as
/// much as the products of twenty channels.
pub const fn pays(window: &ConvolutionWindow) -> bool {
    window.kernel == 3
        && window.stride == 1
        && window.padding <= 1
        && window.inputs >= 32
        && window.outputs >= 32
}

/// The two-dimensional layout of tiles and planes.
#[derive(Clone, Copy)]
struct Layout {
    rows: usize,
    columns: usize,
    /// Images whose planes are gathered at a time.
    together: usize,
}

impl Layout {
    fn new(output: (usize, usize)) -> Self {
        let (rows, columns) = (output.0.div_ceil(2), output.1.div_ceil(2));
        Self { rows, columns, together: TILES.div_ceil(rows * columns) }
    }

    const fn tiles(&self) -> usize {
        self.rows * self.columns
    }

    const fn plane(&self, padding: usize, step: usize) -> Plane {
        Plane {
            rows: 2 * self.rows + 2,
            columns: 2 * self.columns + 2,
            step,
            above: padding,
            left: padding,
        }
    }
}

/// Values from a position of transformed tiles to the next; not a power of two.
const fn position(channels: usize) -> usize {
    product(&[TILES, channels]).saturating_add(16)
}

/// Returns the number of values of scratch memory that a pass needs.
pub fn scratch(window: &ConvolutionWindow, lanes: usize) -> usize {
    let (inputs, outputs) =
        (window.inputs.next_multiple_of(lanes), window.outputs.next_multiple_of(lanes));
    let (forward, back) = (Layout::new(window.output), Layout::new(window.input));
    let together = forward.together.max(back.together);
    let planes = forward.plane(1, inputs).values().saturating_add(back.plane(2, outputs).values());
    // The weights' gradient reads the output's gradient from a plane of the forward layout too.
    let planes = planes.saturating_add(forward.plane(2, outputs).values());
    let tiles = product(&[2, POSITIONS, position(inputs).saturating_add(position(outputs))]);
    product(&[together, planes]).saturating_add(tiles)
}

/// Returns the number of values of the transformed weights: for each position, a packed matrix.
pub const fn values(packing: &Packing) -> usize {
    product(&[POSITIONS, packing.values()])
}

/// The maximum number of outputs of a block.
const WIDEST: usize = 32;

/// Packs a block of transformed weights. `kernel(output, input)` returns a slice that begins with the nine
/// taps of a kernel; `turned` reverses their order.
///
/// # Panics
/// If `to` is shorter than [`values`], or if there is no such block.
///
/// # Safety
/// No other thread touches the block.
pub unsafe fn pack<'w>(
    packing: &Packing,
    block: usize,
    kernel: impl Fn(usize, usize) -> &'w [f32],
    turned: bool,
    to: SharedSlice<'_>,
) {
    assert!(block < packing.count(), "block {block} of {packing:?}");
    enough("packed weights", to.count(), values(packing));
    let span = packing.span(block);
    let mut taps = [[0.0_f32; WIDEST]; 9];
    for input in 0..packing.inputs {
        for lane in 0..span.channels {
            let kernel = &kernel(span.channel + lane, input)[..9];
            for (tap, &value) in kernel.iter().enumerate() {
                taps[if turned { 8 - tap } else { tap }][lane] = value;
            }
        }
        for (index, row) in weight_transform(&taps).iter().enumerate() {
            let at = index * packing.values() + span.at + input * span.width;
            // SAFETY: no other thread touches the block, by this function's contract.
            unsafe { to.write(at..at + span.width).copy_from_slice(&row[..span.width]) };
        }
    }
}

/// G g G' of several kernels, with G = [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1].
fn weight_transform<const N: usize>(g: &[[f32; N]; 9]) -> [[f32; N]; POSITIONS] {
    let one = |a: &[f32; N], b: &[f32; N], c: &[f32; N]| {
        let mut sums = [*a, [0.0; N], [0.0; N], *c];
        for i in 0..N {
            let outer = a[i] + c[i];
            sums[1][i] = 0.5 * (outer + b[i]);
            sums[2][i] = 0.5 * (outer - b[i]);
        }
        sums
    };
    let columns: [[[f32; N]; 4]; 3] = std::array::from_fn(|x| one(&g[x], &g[3 + x], &g[6 + x]));
    let mut transformed = [[0.0; N]; POSITIONS];
    for y in 0..4 {
        let row = one(&columns[0][y], &columns[1][y], &columns[2][y]);
        transformed[4 * y..4 * y + 4].copy_from_slice(&row);
    }
    transformed
}

/// G' m G: from the gradient of transformed taps to that of the taps.
pub fn tap_gradient(m: [f32; POSITIONS]) -> [f32; 9] {
    let one =
        |a: f32, b: f32, c: f32, d: f32| [a + 0.5 * (b + c), 0.5 * (b - c), 0.5 * (b + c) + d];
    let columns: [[f32; 3]; 4] = std::array::from_fn(|x| one(m[x], m[4 + x], m[8 + x], m[12 + x]));
    let mut taps = [0.0; 9];
    for y in 0..3 {
        let row = one(columns[0][y], columns[1][y], columns[2][y], columns[3][y]);
        taps[3 * y..3 * y + 3].copy_from_slice(&row);
    }
    taps
}

/// B' d B of a 4x4 patch, with B' = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1].
///
/// # Safety
/// `from` is the first of 4x4 pixels of the plane, whose steps hold the channels, in whole vectors; `to` takes
/// them at 16 positions, `apart` values apart; the processor has `S`.
#[inline(always)]
unsafe fn input_transform<S: Simd>(
    from: *const f32,
    plane: &Plane,
    channels: usize,
    to: *mut f32,
    apart: usize,
) {
    // SAFETY: the pixels and positions have whole vectors from each `channel` on, by this function's contract.
    unsafe {
        for channel in (0..channels).step_by(S::LANES) {
            let mut d = [[S::zero(); 4]; 4];
            for (y, row) in d.iter_mut().enumerate() {
                for (x, value) in row.iter_mut().enumerate() {
                    *value = S::load(from.add(y * plane.row() + x * plane.step + channel));
                }
            }
            let mut rows = [[S::zero(); 4]; 4];
            for x in 0..4 {
                rows[0][x] = S::sub(d[0][x], d[2][x]);
                rows[1][x] = S::add(d[1][x], d[2][x]);
                rows[2][x] = S::sub(d[2][x], d[1][x]);
                rows[3][x] = S::sub(d[1][x], d[3][x]);
            }
            for (y, r) in rows.iter().enumerate() {
                let to = to.add(4 * y * apart + channel);
                S::store(to, S::sub(r[0], r[2]));
                S::store(to.add(apart), S::add(r[1], r[2]));
                S::store(to.add(2 * apart), S::sub(r[2], r[1]));
                S::store(to.add(3 * apart), S::sub(r[1], r[3]));
            }
        }
    }
}

/// A dy A' of a 2x2 patch, with A' = [1 1 1 0; 0 1 -1 -1].
///
/// # Safety
/// As [`input_transform`], for 2x2 pixels.
#[inline(always)]
unsafe fn gradient_transform<S: Simd>(
    from: *const f32,
    plane: &Plane,
    channels: usize,
    to: *mut f32,
    apart: usize,
) {
    // SAFETY: the pixels and positions have whole vectors from each `channel` on, by this function's contract.
    unsafe {
        let spread = |a: S::V, b: S::V| [a, S::add(a, b), S::sub(a, b), S::sub(S::zero(), b)];
        for channel in (0..channels).step_by(S::LANES) {
            let at =
                |y: usize, x: usize| S::load(from.add(y * plane.row() + x * plane.step + channel));
            let (left, right) = (spread(at(0, 0), at(1, 0)), spread(at(0, 1), at(1, 1)));
            for y in 0..4 {
                let row = spread(left[y], right[y]);
                for (x, value) in row.into_iter().enumerate() {
                    S::store(to.add((4 * y + x) * apart + channel), value);
                }
            }
        }
    }
}

/// The target of a tile's outputs.
#[derive(Clone, Copy)]
struct Outputs<'a> {
    to: Maps<'a>,
    add: bool,
    positive: Option<Maps<'a>>,
}

/// A' m A, into the pixels of a tile that are within the image.
///
/// # Safety
/// `from` has the channels of `to`, in whole vectors, at 16 positions, `apart` values apart; the kernel's check
/// has found the image in `to` and in `positive`; the processor has `S`.
#[inline(always)]
unsafe fn output_transform<S: Simd>(
    (from, apart): (*const f32, usize),
    outputs: &Outputs<'_>,
    image: usize,
    (row, column): (usize, usize),
) {
    let to = &outputs.to;
    let (height, width) = to.size();
    // SAFETY: pixels outside the image are left out, and the lanes are within the channels; the rest is this
    // function's contract.
    unsafe {
        for channel in (0..to.channels()).step_by(S::LANES) {
            let lanes = (to.channels() - channel).min(S::LANES);
            let mut m = [[S::zero(); 4]; 4];
            for (y, values) in m.iter_mut().enumerate() {
                for (x, value) in values.iter_mut().enumerate() {
                    *value = S::load(from.add((4 * y + x) * apart + channel));
                }
            }
            let mut rows = [[S::zero(); 4]; 2];
            for x in 0..4 {
                rows[0][x] = S::add(S::add(m[0][x], m[1][x]), m[2][x]);
                rows[1][x] = S::sub(S::sub(m[1][x], m[2][x]), m[3][x]);
            }
            for (y, r) in rows.iter().enumerate() {
                let pair = [S::add(S::add(r[0], r[1]), r[2]), S::sub(S::sub(r[1], r[2]), r[3])];
                for (x, value) in pair.into_iter().enumerate() {
                    let (y, x) = (2 * row + y, 2 * column + x);
                    if y >= height || x >= width {
                        continue;
                    }
                    let pixel = (image * height + y) * width + x;
                    let positive = match &outputs.positive {
                        None => std::ptr::null(),
                        Some(of) => of.pixel(pixel).add(channel).cast_const(),
                    };
                    let at = to.pixel(pixel).add(channel);
                    if lanes == S::LANES {
                        put::<S, true>(outputs.add, positive, at, value, lanes);
                    } else {
                        put::<S, false>(outputs.add, positive, at, value, lanes);
                    }
                }
            }
        }
    }
}

/// Calls back for each tile of gathered planes with its index in the chunk, its slot, row and column.
#[inline(always)]
fn tiles(layout: &Layout, chunk: Range<usize>, mut each: impl FnMut(usize, usize, usize, usize)) {
    for (index, tile) in chunk.enumerate() {
        let (slot, tile) = (tile / layout.tiles(), tile % layout.tiles());
        each(index, slot, tile / layout.columns, tile % layout.columns);
    }
}

/// Multiplies a chunk of transformed tiles with packed weights, position by position.
///
/// # Safety
/// `from` has the packing's inputs, and `to` takes its outputs, for each of at most [`TILES`] tiles, a step apart,
/// at each position, [`position`] of the step apart; `weights` are [`values`] values, packed for the lanes of
/// `S`; the processor has `S`.
#[inline(always)]
unsafe fn multiply<S: Simd>(
    (from, from_step): (*const f32, usize),
    packing: &Packing,
    weights: *const f32,
    (to, to_step): (*mut f32, usize),
    tiles: usize,
) {
    let taps = [Tap { from: 0, weights: 0 }];
    let put = Put { add: false, positive: std::ptr::null(), positive_step: 0 };
    for index in 0..POSITIONS {
        // SAFETY: `index` is one of the positions, and the block one of the packing's; the rest is this
        // function's contract.
        unsafe {
            let from = from.add(index * position(from_step));
            let to = to.add(index * position(to_step));
            let weights = weights.add(index * packing.values());
            let tiles = Row { from, from_step, to, to_step, pixels: tiles, put };
            for block in 0..packing.count() {
                let span = packing.span(block);
                let weights = weights.add(span.at);
                let (channel, channels) = (span.channel, span.channels);
                let inputs = packing.inputs;
                row::<S>(&tiles, &ChannelBlock { taps: &taps, inputs, weights, channel, channels });
            }
        }
    }
}

/// The forward pass for some images.
pub struct WinogradForward<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The input.
    pub reads: Reads<'a>,
    /// The layout of the packed weights of each position.
    pub packing: Packing,
    /// The transformed weights.
    pub weights: &'a [f32],
    /// The output.
    pub to: Maps<'a>,
    /// The sums of each image, as in [`Forward::sums`](super::Forward::sums); none if they are not needed.
    pub sums: Option<SharedSlice<'a>>,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: SharedSlice<'a>,
}

/// Checks that the algorithm applies to a window: a 3x3 kernel of stride 1, whose padded input the outputs'
/// tiles cover.
fn check_window(window: &ConvolutionWindow) {
    window.check();
    let covered = |input: usize, output: usize| output + 2 == input + 2 * window.padding;
    let applies = window.kernel == 3
        && window.stride == 1
        && window.padding <= 1
        && covered(window.input.0, window.output.0)
        && covered(window.input.1, window.output.1);
    assert!(applies, "minimal filtering of {window:?}");
}

impl Kernel for WinogradForward<'_> {
    fn check(&self, lanes: usize) {
        let window = self.window;
        let (inputs, outputs) = (window.inputs, window.outputs);
        check_window(window);
        let wanted = Packing { taps: 1, inputs, outputs, lanes };
        self.packing.check(&wanted, POSITIONS, self.weights.len());
        self.reads.check(inputs, window.input, &self.images);
        self.to.check("output", outputs, window.output, &self.images);
        assert!(self.to.channels() == outputs, "{} outputs of {outputs}", self.to.channels());
        if let Some(sums) = self.sums {
            enough_sums(sums.count(), outputs, &self.images);
        }
        enough("scratch memory", self.scratch.count(), scratch(window, lanes));
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let layout = Layout::new(self.window.output);
        let inputs = self.window.inputs.next_multiple_of(S::LANES);
        let plane = layout.plane(self.window.padding, inputs);
        // SAFETY: `scratch` holds `together` planes and both kinds of transformed tiles, a slot is below
        // `together`, and the 4x4 pixels of each tile are within the plane; the check has found the images.
        unsafe {
            let planes = self.scratch.pointer();
            let transformed = planes.add(layout.together * plane.values());
            let products = transformed.add(POSITIONS * position(inputs));
            std::ptr::write_bytes(planes, 0, layout.together * plane.values());
            let mut image = self.images.start;
            while image < self.images.end {
                let count = layout.together.min(self.images.end - image);
                for slot in 0..count {
                    let to = planes.add(slot * plane.values());
                    read::<S>(&self.reads, self.window, &plane, image + slot, to);
                }
                for first in (0..count * layout.tiles()).step_by(TILES) {
                    let chunk = first..(first + TILES).min(count * layout.tiles());
                    tiles(&layout, chunk.clone(), |index, slot, row, column| {
                        let at =
                            slot * plane.values() + (2 * row * plane.columns + 2 * column) * inputs;
                        let to = transformed.add(index * inputs);
                        input_transform::<S>(planes.add(at), &plane, inputs, to, position(inputs));
                    });
                    self.write_chunk::<S>(&layout, (image, chunk), transformed, products);
                }
                self.sum_images::<S>(image..image + count);
                image += count;
            }
        }
    }
}

impl WinogradForward<'_> {
    /// Multiplies transformed tiles with the weights and writes the outputs of a chunk; its slots begin
    /// at an image.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`, and found the images of the chunk's slots; there are at most
    /// [`TILES`] tiles, for which `transformed` has all inputs, and `products` takes all outputs, in whole
    /// vectors, at each position; the processor has `S`.
    #[inline(always)]
    unsafe fn write_chunk<S: Simd>(
        &self,
        layout: &Layout,
        (image, chunk): (usize, Range<usize>),
        transformed: *const f32,
        products: *mut f32,
    ) {
        let inputs = self.window.inputs.next_multiple_of(S::LANES);
        let outputs = self.window.outputs.next_multiple_of(S::LANES);
        let written = Outputs { to: self.to, add: false, positive: None };
        // SAFETY: `multiply` gets the inputs and outputs of this function's contract, and writes the products
        // that the transform reads.
        unsafe {
            let (from, to) = ((transformed, inputs), (products, outputs));
            multiply::<S>(from, &self.packing, self.weights.as_ptr(), to, chunk.len());
            tiles(layout, chunk, |index, slot, row, column| {
                let from = (products.add(index * outputs).cast_const(), position(outputs));
                output_transform::<S>(from, &written, image + slot, (row, column));
            });
        }
    }

    /// Sums the outputs of images for the statistics, if they are wanted.
    ///
    /// # Safety
    /// The check has found the images; the processor has `S`.
    #[inline(always)]
    unsafe fn sum_images<S: Simd>(&self, images: Range<usize>) {
        let Some(sums) = self.sums else { return };
        for image in images {
            // SAFETY: the check has found the image in `to`, and its sums.
            unsafe {
                let sums = sums.pointer().add(image * 2 * self.to.channels());
                sum_image::<S>(&self.to, image, sums);
            }
        }
    }
}

/// Gathers an image into a plane, and leaves the zeros around it unchanged.
///
/// # Safety
/// As [`read_plane`](super::forward::read_plane).
#[inline(always)]
unsafe fn read<S: Simd>(
    reads: &Reads<'_>,
    window: &ConvolutionWindow,
    plane: &Plane,
    image: usize,
    to: *mut f32,
) {
    let (height, width) = window.input;
    for y in 0..height {
        // SAFETY: row `y` of the image is inside the plane, by this function's contract.
        unsafe {
            let to = to.add(plane.at(y, 0));
            gather::<S>(reads, window.inputs, (image, y * width), width, to, plane.step);
        }
    }
}

/// The gradients of the input and of the weights for some images.
pub struct WinogradBackward<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The input of the forward pass.
    pub reads: Reads<'a>,
    /// The output channels and their gradients.
    pub parts: &'a [GradientPart<'a>],
    /// The layout of the packed weights of each position, for the input's gradient.
    pub packing: Packing,
    /// The transformed weights for the input's gradient.
    pub weights: &'a [f32],
    /// The target of the input's gradient; none if it is not needed.
    pub towards: Option<Towards<'a>>,
    /// The gradient of the transformed weights: positions x inputs x outputs, with the outputs padded to
    /// whole vectors.
    pub gradient: SharedSlice<'a>,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: SharedSlice<'a>,
}

/// The scratch memory of both gradients, by what lies in it.
struct Scratch {
    /// The layout of tiles over outputs, for the weights' gradient.
    forward: Layout,
    /// The layout of tiles over inputs, for the input's gradient.
    back: Layout,
    /// Images whose planes are gathered at a time.
    together: usize,
    /// Input and output channels in whole vectors.
    inputs: usize,
    outputs: usize,
    input_plane: Plane,
    output_plane: Plane,
    input_planes: *mut f32,
    output_planes: *mut f32,
    input_tiles: *mut f32,
    output_tiles: *mut f32,
}

impl Scratch {
    /// Divides scratch memory of [`scratch`] values.
    ///
    /// # Panics
    /// If `memory` does not hold so many.
    #[inline(always)]
    fn new<S: Simd>(window: &ConvolutionWindow, memory: SharedSlice<'_>) -> Self {
        let (forward, back) = (Layout::new(window.output), Layout::new(window.input));
        let together = forward.together.max(back.together);
        let inputs = window.inputs.next_multiple_of(S::LANES);
        let outputs = window.outputs.next_multiple_of(S::LANES);
        let input_plane = forward.plane(window.padding, inputs);
        let (rows, columns) = (forward.rows.max(back.rows), forward.columns.max(back.columns));
        let output_plane = Layout { rows, columns, together }.plane(2 - window.padding, outputs);
        let mut left = memory;
        let mut take = |values: usize| {
            let taken = left.part(0..values);
            left = left.after(values);
            taken.pointer()
        };
        Self {
            forward,
            back,
            together,
            inputs,
            outputs,
            input_plane,
            output_plane,
            input_planes: take(together * input_plane.values()),
            output_planes: take(together * output_plane.values()),
            input_tiles: take(POSITIONS * position(inputs)),
            output_tiles: take(POSITIONS * position(outputs)),
        }
    }

    /// The values of a slot's output plane from an offset on.
    ///
    /// # Safety
    /// The slot is below `together`, and the offset within the plane.
    #[inline(always)]
    unsafe fn output_values(&self, slot: usize, at: usize) -> *const f32 {
        // SAFETY: there are `together` planes.
        unsafe { self.output_planes.add(slot * self.output_plane.values() + at).cast_const() }
    }
}

impl Kernel for WinogradBackward<'_> {
    fn check(&self, lanes: usize) {
        let window = self.window;
        let (inputs, outputs) = (window.inputs, window.outputs);
        check_window(window);
        self.reads.check(inputs, window.input, &self.images);
        for part in self.parts {
            part.check_within(window, &self.images);
        }
        if let Some(towards) = &self.towards {
            let wanted = Packing { taps: 1, inputs: outputs, outputs: inputs, lanes };
            self.packing.check(&wanted, POSITIONS, self.weights.len());
            towards.check(window, &self.images);
            let own = towards.maps.channels();
            assert!(own == inputs, "a gradient of {own} inputs of {inputs}");
        }
        let needed = product(&[POSITIONS, inputs, outputs.next_multiple_of(lanes)]);
        enough("gradient of the weights", self.gradient.count(), needed);
        enough("scratch memory", self.scratch.count(), scratch(window, lanes));
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let scratch = Scratch::new::<S>(self.window, self.scratch);
        let slots = scratch.together.min(self.images.len());
        let gradients = POSITIONS * self.window.inputs * scratch.outputs;
        // SAFETY: `scratch` has `together` planes of both kinds, and a slot is below `together`; the check has
        // found the images, and so many values in `gradient`.
        unsafe {
            std::ptr::write_bytes(scratch.input_planes, 0, slots * scratch.input_plane.values());
            std::ptr::write_bytes(scratch.output_planes, 0, slots * scratch.output_plane.values());
            std::ptr::write_bytes(self.gradient.pointer(), 0, gradients);
            let mut image = self.images.start;
            while image < self.images.end {
                let count = scratch.together.min(self.images.end - image);
                for slot in 0..count {
                    self.read_planes::<S>(&scratch, image, slot);
                }
                self.weight_gradient::<S>(&scratch, count);
                if let Some(towards) = &self.towards {
                    self.input_gradient::<S>(&scratch, towards, image, count);
                }
                image += count;
            }
        }
    }
}

impl WinogradBackward<'_> {
    /// Gathers the inputs of an image and the gradient of its outputs; `image` is that of slot 0.
    ///
    /// # Safety
    /// The check has found the slot's image, and the slot is below `together`; the processor has `S`.
    #[inline(always)]
    unsafe fn read_planes<S: Simd>(&self, scratch: &Scratch, image: usize, slot: usize) {
        let Scratch { input_plane, output_plane, .. } = scratch;
        let (height, width) = self.window.output;
        // SAFETY: the slot has a plane of each kind, as large as the image with its padding, and the parts'
        // channels are within its steps.
        unsafe {
            let to = scratch.input_planes.add(slot * input_plane.values());
            read::<S>(&self.reads, self.window, input_plane, image + slot, to);
            let to = scratch.output_planes.add(slot * output_plane.values());
            for y in 0..height {
                for part in self.parts {
                    let at = to.add(output_plane.at(y, 0) + part.channel);
                    let place = (image + slot, y * width);
                    part_gradient::<S, false>(part, place, width, at, scratch.outputs);
                }
            }
        }
    }

    /// Adds the gradient of the transformed weights over the first slots.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`, and the planes of the slots were read; the processor has
    /// `S`.
    #[inline(always)]
    unsafe fn weight_gradient<S: Simd>(&self, scratch: &Scratch, slots: usize) {
        let Scratch { forward, inputs, outputs, input_plane, output_plane, .. } = scratch;
        let (inputs, outputs) = (*inputs, *outputs);
        for first in (0..slots * forward.tiles()).step_by(TILES) {
            let chunk = first..(first + TILES).min(slots * forward.tiles());
            // SAFETY: a tile's pixels are within both planes of its slot, which were read, and a chunk has as
            // many tiles as the transformed ones have room for.
            unsafe {
                tiles(forward, chunk.clone(), |index, slot, row, column| {
                    let at = (2 * row * input_plane.columns + 2 * column) * inputs;
                    let from = scratch.input_planes.add(slot * input_plane.values() + at);
                    let to = scratch.input_tiles.add(index * inputs);
                    input_transform::<S>(from, input_plane, inputs, to, position(inputs));
                    let from = scratch.output_values(slot, output_plane.at(2 * row, 2 * column));
                    let to = scratch.output_tiles.add(index * outputs);
                    gradient_transform::<S>(from, output_plane, outputs, to, position(outputs));
                });
                self.add_weights::<S>(scratch.input_tiles, scratch.output_tiles, chunk.len());
            }
        }
    }

    /// Writes the input's gradient of the first slots; `image` is that of slot 0.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`, and found the slots' images in the target; the planes of
    /// the slots were read; the processor has `S`.
    #[inline(always)]
    unsafe fn input_gradient<S: Simd>(
        &self,
        scratch: &Scratch,
        towards: &Towards<'_>,
        image: usize,
        slots: usize,
    ) {
        let Scratch { back, inputs, outputs, output_plane, .. } = scratch;
        let (inputs, outputs) = (*inputs, *outputs);
        let Towards { maps: to, add, positive } = *towards;
        let written = Outputs { to, add, positive };
        for first in (0..slots * back.tiles()).step_by(TILES) {
            let chunk = first..(first + TILES).min(slots * back.tiles());
            // SAFETY: a tile's pixels are within the plane of its slot, and a chunk has as many tiles as there is room
            // for; `multiply` reads the gradient's tiles and writes those that the output's
            // transform reads, and the check has found the images in the target.
            unsafe {
                tiles(back, chunk.clone(), |index, slot, row, column| {
                    let at = (2 * row * output_plane.columns + 2 * column) * outputs;
                    let from = scratch.output_values(slot, at);
                    let to = scratch.output_tiles.add(index * outputs);
                    input_transform::<S>(from, output_plane, outputs, to, position(outputs));
                });
                let from = (scratch.output_tiles.cast_const(), outputs);
                let to = (scratch.input_tiles, inputs);
                multiply::<S>(from, &self.packing, self.weights.as_ptr(), to, chunk.len());
                tiles(back, chunk, |index, slot, row, column| {
                    let from = scratch.input_tiles.add(index * inputs).cast_const();
                    let from = (from, position(inputs));
                    output_transform::<S>(from, &written, image + slot, (row, column));
                });
            }
        }
    }

    /// Adds the products of transformed inputs and gradients, position by position.
    ///
    /// # Safety
    /// The check has found `gradient`, with the lanes of `S`; both hold `count` transformed tiles; the processor
    /// has `S`.
    #[inline(always)]
    unsafe fn add_weights<S: Simd>(
        &self,
        input_tiles: *const f32,
        output_tiles: *const f32,
        count: usize,
    ) {
        let inputs = self.window.inputs;
        let (input_step, outputs) =
            (inputs.next_multiple_of(S::LANES), self.window.outputs.next_multiple_of(S::LANES));
        for index in 0..POSITIONS {
            let mut output = 0;
            while output < outputs {
                let vectors = ((outputs - output) / S::LANES).min(2);
                // SAFETY: the tiles have the inputs, and the vectors from `output` on, at each position, and the
                // check has found as many values in `gradient`.
                unsafe {
                    let rows = GradientRows {
                        from: input_tiles.add(index * position(input_step)),
                        from_row: 0,
                        from_step: input_step,
                        gradient: output_tiles.add(index * position(outputs) + output),
                        gradient_row: 0,
                        gradient_step: outputs,
                        rows: 1,
                        pixels: count,
                    };
                    let to = self.gradient.pointer().add(index * inputs * outputs + output);
                    weight_inputs::<S>(&rows, vectors, inputs, outputs, to);
                }
                output += vectors * S::LANES;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::maps::MapsTerm;
    use super::super::testing::{maps, needs_each, refuses};
    use super::*;
    use crate::simd::Portable;

    const SIZE: (usize, usize) = (5, 4);
    const WINDOW: ConvolutionWindow = ConvolutionWindow {
        kernel: 3,
        stride: 1,
        padding: 1,
        input: SIZE,
        output: SIZE,
        inputs: 5,
        outputs: 9,
    };

    #[test]
    fn short_memory_of_minimal_filtering_is_refused() {
        let check = |values: [usize; 5], window: ConvolutionWindow, lanes: usize| {
            let [from, to, sums, weights, memory] = values.map(|count| vec![0.0; count]);
            let (mut from, mut to, mut sums, mut memory) = (from, to, sums, memory);
            let terms = [MapsTerm::plain(maps(&mut from, 5, SIZE))];
            WinogradForward {
                window: &window,
                reads: Reads { terms: &terms, relu: false },
                packing: Packing { taps: 1, inputs: 5, outputs: 9, lanes },
                weights: &weights,
                to: maps(&mut to, 9, SIZE),
                sums: Some(SharedSlice::new(&mut sums)),
                images: 1..2,
                scratch: SharedSlice::new(&mut memory),
            }
            .check(8);
        };
        let enough = [200, 360, 36, 16 * 5 * 16, scratch(&WINDOW, 8)];
        let messages =
            ["input: 199", "output: 359", "sums: 35", "packed weights: 1279", "scratch memory: "];
        needs_each(enough, messages, |values| check(values, WINDOW, 8));
        refuses("the packed weights are", || check(enough, WINDOW, 16));
        let strided = ConvolutionWindow { stride: 2, output: (3, 2), ..WINDOW };
        for window in [strided, ConvolutionWindow { output: (4, 4), ..WINDOW }] {
            refuses("minimal filtering of", || check(enough, window, 8));
        }
    }

    #[test]
    fn short_memory_of_filtered_gradients_is_refused() {
        let check = |values: [usize; 6]| {
            let [from, of, weights, towards, gradient, memory] =
                values.map(|count| vec![0.0; count]);
            let (mut from, mut of, mut towards) = (from, of, towards);
            let (mut gradient, mut memory) = (gradient, memory);
            let terms = [MapsTerm::plain(maps(&mut from, 5, SIZE))];
            let of = maps(&mut of, 9, SIZE);
            let (scale, offset) = (&weights[..9], &weights[..9]);
            let affine = None;
            let parts = [GradientPart { channel: 0, of, z: of, scale, offset, affine, relu: true }];
            let to = maps(&mut towards, 5, SIZE);
            WinogradBackward {
                window: &WINDOW,
                reads: Reads { terms: &terms, relu: false },
                parts: &parts,
                packing: Packing { taps: 1, inputs: 9, outputs: 5, lanes: 8 },
                weights: &weights,
                towards: Some(Towards { maps: to, add: true, positive: None }),
                gradient: SharedSlice::new(&mut gradient),
                images: 1..2,
                scratch: SharedSlice::new(&mut memory),
            }
            .check(8);
        };
        let enough = [200, 360, 16 * 9 * 8, 200, 16 * 5 * 16, scratch(&WINDOW, 8)];
        let messages = [
            "input: 199",
            "the layer's values: 359",
            "packed weights: 1151",
            "gradient of the input: 199",
            "gradient of the weights: 1279",
            "scratch memory: ",
        ];
        needs_each(enough, messages, check);
    }

    #[test]
    fn scratch_memory_holds_what_it_is_divided_into() {
        for (size, padding) in [((9, 9), 1), ((8, 6), 1), ((5, 7), 0), ((32, 3), 0), ((1, 1), 1)] {
            let output = (size.0 + 2 * padding - 2, size.1 + 2 * padding - 2);
            let window = ConvolutionWindow { input: size, output, padding, ..WINDOW };
            check_window(&window);
            let mut memory = vec![0.0; scratch(&window, Portable::LANES)];
            Scratch::new::<Portable>(&window, SharedSlice::new(&mut memory));
        }
    }

    #[test]
    fn weights_are_packed_within_their_memory() {
        let packing = Packing { taps: 1, inputs: 2, outputs: 20, lanes: 8 };
        let mut to = vec![0.0; values(&packing)];
        let to = SharedSlice::new(&mut to);
        let pack = |block: usize, to: SharedSlice<'_>| {
            // SAFETY: there is one thread.
            unsafe { pack(&packing, block, |_, _| &[1.0; 9], false, to) };
        };
        pack(0, to);
        pack(1, to);
        refuses("block 2 of", || pack(2, to));
        refuses("packed weights: 767 values where 768", || pack(0, to.after(1)));
    }

    #[test]
    fn the_transforms_are_each_others_adjoints() {
        // <G g G', m> = <g, G' m G>
        let g: [f32; 9] = std::array::from_fn(|i| (i as f32 * 1.7).sin());
        let m: [f32; POSITIONS] = std::array::from_fn(|i| (i as f32 * 0.9).cos());
        let transformed = weight_transform(&g.map(|tap| [tap]));
        let left: f32 = transformed.iter().zip(m).map(|(a, b)| a[0] * b).sum();
        let right: f32 = g.iter().zip(tap_gradient(m)).map(|(a, b)| a * b).sum();
        assert!((left - right).abs() < 1e-5, "{left} {right}");
    }
}
