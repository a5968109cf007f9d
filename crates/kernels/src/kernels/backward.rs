//! The backward pass of convolutions: gradients of the input and of the weights.

use std::ops::Range;

use super::forward::read_plane;
use super::gather::{Pixels, gather, load, store};
use super::maps::{Maps, Reads};
use super::pack::Packing;
use super::tile::{ChannelBlock, Put, Row, Tap, row};
use super::window::{Class, ConvolutionWindow};
use crate::simd::{Kernel, Simd};

/// The output channels of a convolution that belong to one layer, and the gradient of the layer's output.
///
/// With g the gradient `of` the layer's output, set to 0 where the rectifier's input is not positive, the
/// gradient of the convolution's output z is scale g + slope z + constant.
#[derive(Clone, Copy, Debug)]
pub struct GradientPart {
    /// The first channel within the convolution's output.
    pub channel: usize,
    /// The gradient of the layer's output.
    pub of: Maps,
    /// The convolution's output, the part's channels alone.
    pub z: Maps,
    /// The scale of each channel, as in the forward pass.
    pub scale: *const f32,
    /// The offset of each channel, as in the forward pass.
    pub offset: *const f32,
    /// The slope of each channel; null without normalization, when slope and constant are 0.
    pub slope: *const f32,
    /// The constant of each channel; null if `slope` is.
    pub constant: *const f32,
    /// True if the layer has a rectifier.
    pub relu: bool,
}

// SAFETY: as for `Maps`.
unsafe impl Send for GradientPart {}
// SAFETY: as for `Maps`.
unsafe impl Sync for GradientPart {}

/// The target of the input's gradient.
#[derive(Clone, Copy, Debug)]
pub struct Towards {
    /// The input's gradient.
    pub maps: Maps,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The input before a rectifier, if the convolution has one on its input.
    pub positive: Option<Maps>,
}

/// Gradients of some images of a batch.
pub struct Backward<'a> {
    /// The geometry.
    pub window: &'a ConvolutionWindow,
    /// The window's taps, [`ConvolutionWindow::taps`].
    pub taps: &'a [Tap],
    /// Inputs of a tap.
    pub tap_inputs: usize,
    /// The classes of input pixels, [`ConvolutionWindow::classes`].
    pub classes: &'a [Class],
    /// The input of the forward pass.
    pub reads: Reads<'a>,
    /// The output channels and their gradients.
    pub parts: &'a [GradientPart],
    /// The layout of the packed weights for the input's gradient.
    pub packing: Packing,
    /// The weights for the input's gradient.
    pub weights: *const f32,
    /// The target of the input's gradient; none if it is not needed.
    pub towards: Option<Towards>,
    /// The weights' gradient of these images: taps x inputs x outputs, with the outputs padded to whole
    /// vectors.
    pub gradient: *mut f32,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: *mut f32,
}

/// Weights up to this many bytes stay in the second-level cache from one image to the next.
const SMALL_WEIGHTS: usize = 600_000;

/// Images whose gradients are multiplied with a block of weights before the next block.
const TOGETHER: usize = 4;

/// Values of input and gradient whose rows are processed together, so that they stay in the first-level
/// cache.
const ROW_BLOCK: usize = 20_000;

fn together(window: &ConvolutionWindow) -> usize {
    if window.weights() * size_of::<f32>() > SMALL_WEIGHTS { TOGETHER } else { 1 }
}

/// Returns the number of pixels of a matrix product that are processed together.
fn points(window: &ConvolutionWindow) -> usize {
    let fitting = 10_000 / (window.inputs + window.outputs);
    fitting.next_multiple_of(16).clamp(64, 512)
}

/// Returns the number of values of scratch memory that the backward pass of a window needs.
pub fn scratch(window: &ConvolutionWindow, lanes: usize) -> usize {
    if window.is_pointwise() {
        points(window) * (window.inputs + window.outputs.next_multiple_of(lanes))
    } else {
        let planes = window.input_plane().values() + window.gradient_plane(lanes).values();
        together(window) * planes
    }
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's.
        unsafe {
            let outputs = self.window.outputs.next_multiple_of(S::LANES);
            let weights = self.window.kernel * self.window.kernel * self.window.inputs * outputs;
            std::ptr::write_bytes(self.gradient, 0, weights);
            if self.window.is_pointwise() {
                self.points::<S>();
            } else {
                self.planes::<S>();
            }
        }
    }
}

impl Backward<'_> {
    #[inline(always)]
    unsafe fn points<S: Simd>(&self) {
        let inputs = self.window.inputs;
        let outputs = self.window.outputs.next_multiple_of(S::LANES);
        // SAFETY: the caller's; pixels of consecutive images are consecutive.
        unsafe {
            let stored = self.reads.stored();
            let pixels = self.window.input.0 * self.window.input.1;
            let at_a_time = points(self.window);
            let gathered = self.scratch.add(at_a_time * outputs);
            std::ptr::write_bytes(self.scratch, 0, at_a_time * outputs);
            let (mut first, end) = (self.images.start * pixels, self.images.end * pixels);
            while first < end {
                let count = at_a_time.min(end - first);
                self.output_gradient::<S>((0, first), count, self.scratch, outputs);
                let (from, from_step) = match stored {
                    Some(maps) => (maps.at.add(first * maps.stride).cast_const(), maps.stride),
                    None => {
                        gather::<S>(&self.reads, inputs, (0, first), count, gathered, inputs);
                        (gathered.cast_const(), inputs)
                    }
                };
                let rows = GradientRows {
                    from,
                    from_row: 0,
                    from_step,
                    gradient: self.scratch,
                    gradient_row: 0,
                    gradient_step: outputs,
                    rows: 1,
                    pixels: count,
                };
                weight_gradient::<S>(&rows, self.window, self.taps, self.tap_inputs, self.gradient);
                if let Some(towards) = &self.towards {
                    let (from, taps) =
                        ((self.scratch.cast_const(), outputs), &self.classes[0].taps);
                    let to = TargetRow { towards, pixel: first, apart: 1, count };
                    for index in 0..self.packing.count() {
                        self.input_gradient::<S>(index, taps, from, &to);
                    }
                }
                first += count;
            }
        }
    }

    #[inline(always)]
    unsafe fn planes<S: Simd>(&self) {
        let window = self.window;
        let (input, output) = (window.input_plane(), window.gradient_plane(S::LANES));
        let together = together(window);
        // SAFETY: the caller's; `scratch` holds that many planes of both kinds.
        unsafe {
            let slots = together.min(self.images.len());
            let (outputs, inputs) = (self.scratch, self.scratch.add(together * output.values()));
            std::ptr::write_bytes(outputs, 0, slots * output.values());
            std::ptr::write_bytes(inputs, 0, slots * input.values());
            let mut image = self.images.start;
            while image < self.images.end {
                let count = together.min(self.images.end - image);
                for slot in 0..count {
                    let to = outputs.add(slot * output.values());
                    let (height, width) = window.output;
                    for y in 0..height {
                        let at = to.add(output.at(y, 0));
                        self.output_gradient::<S>(
                            (image + slot, y * width),
                            width,
                            at,
                            output.step,
                        );
                    }
                    let to = inputs.add(slot * input.values());
                    read_plane::<S>(&self.reads, window, &input, image + slot, to);
                }
                for slot in 0..count {
                    self.plane_weights::<S>(
                        inputs.add(slot * input.values()),
                        outputs.add(slot * output.values()),
                    );
                }
                if let Some(towards) = &self.towards {
                    for index in 0..self.packing.count() {
                        for slot in 0..count {
                            let from = outputs.add(slot * output.values());
                            self.plane_inputs::<S>(index, from, towards, image + slot);
                        }
                    }
                }
                image += count;
            }
        }
    }

    /// Adds an image's gradient of the weights to the total.
    #[inline(always)]
    unsafe fn plane_weights<S: Simd>(&self, input: *const f32, output: *const f32) {
        let window = self.window;
        let (from, to) = (window.input_plane(), window.gradient_plane(S::LANES));
        let (height, width) = window.output;
        let values = width * (window.inputs * window.stride * window.stride + window.outputs);
        let at_a_time = (ROW_BLOCK / values).clamp(2, height.max(2));
        for first in (0..height).step_by(at_a_time) {
            // SAFETY: the rows are inside the planes.
            unsafe {
                let rows = GradientRows {
                    from: input.add(first * window.stride * from.row()),
                    from_row: window.stride * from.row(),
                    from_step: window.stride * from.step,
                    gradient: output.add(to.at(first, 0)),
                    gradient_row: to.row(),
                    gradient_step: to.step,
                    rows: at_a_time.min(height - first),
                    pixels: width,
                };
                weight_gradient::<S>(&rows, window, self.taps, self.tap_inputs, self.gradient);
            }
        }
    }

    /// Computes one block of channels of an image's gradient of the input.
    #[inline(always)]
    unsafe fn plane_inputs<S: Simd>(
        &self,
        index: usize,
        output: *const f32,
        towards: &Towards,
        image: usize,
    ) {
        let window = self.window;
        let plane = window.gradient_plane(S::LANES);
        for class in self.classes {
            for j in 0..class.size.0 {
                let y = class.first.0 + j * window.stride;
                let pixel = (image * window.input.0 + y) * window.input.1 + class.first.1;
                // SAFETY: the row is inside the plane, its taps too.
                unsafe {
                    let from = (output.add(j * plane.row()), plane.step);
                    let to =
                        TargetRow { towards, pixel, apart: window.stride, count: class.size.1 };
                    self.input_gradient::<S>(index, &class.taps, from, &to);
                }
            }
        }
    }

    /// Computes one block of channels of the input's gradient for `count` pixels, which start at `pixel` and
    /// are `apart` pixels apart.
    #[inline(always)]
    unsafe fn input_gradient<S: Simd>(
        &self,
        index: usize,
        taps: &[Tap],
        (from, from_step): (*const f32, usize),
        row_to: &TargetRow<'_>,
    ) {
        let TargetRow { towards, pixel, apart, count } = *row_to;
        let span = self.packing.span(index);
        let maps = towards.maps;
        // SAFETY: the caller's.
        unsafe {
            let put = match towards.positive {
                None => Put { add: towards.add, positive: std::ptr::null(), positive_step: 0 },
                Some(of) => Put {
                    add: towards.add,
                    positive: of.at.add(pixel * of.stride),
                    positive_step: apart * of.stride,
                },
            };
            let to = maps.at.add(pixel * maps.stride);
            let to_step = apart * maps.stride;
            let block = ChannelBlock {
                taps,
                inputs: self.window.outputs,
                weights: self.weights.add(span.at),
                channel: span.channel,
                channels: span.channels,
            };
            row::<S>(&Row { from, from_step, to, to_step, pixels: count, put }, &block);
        }
    }

    /// Writes the gradient of consecutive pixels of the convolution's output.
    #[inline(always)]
    unsafe fn output_gradient<S: Simd>(
        &self,
        place: (usize, usize),
        count: usize,
        to: *mut f32,
        step: usize,
    ) {
        for part in self.parts {
            // SAFETY: the part's channels are within the pixel.
            unsafe { part_gradient::<S, false>(part, place, count, to.add(part.channel), step) };
        }
    }
}

/// A row of pixels of the input's gradient.
struct TargetRow<'a> {
    towards: &'a Towards,
    /// The first pixel, among those of all images.
    pixel: usize,
    /// Pixels from one to the next.
    apart: usize,
    count: usize,
}

/// Writes the gradient of consecutive pixels of a part of a convolution's output, or adds it to the values
/// there.
///
/// # Safety
/// The pixels are within the part's maps, `to` takes `count` pixels `step` apart, the processor has `S`.
#[inline(always)]
pub unsafe fn part_gradient<S: Simd, const ADD: bool>(
    part: &GradientPart,
    place: (usize, usize),
    count: usize,
    to: *mut f32,
    step: usize,
) {
    let mut channel = 0;
    while channel < part.z.channels {
        let lanes = (part.z.channels - channel).min(S::LANES);
        // SAFETY: the caller's.
        unsafe {
            let pixels = Pixels { to: to.add(channel), count, step, lanes };
            if lanes == S::LANES {
                part_block::<S, true, ADD>(part, channel, place, pixels);
            } else {
                part_block::<S, false, ADD>(part, channel, place, pixels);
            }
        }
        channel += lanes;
    }
}

#[inline(always)]
unsafe fn part_block<S: Simd, const FULL: bool, const ADD: bool>(
    part: &GradientPart,
    channel: usize,
    (image, pixel): (usize, usize),
    pixels: Pixels,
) {
    let lanes = pixels.lanes;
    // SAFETY: the caller's.
    unsafe {
        let zero = S::zero();
        let (of, z) = (&part.of, &part.z);
        let of_at = of.image(image).add(pixel * of.stride + channel);
        let z_at = z.image(image).add(pixel * z.stride + channel);
        let scale = load::<S, FULL>(part.scale.add(channel), lanes);
        let offset = load::<S, FULL>(part.offset.add(channel), lanes);
        let normalised = !part.slope.is_null();
        let (slope, constant) = match normalised {
            true => (
                load::<S, FULL>(part.slope.add(channel), lanes),
                load::<S, FULL>(part.constant.add(channel), lanes),
            ),
            false => (zero, zero),
        };
        pixels.fill::<S, FULL>(|i| {
            let mut g = load::<S, FULL>(of_at.add(i * of.stride), lanes);
            let v = load::<S, FULL>(z_at.add(i * z.stride), lanes);
            if part.relu {
                let open = S::greater(S::mul_add(v, scale, offset), zero);
                g = S::select(open, g, zero);
            }
            let d = S::mul_add(g, scale, S::mul_add(v, slope, constant));
            if ADD { S::add(d, pixels.value::<S, FULL>(i)) } else { d }
        });
    }
}

/// Sums that the gradients of a normalization need: of g, and of g z, for each channel of an image.
pub struct Reduce<'a> {
    /// The part; its slope and constant are not used.
    pub part: &'a GradientPart,
    /// The images.
    pub images: Range<usize>,
    /// The sums of g and then of g z, image by image, so twice the channels for each image.
    pub sums: *mut f32,
}

impl Kernel for Reduce<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let channels = self.part.z.channels;
        for image in self.images {
            let mut channel = 0;
            while channel < channels {
                let lanes = (channels - channel).min(S::LANES);
                // SAFETY: the caller's.
                unsafe {
                    let sums = self.sums.add(image * 2 * channels);
                    if lanes == S::LANES {
                        reduce_block::<S, true>(self.part, channel, lanes, image, sums);
                    } else {
                        reduce_block::<S, false>(self.part, channel, lanes, image, sums);
                    }
                }
                channel += lanes;
            }
        }
    }
}

#[inline(always)]
unsafe fn reduce_block<S: Simd, const FULL: bool>(
    part: &GradientPart,
    channel: usize,
    lanes: usize,
    image: usize,
    sums: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let zero = S::zero();
        let (of, z) = (&part.of, &part.z);
        let (of_at, z_at) = (of.image(image).add(channel), z.image(image).add(channel));
        let scale = load::<S, FULL>(part.scale.add(channel), lanes);
        let offset = load::<S, FULL>(part.offset.add(channel), lanes);
        let mut sum = [zero; 4];
        let mut products = [zero; 4];
        let pixels = z.pixels();
        for pixel in (0..pixels).step_by(4) {
            for i in 0..4 {
                if pixel + i < pixels {
                    let mut g = load::<S, FULL>(of_at.add((pixel + i) * of.stride), lanes);
                    let v = load::<S, FULL>(z_at.add((pixel + i) * z.stride), lanes);
                    if part.relu {
                        let open = S::greater(S::mul_add(v, scale, offset), zero);
                        g = S::select(open, g, zero);
                    }
                    sum[i] = S::add(sum[i], g);
                    products[i] = S::mul_add(g, v, products[i]);
                }
            }
        }
        let four = |v: [S::V; 4]| S::add(S::add(v[0], v[1]), S::add(v[2], v[3]));
        store::<S, FULL>(sums.add(channel), four(sum), lanes);
        store::<S, FULL>(sums.add(z.channels + channel), four(products), lanes);
    }
}

/// Rows of gathered input and of the output's gradient.
pub struct GradientRows {
    /// The first input.
    pub from: *const f32,
    /// Values from a row of inputs to the next.
    pub from_row: usize,
    /// Values from a pixel's input to the next.
    pub from_step: usize,
    /// The first gradient.
    pub gradient: *const f32,
    /// Values from a row of gradients to the next.
    pub gradient_row: usize,
    /// Values from a pixel's gradient to the next.
    pub gradient_step: usize,
    /// Rows.
    pub rows: usize,
    /// Pixels of a row.
    pub pixels: usize,
}

/// Adds the weights' gradient of some rows: for each tap and input, the products with all outputs.
#[inline(always)]
unsafe fn weight_gradient<S: Simd>(
    rows: &GradientRows,
    window: &ConvolutionWindow,
    taps: &[Tap],
    inputs: usize,
    to: *mut f32,
) {
    let outputs = window.outputs.next_multiple_of(S::LANES);
    let mut output = 0;
    while output < outputs {
        let vectors = ((outputs - output) / S::LANES).min(2);
        for tap in taps {
            // SAFETY: the caller's.
            unsafe {
                let rows = GradientRows {
                    from: rows.from.add(tap.from),
                    gradient: rows.gradient.add(output),
                    ..*rows
                };
                let to = to.add(tap.weights * inputs * outputs + output);
                weight_inputs::<S>(&rows, vectors, inputs, outputs, to);
            }
        }
        output += vectors * S::LANES;
    }
}

/// Adds the products of all inputs with one or two vectors of outputs.
#[inline(always)]
pub unsafe fn weight_inputs<S: Simd>(
    rows: &GradientRows,
    vectors: usize,
    inputs: usize,
    outputs: usize,
    to: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        match (vectors, S::MANY) {
            (2, true) => weight_tiles::<S, 2, 8>(rows, inputs, outputs, to),
            (2, false) => weight_tiles::<S, 2, 4>(rows, inputs, outputs, to),
            (_, true) => weight_tiles::<S, 1, 16>(rows, inputs, outputs, to),
            (_, false) => weight_tiles::<S, 1, 8>(rows, inputs, outputs, to),
        }
    }
}

#[inline(always)]
unsafe fn weight_tiles<S: Simd, const N: usize, const C: usize>(
    rows: &GradientRows,
    inputs: usize,
    outputs: usize,
    to: *mut f32,
) {
    let mut input = 0;
    // SAFETY: the caller's; every tile lies within the inputs.
    unsafe {
        while inputs - input >= C {
            weight_tile::<S, N, C>(rows, input, outputs, to);
            input += C;
        }
        if C > 8 && inputs - input >= 8 {
            weight_tile::<S, N, 8>(rows, input, outputs, to);
            input += 8;
        }
        match inputs - input {
            0 => {}
            1 => weight_tile::<S, N, 1>(rows, input, outputs, to),
            2 => weight_tile::<S, N, 2>(rows, input, outputs, to),
            3 => weight_tile::<S, N, 3>(rows, input, outputs, to),
            4 => weight_tile::<S, N, 4>(rows, input, outputs, to),
            5 => weight_tile::<S, N, 5>(rows, input, outputs, to),
            6 => weight_tile::<S, N, 6>(rows, input, outputs, to),
            _ => weight_tile::<S, N, 7>(rows, input, outputs, to),
        }
    }
}

/// `C` inputs by `N` vectors of outputs.
#[inline(always)]
unsafe fn weight_tile<S: Simd, const N: usize, const C: usize>(
    rows: &GradientRows,
    input: usize,
    outputs: usize,
    to: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        let to = to.add(input * outputs);
        let mut sums = [[S::zero(); N]; C];
        for c in 0..C {
            for n in 0..N {
                sums[c][n] = S::load(to.add(c * outputs + n * S::LANES));
            }
        }
        for y in 0..rows.rows {
            let mut from = rows.from.add(y * rows.from_row + input);
            let mut gradient = rows.gradient.add(y * rows.gradient_row);
            for _ in 0..rows.pixels {
                let mut g = [S::zero(); N];
                for n in 0..N {
                    g[n] = S::load(gradient.add(n * S::LANES));
                }
                for c in 0..C {
                    let x = S::splat(*from.add(c));
                    for n in 0..N {
                        sums[c][n] = S::mul_add(x, g[n], sums[c][n]);
                    }
                }
                from = from.wrapping_add(rows.from_step);
                gradient = gradient.wrapping_add(rows.gradient_step);
            }
        }
        for c in 0..C {
            for n in 0..N {
                S::store(to.add(c * outputs + n * S::LANES), sums[c][n]);
            }
        }
    }
}
