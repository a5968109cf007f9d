//! The backward pass of convolutions: gradients of the input and of the weights.

use std::ops::Range;

use super::check::{enough, enough_sums, product};
use super::forward::read_plane;
use super::gather::{Pixels, gather, load, store};
use super::maps::{Affine, Maps, Reads, slice_affine};
use super::pack::Packing;
use super::shared::SharedSlice;
use super::tile::{ChannelBlock, Put, Row, Tap, row};
use super::window::{Class, ConvolutionWindow, Plane};
use crate::simd::{Kernel, Simd};

/// The output channels of a convolution that belong to one layer, and the gradient of the layer's output.
///
/// With g the gradient `of` the layer's output, set to 0 where the rectifier's input is not positive, the
/// gradient of the convolution's output z is scale g + slope z + constant.
#[derive(Clone, Copy, Debug)]
pub struct GradientPart<'a> {
    /// The first channel within the convolution's output.
    pub channel: usize,
    /// The gradient of the layer's output.
    pub of: Maps<'a>,
    /// The convolution's output, the part's channels alone.
    pub z: Maps<'a>,
    /// The scale of each channel, as in the forward pass.
    pub scale: &'a [f32],
    /// The offset of each channel, as in the forward pass.
    pub offset: &'a [f32],
    /// The slope and the constant of each channel; none without normalization, when both are 0.
    pub affine: Option<Affine<'a>>,
    /// True if the layer has a rectifier.
    pub relu: bool,
}

impl GradientPart<'_> {
    /// Returns some of the channels, which are all of a convolution's output.
    ///
    /// # Panics
    /// If the part does not have them.
    pub fn slice(self, channel: usize, channels: usize) -> Self {
        let (scale, offset) = slice_affine((self.scale, self.offset), channel, channels);
        Self {
            of: self.of.slice(channel, channels),
            z: self.z.slice(channel, channels),
            scale,
            offset,
            affine: self.affine.map(|affine| slice_affine(affine, channel, channels)),
            ..self
        }
    }

    /// Checks that the gradient and the convolution's output have images of a size within their memory, and
    /// that there are coefficients for all channels.
    ///
    /// # Panics
    /// If they do not.
    pub fn check(&self, size: (usize, usize), images: &Range<usize>) {
        let channels = self.z.channels();
        self.z.check("the layer's values", channels, size, images);
        self.of.check("the layer's gradient", channels, size, images);
        enough("scale", self.scale.len(), channels);
        enough("offset", self.offset.len(), channels);
        if let Some((slope, constant)) = self.affine {
            enough("slope", slope.len(), channels);
            enough("constant", constant.len(), channels);
        }
    }

    /// Checks the part as one of a convolution, within whose outputs its channels must be.
    ///
    /// # Panics
    /// If it does not pass.
    pub fn check_within(&self, window: &ConvolutionWindow, images: &Range<usize>) {
        let end = self.channel.saturating_add(self.z.channels());
        assert!(end <= window.outputs, "a part up to channel {end} of {}", window.outputs);
        self.check(window.output, images);
    }
}

/// The target of the input's gradient.
#[derive(Clone, Copy, Debug)]
pub struct Towards<'a> {
    /// The input's gradient.
    pub maps: Maps<'a>,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
    /// The input before a rectifier, if the convolution has one on its input.
    pub positive: Option<Maps<'a>>,
}

impl Towards<'_> {
    /// Returns some of the channels.
    ///
    /// # Panics
    /// If the target does not have them.
    pub fn slice(self, channel: usize, channels: usize) -> Self {
        Self {
            maps: self.maps.slice(channel, channels),
            positive: self.positive.map(|maps| maps.slice(channel, channels)),
            ..self
        }
    }

    /// Checks that the target takes the gradient of a window's input.
    ///
    /// # Panics
    /// If it does not.
    pub fn check(&self, window: &ConvolutionWindow, images: &Range<usize>) {
        self.maps.check("gradient of the input", window.inputs, window.input, images);
        if let Some(positive) = self.positive {
            positive.check("rectified input", window.inputs, window.input, images);
        }
    }
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
    pub parts: &'a [GradientPart<'a>],
    /// The layout of the packed weights for the input's gradient.
    pub packing: Packing,
    /// The weights for the input's gradient.
    pub weights: &'a [f32],
    /// The target of the input's gradient; none if it is not needed.
    pub towards: Option<Towards<'a>>,
    /// The weights' gradient of these images: taps x inputs x outputs, with the outputs padded to whole
    /// vectors.
    pub gradient: SharedSlice<'a>,
    /// The images.
    pub images: Range<usize>,
    /// [`scratch`] values.
    pub scratch: SharedSlice<'a>,
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
    scratch_with(window, &window.gradient_plane(lanes), lanes)
}

/// Does the work of [`scratch`], given the gradient's plane.
fn scratch_with(window: &ConvolutionWindow, gradient: &Plane, lanes: usize) -> usize {
    if window.is_pointwise() {
        let values = window.inputs.saturating_add(window.outputs.next_multiple_of(lanes));
        product(&[points(window), values])
    } else {
        let planes = window.input_plane().values().saturating_add(gradient.values());
        product(&[together(window), planes])
    }
}

impl Kernel for Backward<'_> {
    fn check(&self, lanes: usize) {
        let window = self.window;
        let taps = window.kernel * window.kernel;
        let (inputs, outputs) = (window.inputs, window.outputs);
        window.check();
        let plane = window.gradient_plane(lanes);
        window.check_taps(self.taps, self.tap_inputs);
        self.reads.check(inputs, window.input, &self.images);
        assert!(!window.is_pointwise() || window.input == window.output, "sizes of {window:?}");
        for part in self.parts {
            part.check_within(window, &self.images);
        }
        if let Some(towards) = &self.towards {
            let wanted = Packing { taps, inputs: outputs, outputs: inputs, lanes };
            self.packing.check(&wanted, 1, self.weights.len());
            window.check_classes(self.classes, &plane);
            towards.check(window, &self.images);
        }
        let needed = product(&[taps, inputs, outputs.next_multiple_of(lanes)]);
        enough("gradient of the weights", self.gradient.count(), needed);
        let needed = scratch_with(window, &plane, lanes);
        enough("scratch memory", self.scratch.count(), needed);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let outputs = self.window.outputs.next_multiple_of(S::LANES);
        let weights = self.window.kernel * self.window.kernel * self.window.inputs * outputs;
        // SAFETY: the check has found so many values in `gradient`, and all that both functions ask for.
        unsafe {
            std::ptr::write_bytes(self.gradient.pointer(), 0, weights);
            if self.window.is_pointwise() {
                self.points::<S>();
            } else {
                self.planes::<S>();
            }
        }
    }
}

impl Backward<'_> {
    /// The gradients of a 1x1 convolution: the images are one row of pixels.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`; the window is pointwise; the processor has `S`.
    #[inline(always)]
    unsafe fn points<S: Simd>(&self) {
        let inputs = self.window.inputs;
        let outputs = self.window.outputs.next_multiple_of(S::LANES);
        let (gradients, total) = (self.scratch.pointer(), self.gradient.pointer());
        // SAFETY: `scratch` holds `at_a_time` pixels of both kinds, and `first + count` is at most `end`: the
        // check has found all images up to theirs, whose pixels are consecutive, in the input, the parts and
        // the target.
        unsafe {
            let stored = self.reads.stored();
            let pixels = self.window.input.0 * self.window.input.1;
            let at_a_time = points(self.window);
            let gathered = gradients.add(at_a_time * outputs);
            std::ptr::write_bytes(gradients, 0, at_a_time * outputs);
            let (mut first, end) = (self.images.start * pixels, self.images.end * pixels);
            while first < end {
                let count = at_a_time.min(end - first);
                self.output_gradient::<S>((0, first), count, gradients, outputs);
                let (from, from_step) = match stored {
                    Some(maps) => (maps.pixel(first).cast_const(), maps.stride()),
                    None => {
                        gather::<S>(&self.reads, inputs, (0, first), count, gathered, inputs);
                        (gathered.cast_const(), inputs)
                    }
                };
                let rows = GradientRows {
                    from,
                    from_row: 0,
                    from_step,
                    gradient: gradients,
                    gradient_row: 0,
                    gradient_step: outputs,
                    rows: 1,
                    pixels: count,
                };
                weight_gradient::<S>(&rows, self.window, self.taps, self.tap_inputs, total);
                if let Some(towards) = &self.towards {
                    let (from, taps) = ((gradients.cast_const(), outputs), &self.classes[0].taps);
                    let to = TargetRow { towards, pixel: first, apart: 1, count };
                    for index in 0..self.packing.count() {
                        self.input_gradient::<S>(index, taps, from, &to);
                    }
                }
                first += count;
            }
        }
    }

    /// The gradients of a convolution whose input and output are gathered in planes.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`; the window is not pointwise; the processor has `S`.
    #[inline(always)]
    unsafe fn planes<S: Simd>(&self) {
        let window = self.window;
        let (input, output) = (window.input_plane(), window.gradient_plane(S::LANES));
        let together = together(window);
        // SAFETY: `scratch` holds `together` planes of both kinds, and a slot is below `together`; the check
        // has found the images in the input, the parts and the target.
        unsafe {
            let slots = together.min(self.images.len());
            let outputs = self.scratch.pointer();
            let inputs = outputs.add(together * output.values());
            std::ptr::write_bytes(outputs, 0, slots * output.values());
            std::ptr::write_bytes(inputs, 0, slots * input.values());
            let mut image = self.images.start;
            while image < self.images.end {
                let count = together.min(self.images.end - image);
                for slot in 0..count {
                    let to = outputs.add(slot * output.values());
                    self.gradient_plane::<S>(image + slot, &output, to);
                    let to = inputs.add(slot * input.values());
                    read_plane::<S>(&self.reads, window, &input, image + slot, to);
                }
                for slot in 0..count {
                    self.plane_weights::<S>(
                        inputs.add(slot * input.values()),
                        outputs.add(slot * output.values()),
                        &output,
                    );
                }
                if let Some(towards) = &self.towards {
                    for index in 0..self.packing.count() {
                        for slot in 0..count {
                            let from = outputs.add(slot * output.values());
                            self.plane_inputs::<S>(index, from, &output, towards, image + slot);
                        }
                    }
                }
                image += count;
            }
        }
    }

    /// Writes the gradient of an image's outputs into a plane, and leaves the zeros around it unchanged.
    ///
    /// # Safety
    /// The check has found the image; `to` holds the plane; the processor has `S`.
    #[inline(always)]
    unsafe fn gradient_plane<S: Simd>(&self, image: usize, plane: &Plane, to: *mut f32) {
        let (height, width) = self.window.output;
        for y in 0..height {
            // SAFETY: row `y` of the image is inside the plane, whose step holds all outputs.
            unsafe {
                let to = to.add(plane.at(y, 0));
                self.output_gradient::<S>((image, y * width), width, to, plane.step);
            }
        }
    }

    /// Adds an image's gradient of the weights to the total.
    ///
    /// # Safety
    /// The check has passed, with the lanes of `S`; the pointers are to the planes of an image's input and of
    /// its output's gradient, which is `to`; the processor has `S`.
    #[inline(always)]
    unsafe fn plane_weights<S: Simd>(&self, input: *const f32, output: *const f32, to: &Plane) {
        let window = self.window;
        let from = window.input_plane();
        let (height, width) = window.output;
        let values = width * (window.inputs * window.stride * window.stride + window.outputs);
        let at_a_time = (ROW_BLOCK / values).clamp(2, height.max(2));
        let total = self.gradient.pointer();
        for first in (0..height).step_by(at_a_time) {
            // SAFETY: the rows from `first` on are inside the planes, the input's with all their taps, as the check
            // has found.
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
                weight_gradient::<S>(&rows, window, self.taps, self.tap_inputs, total);
            }
        }
    }

    /// Computes one block of channels of an image's gradient of the input.
    ///
    /// # Safety
    /// The check has found the image, the target and the classes, with the lanes of `S`; the packing has the
    /// block; `output` is the plane of the output's gradient, `plane`; the processor has `S`.
    #[inline(always)]
    unsafe fn plane_inputs<S: Simd>(
        &self,
        index: usize,
        output: *const f32,
        plane: &Plane,
        towards: &Towards<'_>,
        image: usize,
    ) {
        let window = self.window;
        for class in self.classes {
            for j in 0..class.size.0 {
                let y = class.first.0 + j * window.stride;
                let pixel = (image * window.input.0 + y) * window.input.1 + class.first.1;
                // SAFETY: the class's pixels are within the image, and their taps inside the plane, as the check
                // has found.
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
    ///
    /// # Safety
    /// The check has found the target with the pixels, and the packed weights; the packing has the block, and
    /// the kernel the taps; `from` has the outputs of all taps for each of the pixels; the processor has `S`.
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
        // SAFETY: the target has the pixels with all inputs, and so has `positive`; the block's weights are within
        // those that the check has found; the rest is this function's contract.
        unsafe {
            let put = match towards.positive {
                None => Put { add: towards.add, positive: std::ptr::null(), positive_step: 0 },
                Some(of) => Put {
                    add: towards.add,
                    positive: of.pixel(pixel),
                    positive_step: apart * of.stride(),
                },
            };
            let to = maps.pixel(pixel);
            let to_step = apart * maps.stride();
            let block = ChannelBlock {
                taps,
                inputs: self.window.outputs,
                weights: self.weights.as_ptr().add(span.at),
                channel: span.channel,
                channels: span.channels,
            };
            row::<S>(&Row { from, from_step, to, to_step, pixels: count, put }, &block);
        }
    }

    /// Writes the gradient of consecutive pixels of the convolution's output.
    ///
    /// # Safety
    /// The check has found the pixels in the parts; `to` takes `count` pixels of all outputs, `step` apart;
    /// the processor has `S`.
    #[inline(always)]
    unsafe fn output_gradient<S: Simd>(
        &self,
        place: (usize, usize),
        count: usize,
        to: *mut f32,
        step: usize,
    ) {
        for part in self.parts {
            // SAFETY: the part's channels are within the outputs, as the check has found.
            unsafe { part_gradient::<S, false>(part, place, count, to.add(part.channel), step) };
        }
    }
}

/// A row of pixels of the input's gradient.
struct TargetRow<'a> {
    towards: &'a Towards<'a>,
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
/// [`GradientPart::check`] has found the pixels, `to` takes `count` pixels of the part's channels, `step` apart;
/// the processor has `S`.
#[inline(always)]
pub unsafe fn part_gradient<S: Simd, const ADD: bool>(
    part: &GradientPart<'_>,
    place: (usize, usize),
    count: usize,
    to: *mut f32,
    step: usize,
) {
    let mut channel = 0;
    while channel < part.z.channels() {
        let lanes = (part.z.channels() - channel).min(S::LANES);
        // SAFETY: the lanes are within the part's channels; the rest is this function's contract.
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

/// Does the work of [`part_gradient`] for `pixels.lanes` channels from one on.
///
/// # Safety
/// As [`part_gradient`]; the part has the lanes, which are all of a vector if `FULL`.
#[inline(always)]
unsafe fn part_block<S: Simd, const FULL: bool, const ADD: bool>(
    part: &GradientPart<'_>,
    channel: usize,
    (image, pixel): (usize, usize),
    pixels: Pixels,
) {
    let lanes = pixels.lanes;
    // SAFETY: both maps have the pixels that `fill` asks for, with the lanes, and the coefficients have the
    // lanes, by this function's contract.
    unsafe {
        let zero = S::zero();
        let (of, z) = (&part.of, &part.z);
        let (of_step, z_step) = (of.stride(), z.stride());
        let of_at = of.image(image).add(pixel * of_step + channel);
        let z_at = z.image(image).add(pixel * z_step + channel);
        let scale = load::<S, FULL>(part.scale.as_ptr().add(channel), lanes);
        let offset = load::<S, FULL>(part.offset.as_ptr().add(channel), lanes);
        let (slope, constant) = match part.affine {
            Some((slope, constant)) => (
                load::<S, FULL>(slope.as_ptr().add(channel), lanes),
                load::<S, FULL>(constant.as_ptr().add(channel), lanes),
            ),
            None => (zero, zero),
        };
        pixels.fill::<S, FULL>(|i| {
            let mut g = load::<S, FULL>(of_at.add(i * of_step), lanes);
            let v = load::<S, FULL>(z_at.add(i * z_step), lanes);
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
    pub part: &'a GradientPart<'a>,
    /// The images.
    pub images: Range<usize>,
    /// The sums of g and then of g z, image by image, so twice the channels for each image.
    pub sums: SharedSlice<'a>,
}

impl Kernel for Reduce<'_> {
    fn check(&self, _: usize) {
        self.part.check(self.part.z.size(), &self.images);
        enough_sums(self.sums.count(), self.part.z.channels(), &self.images);
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let channels = self.part.z.channels();
        for image in self.images {
            let mut channel = 0;
            while channel < channels {
                let lanes = (channels - channel).min(S::LANES);
                // SAFETY: the check has found the image in the part and in the sums; the lanes are within the
                // channels.
                unsafe {
                    let sums = self.sums.pointer().add(image * 2 * channels);
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

/// Sums `lanes` channels of an image from one on.
///
/// # Safety
/// [`GradientPart::check`] has found the image; the part has the lanes, which are all of a vector if `FULL`;
/// `sums` takes twice the part's channels; the processor has `S`.
#[inline(always)]
unsafe fn reduce_block<S: Simd, const FULL: bool>(
    part: &GradientPart<'_>,
    channel: usize,
    lanes: usize,
    image: usize,
    sums: *mut f32,
) {
    // SAFETY: both maps have all pixels of the image, and the coefficients and `sums` the lanes, by this
    // function's contract.
    unsafe {
        let zero = S::zero();
        let (of, z) = (&part.of, &part.z);
        let (of_step, z_step) = (of.stride(), z.stride());
        let (of_at, z_at) = (of.image(image).add(channel), z.image(image).add(channel));
        let scale = load::<S, FULL>(part.scale.as_ptr().add(channel), lanes);
        let offset = load::<S, FULL>(part.offset.as_ptr().add(channel), lanes);
        let mut sum = [zero; 4];
        let mut products = [zero; 4];
        let pixels = z.pixels();
        for pixel in (0..pixels).step_by(4) {
            for i in 0..4 {
                if pixel + i < pixels {
                    let mut g = load::<S, FULL>(of_at.add((pixel + i) * of_step), lanes);
                    let v = load::<S, FULL>(z_at.add((pixel + i) * z_step), lanes);
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
        store::<S, FULL>(sums.add(z.channels() + channel), four(products), lanes);
    }
}

/// Rows of gathered input and of the output's gradient; the pointers are good for all their pixels.
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
///
/// # Safety
/// At each of the rows' pixels, `from` has every tap's inputs, and `gradient` the window's outputs in whole
/// vectors; [`ConvolutionWindow::check_taps`] has found the taps of `inputs` values; `to` takes taps x inputs x
/// outputs, in whole vectors; the processor has `S`.
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
            // SAFETY: the outputs from `output` on have the vectors, and `to` the tap's inputs, by this function's
            // contract.
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
///
/// # Safety
/// At each of the rows' pixels, `from` has the inputs and `gradient` the vectors; `to` takes the vectors for each
/// input, `outputs` values apart; the processor has `S`.
#[inline(always)]
pub unsafe fn weight_inputs<S: Simd>(
    rows: &GradientRows,
    vectors: usize,
    inputs: usize,
    outputs: usize,
    to: *mut f32,
) {
    // SAFETY: `weight_tiles` asks for what this function does, with as many vectors.
    unsafe {
        match (vectors, S::MANY) {
            (2, true) => weight_tiles::<S, 2, 8>(rows, inputs, outputs, to),
            (2, false) => weight_tiles::<S, 2, 4>(rows, inputs, outputs, to),
            (_, true) => weight_tiles::<S, 1, 16>(rows, inputs, outputs, to),
            (_, false) => weight_tiles::<S, 1, 8>(rows, inputs, outputs, to),
        }
    }
}

/// Adds the products of all inputs, `C` at a time as long as there are so many, with `N` vectors of outputs.
///
/// # Safety
/// As [`weight_inputs`] for `N` vectors.
#[inline(always)]
unsafe fn weight_tiles<S: Simd, const N: usize, const C: usize>(
    rows: &GradientRows,
    inputs: usize,
    outputs: usize,
    to: *mut f32,
) {
    let mut input = 0;
    // SAFETY: every tile lies within the inputs; the rest is this function's contract.
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
///
/// # Safety
/// As [`weight_tiles`]; there are `C` inputs from `input` on.
#[inline(always)]
unsafe fn weight_tile<S: Simd, const N: usize, const C: usize>(
    rows: &GradientRows,
    input: usize,
    outputs: usize,
    to: *mut f32,
) {
    // SAFETY: the rows have the inputs and the vectors at all their pixels, and `to` the vectors of `C` inputs,
    // by this function's contract; pointers past the last pixel are not read.
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

#[cfg(test)]
mod tests {
    use super::super::maps::MapsTerm;
    use super::super::testing::{maps, refuses, shorter};
    use super::*;

    /// Checks the gradients of image 1 of a convolution of 5 channels to 9; `change` may spoil it.
    fn check(pointwise: bool, change: impl FnOnce(&mut Backward<'_>)) {
        let (kernel, padding, size) = if pointwise { (1, 0, (4, 3)) } else { (3, 1, (4, 3)) };
        let (inputs, outputs, stride) = (5, 9, 1);
        let window = ConvolutionWindow {
            kernel,
            stride,
            padding,
            input: size,
            output: size,
            inputs,
            outputs,
        };
        let (taps, tap_inputs) = window.taps();
        let classes = window.classes(8);
        let packing = Packing { taps: kernel * kernel, inputs: outputs, outputs: inputs, lanes: 8 };
        let coefficients = vec![0.0; packing.values()];
        let (mut from, mut to, mut of) = (vec![0.0; 120], vec![0.0; 120], vec![0.0; 216]);
        let mut gradient = vec![0.0; kernel * kernel * inputs * 16];
        let mut memory = vec![0.0; scratch(&window, 8)];
        let terms = [MapsTerm::plain(maps(&mut from, inputs, size))];
        let of = maps(&mut of, outputs, size);
        let (scale, offset) = (&coefficients[..9], &coefficients[..9]);
        let affine = Some((scale, offset));
        let part = GradientPart { channel: 0, of, z: of, scale, offset, affine, relu: true };
        let to = maps(&mut to, inputs, size);
        let mut backward = Backward {
            window: &window,
            taps: &taps,
            tap_inputs,
            classes: &classes,
            reads: Reads { terms: &terms, relu: false },
            parts: &[part],
            packing,
            weights: &coefficients,
            towards: Some(Towards { maps: to, add: false, positive: Some(to) }),
            gradient: SharedSlice::new(&mut gradient),
            images: 1..2,
            scratch: SharedSlice::new(&mut memory),
        };
        change(&mut backward);
        backward.check(8);
    }

    #[test]
    fn short_memory_of_gradients_is_refused() {
        for pointwise in [false, true] {
            check(pointwise, |_| {});
            let spoilt = |message: &str, change: &dyn Fn(&mut Backward<'_>)| {
                refuses(message, || check(pointwise, change));
            };
            spoilt("packed weights: ", &|b| b.weights = &b.weights[1..]);
            spoilt("scratch memory: ", &|b| b.scratch = shorter(&b.scratch));
            spoilt("gradient of the weights: ", &|b| b.gradient = shorter(&b.gradient));
            spoilt("input: 120 values where 180", &|b| b.images = 2..3);
            spoilt("inputs beyond", &|b| b.tap_inputs += 1);
            spoilt("the packed weights are", &|b| b.packing.lanes = 16);
            spoilt("the packed weights are", &|b| b.packing.outputs = 6);
            spoilt("gradient of the input: 4 channels of 5", &|b| {
                b.towards = b.towards.map(|towards| towards.slice(0, 4));
            });
        }
    }

    #[test]
    fn parts_without_room_or_coefficients_are_refused() {
        let spoilt = |message: &str, change: &dyn Fn(&mut GradientPart<'_>)| {
            let check = || {
                check(false, |backward| {
                    let mut part = backward.parts[0];
                    change(&mut part);
                    part.check_within(backward.window, &backward.images);
                });
            };
            refuses(message, check);
        };
        spoilt("a part up to channel 10 of 9", &|part| part.channel = 1);
        spoilt("the layer's gradient: 8 channels of 9", &|part| part.of = part.of.slice(0, 8));
        spoilt("scale: 8 values where 9", &|part| part.scale = &part.scale[1..]);
        spoilt("offset: 8 values where 9", &|part| part.offset = &part.offset[1..]);
        spoilt("slope: 8 values where 9", &|part| {
            part.affine = Some((&part.scale[1..], part.scale))
        });
        spoilt("constant: 8 values where 9", &|part| {
            part.affine = Some((part.scale, &part.scale[1..]));
        });
    }

    #[test]
    fn short_sums_of_a_part_are_refused() {
        let (mut z, mut sums) = ([0.0; 24], [0.0; 12]);
        let z = maps(&mut z, 3, (2, 2));
        let (scale, offset) = (&[0.0; 3][..], &[0.0; 3][..]);
        let part = GradientPart { channel: 0, of: z, z, scale, offset, affine: None, relu: true };
        let sums = SharedSlice::new(&mut sums);
        Reduce { part: &part, images: 1..2, sums }.check(8);
        refuses("sums: 11 values where 12", || {
            Reduce { part: &part, images: 1..2, sums: shorter(&sums) }.check(8);
        });
        refuses("the layer's values: 24 values where 36", || {
            Reduce { part: &part, images: 2..3, sums }.check(8);
        });
    }
}
