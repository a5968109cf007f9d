//! Execution of the convolutions of a plan.

use std::ops::Range;

use candle_core::Result;

use super::memory::{Memory, Views, reads};
use super::normalisation::{batch_gradients, batch_statistics, running_statistics};
use super::variables::with_values;
use crate::kernels::{
    Backward, Depthwise, DepthwiseBackward, Forward, GradientPart, Maps, MapsTerm, POSITIONS,
    Reduce, SharedSlice, SumMaps, Towards, WinogradBackward, WinogradForward, backward_scratch,
    depthwise_scratch, forward_scratch, pack_winograd, tap_gradient, winograd_scratch,
    winograd_values,
};
use crate::parameters::Parameters;
use crate::plan::{ConvolutionKernel, ConvolutionStep, OutputPart, Place, Plan};
use crate::simd::SimdLevel;
use crate::thread_pool::ThreadPool;

/// The context that the steps of a plan run in.
pub struct Context<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The network's parameters.
    pub parameters: &'a Parameters<'a>,
    /// The vector instructions.
    pub level: SimdLevel,
    /// The thread pool.
    pub pool: &'a mut ThreadPool,
    /// The memory.
    pub memory: &'a mut Memory,
    /// The gradients of the model's variables.
    pub gradients: &'a mut [Vec<f32>],
    /// The number of images of this batch.
    pub images: usize,
}

impl Context<'_> {
    /// Splits the context into the memory's views and what runs kernels on them.
    pub fn split(&mut self) -> (Views<'_>, Workers<'_>) {
        let workers = Workers { level: self.level, pool: self.pool, images: self.images };
        (Views::new(self.plan, self.memory), workers)
    }
}

/// The threads that run kernels on a batch.
pub struct Workers<'a> {
    /// The vector instructions, which the processor has.
    pub level: SimdLevel,
    /// The thread pool.
    pub pool: &'a mut ThreadPool,
    /// The number of images of the batch.
    pub images: usize,
}

impl Workers<'_> {
    /// Calls `work` with ranges of images, each image in one of them, on all threads.
    pub fn by_images(&mut self, pixels: usize, work: impl Fn(SimdLevel, Range<usize>) + Sync) {
        let (each, count) = tasks(self.images, pixels);
        let (images, level) = (self.images, self.level);
        self.pool.run(count, &|task, _| {
            work(level, task * each..((task + 1) * each).min(images));
        });
    }
}

/// The number of pixels that make a task worth starting.
const PIXELS: usize = 512;

/// Returns the number of images of a task and the number of tasks.
pub fn tasks(images: usize, pixels: usize) -> (usize, usize) {
    let each = PIXELS.div_ceil(pixels.max(1)).clamp(1, 8);
    (each, images.div_ceil(each))
}

/// Returns the number of scratch values that a convolution needs, forward and backward.
pub fn scratch(convolution: &ConvolutionStep, lanes: usize) -> usize {
    let window = &convolution.window;
    match convolution.kind {
        ConvolutionKernel::Direct => forward_scratch(window).max(backward_scratch(window, lanes)),
        ConvolutionKernel::Winograd => winograd_scratch(window, lanes),
        ConvolutionKernel::Depthwise => depthwise_scratch(window, lanes),
    }
}

/// Returns the number of values of the weight gradient of one group of images and one group of channels.
pub fn partial(convolution: &ConvolutionStep, lanes: usize) -> usize {
    let window = &convolution.window;
    let taps = window.kernel * window.kernel;
    match convolution.kind {
        ConvolutionKernel::Direct => taps * window.inputs * window.outputs.next_multiple_of(lanes),
        ConvolutionKernel::Winograd => {
            POSITIONS * window.inputs * window.outputs.next_multiple_of(lanes)
        }
        ConvolutionKernel::Depthwise => taps * window.outputs,
    }
}

/// Copies the weights of a convolution's layers one after another; those of a depthwise one as taps x
/// channels.
pub fn copy_weights(
    convolution: &ConvolutionStep,
    parameters: &Parameters<'_>,
    to: &mut [f32],
) -> Result<()> {
    let mut at = convolution.weights;
    for part in &convolution.parts {
        let Some(weight) = parameters.layers[part.layer].weight else { continue };
        with_values(&parameters.variables[weight], |values| {
            let to = &mut to[at..][..values.len()];
            if convolution.kind == ConvolutionKernel::Depthwise {
                let taps = convolution.window.kernel * convolution.window.kernel;
                let channels = values.len() / taps;
                for (channel, row) in values.chunks_exact(taps).enumerate() {
                    for (tap, &value) in row.iter().enumerate() {
                        to[tap * channels + channel] = value;
                    }
                }
            } else {
                to.copy_from_slice(values);
            }
            at += values.len();
        })?;
    }
    Ok(())
}

/// Returns the blocks of packed weights, as (pass, group, block); pass 0 is forward, 1 is backward.
pub fn packing_tasks(convolution: &ConvolutionStep) -> Vec<(usize, usize, usize)> {
    if convolution.kind == ConvolutionKernel::Depthwise {
        return Vec::new();
    }
    let passes = if convolution.towards.is_some() { 2 } else { 1 };
    (0..passes)
        .flat_map(|pass| (0..convolution.groups).map(move |group| (pass, group)))
        .flat_map(|(pass, group)| {
            (0..convolution.packing[pass].count()).map(move |block| (pass, group, block))
        })
        .collect()
}

/// Packs one block of weights, given as an item of [`packing_tasks`].
///
/// # Safety
/// `weights` is the plan's memory of weights, into which [`copy_weights`] has copied those of the
/// convolution; no other task packs the block.
pub unsafe fn pack(
    convolution: &ConvolutionStep,
    task: (usize, usize, usize),
    weights: SharedSlice<'_>,
) {
    let (pass, group, block) = task;
    let window = &convolution.window;
    let packing = convolution.packing[pass];
    let taps = window.kernel * window.kernel;
    let count = window.weights();
    let row = window.inputs * taps;
    let first = convolution.weights + group * count;
    // SAFETY: while blocks are packed nobody writes the raw weights, which the plan keeps apart from all packed
    // ones.
    let raw = unsafe { weights.read(first..first + count) };
    if convolution.kind == ConvolutionKernel::Winograd {
        let at = convolution.packed[pass];
        let to = weights.part(at..at + winograd_values(&packing));
        let forward = |output: usize, input: usize| &raw[output * row + input * taps..];
        let turned = |input: usize, output: usize| &raw[output * row + input * taps..];
        // SAFETY: no other task packs the block, by this function's contract.
        unsafe {
            match pass {
                0 => pack_winograd(&packing, block, forward, false, to),
                _ => pack_winograd(&packing, block, turned, true, to),
            }
        }
        return;
    }
    let span = packing.span(block);
    let at = convolution.packed[pass] + group * packing.values() + span.at;
    // SAFETY: no other task packs the block, by this function's contract.
    let to = unsafe { weights.write(at..at + taps * packing.inputs * span.width) };
    if pass == 0 {
        packing.pack(span, |output| &raw[output * row..], (taps, 1), to);
    } else {
        packing.pack(span, |input| &raw[input * taps..], (row, 1), to);
    }
}

fn terms_of<'a>(terms: &[MapsTerm<'a>], group: usize, channels: usize) -> Vec<MapsTerm<'a>> {
    terms.iter().map(|term| term.slice(group * channels, channels)).collect()
}

/// The state that the tasks of a convolution's forward pass share.
struct ForwardTasks<'a> {
    convolution: &'a ConvolutionStep,
    terms: Vec<MapsTerm<'a>>,
    z: Maps<'a>,
    sums: Option<SharedSlice<'a>>,
    weights: &'a [f32],
}

impl ForwardTasks<'_> {
    /// Convolves one group of channels of some images.
    ///
    /// # Safety
    /// The level is the processor's; nobody else touches the outputs and the sums of the images and the group,
    /// and `scratch`, or writes what is read.
    unsafe fn run(
        &self,
        level: SimdLevel,
        group: usize,
        images: Range<usize>,
        scratch: SharedSlice<'_>,
    ) {
        let convolution = self.convolution;
        let window = &convolution.window;
        let (to, sums) = (self.z, self.sums);
        let relu = convolution.sources.relu;
        let packing = convolution.packing[0];
        match convolution.kind {
            ConvolutionKernel::Depthwise => {
                let weights = &self.weights[convolution.weights..];
                let reads = reads(&self.terms, relu);
                // SAFETY: this function's contract.
                unsafe {
                    level.run(Depthwise { window, reads, weights, to, sums, images, scratch })
                };
            }
            ConvolutionKernel::Winograd => {
                let weights = &self.weights[convolution.packed[0]..];
                let reads = reads(&self.terms, relu);
                // SAFETY: this function's contract.
                unsafe {
                    level.run(WinogradForward {
                        window,
                        reads,
                        packing,
                        weights,
                        to,
                        sums,
                        images,
                        scratch,
                    });
                }
            }
            ConvolutionKernel::Direct => {
                let sliced;
                let (mut terms, mut to, mut sums) = (&self.terms[..], to, sums);
                if convolution.groups > 1 {
                    sliced = terms_of(terms, group, window.inputs);
                    terms = &sliced;
                    to = to.slice(group * window.outputs, window.outputs);
                    sums = None;
                }
                let at = convolution.packed[0] + group * packing.values();
                // SAFETY: this function's contract; groups have channels of their own.
                unsafe {
                    level.run(Forward {
                        window,
                        taps: &convolution.taps.0,
                        tap_inputs: convolution.taps.1,
                        reads: reads(terms, relu),
                        packing,
                        weights: &self.weights[at..],
                        to,
                        sums,
                        images,
                        scratch,
                    });
                }
            }
        }
    }
}

/// Runs a convolution forward, and computes the coefficients of its layers. `momentum` is that of the running
/// statistics in training, `None` in evaluation.
pub fn forward(
    convolution: &ConvolutionStep,
    context: &mut Context<'_>,
    momentum: Option<f64>,
) -> Result<()> {
    let with_sums = momentum.is_some() && convolution.parts.iter().any(|part| part.applied);
    convolve(convolution, context, with_sums);
    let images = context.images;
    if with_sums && convolution.groups > 1 {
        sum_maps(context, convolution.z);
    }
    if with_sums && convolution.parts.len() > 1 {
        separate_sums(context.memory, convolution, images);
    }
    for part in &convolution.parts {
        let at = sums_of(part, images);
        match momentum {
            Some(momentum) => {
                batch_statistics(context.memory, context.parameters, part, (at, images), momentum)?;
            }
            None => running_statistics(context.memory, context.parameters, part)?,
        }
    }
    Ok(())
}

/// Computes a convolution's output, and its sums if they are wanted and it has one group.
fn convolve(convolution: &ConvolutionStep, context: &mut Context<'_>, with_sums: bool) {
    let (mut views, workers) = context.split();
    let (terms, z) = (views.terms(&convolution.sources), views.maps(convolution.z));
    let sums = with_sums.then_some(views.sums);
    let shared = ForwardTasks { convolution, terms, z, sums, weights: views.weights };
    let (images, level) = (workers.images, workers.level);
    let (each, count) = tasks(images, z.pixels());
    let scratch = views.scratch();
    workers.pool.run(count * convolution.groups, &|task, thread| {
        let (group, task) = (task / count, task % count);
        let range = task * each..((task + 1) * each).min(images);
        // SAFETY: the plan lays buffers in use apart, each task has its own images and group, the scratch
        // memory is the thread's, and the level the processor's.
        unsafe { shared.run(level, group, range, scratch[thread]) };
    });
}

/// Returns the offset of the sums of a part's images.
const fn sums_of(part: &OutputPart, images: usize) -> usize {
    2 * part.channel * images
}

/// Sums the channels of maps and their squares, image by image.
pub fn sum_maps(context: &mut Context<'_>, place: Place) {
    let (views, mut workers) = context.split();
    let (maps, sums) = (views.maps(place), views.sums);
    workers.by_images(maps.pixels(), |level, images| {
        // SAFETY: each task writes its own images' sums; the level is the processor's.
        unsafe { level.run(SumMaps { maps, sums, images }) };
    });
}

/// Rearranges sums of all channels, image by image, into sums of each part, image by image.
fn separate_sums(memory: &mut Memory, convolution: &ConvolutionStep, images: usize) {
    let channels = convolution.z.channels;
    let all = memory.sums.values()[..2 * channels * images].to_vec();
    for part in &convolution.parts {
        let own = part.z.channels;
        let to = &mut memory.sums.values()[sums_of(part, images)..][..2 * own * images];
        for (to, from) in to.chunks_exact_mut(2 * own).zip(all.chunks_exact(2 * channels)) {
            to[..own].copy_from_slice(&from[part.channel..][..own]);
            to[own..].copy_from_slice(&from[channels + part.channel..][..own]);
        }
    }
}

/// Computes the gradients of the parts' normalizations and biases, and their slopes and constants.
pub fn settle_parts(parts: &[OutputPart], context: &mut Context<'_>) {
    let images = context.images;
    let applied = || parts.iter().filter(|part| part.applied && part.gradient.is_some());
    if applied().next().is_some() {
        let (views, mut workers) = context.split();
        let reduced: Vec<(usize, GradientPart<'_>)> = applied()
            .filter_map(|part| Some((sums_of(part, images), views.part(part, false)?)))
            .collect();
        workers.by_images(parts[0].z.height * parts[0].z.width, |level, images| {
            for (at, part) in &reduced {
                let (images, sums) = (images.clone(), views.sums.after(*at));
                // SAFETY: each task writes its own images' sums, of which those of the parts lie apart; the
                // level is the processor's.
                unsafe { level.run(Reduce { part, images, sums }) };
            }
        });
    }
    for part in applied() {
        let place = (sums_of(part, images), images);
        batch_gradients(context.memory, context.parameters, part, place, context.gradients);
    }
}

/// Returns settled parts for the kernels, with all their coefficients.
pub fn settled<'a>(
    parts: &[OutputPart],
    parameters: &Parameters<'_>,
    views: &Views<'a>,
) -> Vec<GradientPart<'a>> {
    let normalised =
        |part: &OutputPart| part.applied && parameters.layers[part.layer].norm.is_some();
    parts.iter().filter_map(|part| views.part(part, normalised(part))).collect()
}

/// The state that the tasks of a convolution's backward pass share.
struct BackwardTasks<'a> {
    convolution: &'a ConvolutionStep,
    terms: Vec<MapsTerm<'a>>,
    parts: Vec<GradientPart<'a>>,
    towards: Option<Towards<'a>>,
    weights: &'a [f32],
}

impl BackwardTasks<'_> {
    /// Computes the gradients of one group of channels for some images.
    ///
    /// # Safety
    /// The level is the processor's; nobody else touches the gradients of the images and the group, `gradient`
    /// and `scratch`, or writes what is read.
    unsafe fn run(
        &self,
        level: SimdLevel,
        group: usize,
        gradient: SharedSlice<'_>,
        images: Range<usize>,
        scratch: SharedSlice<'_>,
    ) {
        let convolution = self.convolution;
        let window = &convolution.window;
        let (parts, towards) = (&self.parts[..], self.towards);
        let reads = reads(&self.terms, convolution.sources.relu);
        match convolution.kind {
            ConvolutionKernel::Depthwise => {
                let weights = &self.weights[convolution.weights..];
                let classes = &convolution.classes;
                // SAFETY: this function's contract.
                unsafe {
                    level.run(DepthwiseBackward {
                        window,
                        classes,
                        reads,
                        parts,
                        weights,
                        towards,
                        gradient,
                        images,
                        scratch,
                    });
                }
            }
            ConvolutionKernel::Winograd => {
                let weights = &self.weights[convolution.packed[1]..];
                let packing = convolution.packing[1];
                // SAFETY: this function's contract.
                unsafe {
                    level.run(WinogradBackward {
                        window,
                        reads,
                        parts,
                        packing,
                        weights,
                        towards,
                        gradient,
                        images,
                        scratch,
                    });
                }
            }
            // SAFETY: this function's contract.
            ConvolutionKernel::Direct => unsafe {
                self.direct(level, group, gradient, images, scratch);
            },
        }
    }

    /// Does the work of [`BackwardTasks::run`] by sums over taps.
    ///
    /// # Safety
    /// As [`BackwardTasks::run`].
    unsafe fn direct(
        &self,
        level: SimdLevel,
        group: usize,
        gradient: SharedSlice<'_>,
        images: Range<usize>,
        scratch: SharedSlice<'_>,
    ) {
        let convolution = self.convolution;
        let window = &convolution.window;
        let packing = convolution.packing[1];
        let (sliced_terms, sliced_parts);
        let (mut terms, mut parts, mut towards) = (&self.terms[..], &self.parts[..], self.towards);
        if convolution.groups > 1 {
            let (inputs, outputs) = (window.inputs, window.outputs);
            sliced_terms = terms_of(terms, group, inputs);
            sliced_parts = [parts[0].slice(group * outputs, outputs)];
            (terms, parts) = (&sliced_terms, &sliced_parts);
            towards = towards.map(|towards| towards.slice(group * inputs, inputs));
        }
        let at = convolution.packed[1] + group * packing.values();
        // SAFETY: this function's contract; groups have channels of their own.
        unsafe {
            level.run(Backward {
                window,
                taps: &convolution.taps.0,
                tap_inputs: convolution.taps.1,
                classes: &convolution.classes,
                reads: reads(terms, convolution.sources.relu),
                parts,
                packing,
                weights: &self.weights[at..],
                towards,
                gradient,
                images,
                scratch,
            });
        }
    }
}

/// Runs a convolution backward.
pub fn backward(convolution: &ConvolutionStep, context: &mut Context<'_>) {
    settle_parts(&convolution.parts, context);
    let parameters = context.parameters;
    let (mut views, workers) = context.split();
    let terms = views.terms(&convolution.sources);
    let positive = convolution.sources.relu.then(|| terms.first().map(|term| term.maps)).flatten();
    let towards = convolution.towards.map(|goal| Towards {
        maps: views.maps(goal.place),
        add: goal.add,
        positive,
    });
    let parts = settled(&convolution.parts, parameters, &views);
    let tasks = BackwardTasks { convolution, terms, parts, towards, weights: views.weights };
    let (images, level) = (workers.images, workers.level);
    let image_groups = convolution.groups_of_images.min(images);
    let size = partial(convolution, level.lanes());
    let partials = views.partial;
    let scratch = views.scratch();
    workers.pool.run(image_groups * convolution.groups, &|task, thread| {
        let (group, of_images) = (task / image_groups, task % image_groups);
        let range = of_images * images / image_groups..(of_images + 1) * images / image_groups;
        let gradient = partials.part(task * size..(task + 1) * size);
        // SAFETY: the plan lays buffers in use apart, each task has its own images and group, and its own part
        // of `partials`, the scratch memory is the thread's, and the level the processor's.
        unsafe { tasks.run(level, group, gradient, range, scratch[thread]) };
    });
    sum_partials(convolution, context, image_groups, size);
}

/// A layer's channels in a convolution's output: the first, their number, and the gradient of their weights.
type Target<'a> = (usize, usize, SharedSlice<'a>);

/// Sums the weight gradients of all groups of images, in order, into the gradients of the layers' weights.
fn sum_partials(
    convolution: &ConvolutionStep,
    context: &mut Context<'_>,
    image_groups: usize,
    size: usize,
) {
    let window = &convolution.window;
    let taps = window.kernel * window.kernel;
    let outputs = window.outputs;
    let lanes = context.level.lanes();
    // How many values belong to an input and an output, and how they lie.
    let (values, inputs, padded) = match convolution.kind {
        ConvolutionKernel::Depthwise => (taps, 1, outputs),
        ConvolutionKernel::Direct => (taps, window.inputs, outputs.next_multiple_of(lanes)),
        ConvolutionKernel::Winograd => (POSITIONS, window.inputs, outputs.next_multiple_of(lanes)),
    };
    let partials: &[f32] = context.memory.partial.values();
    let layers = context.parameters.layers;
    let weight = |part: &OutputPart| layers[part.layer].weight;
    let weights = || convolution.parts.iter().filter_map(weight);
    let first = weights().min().unwrap_or(0);
    let end = weights().max().map_or(0, |last| last + 1);
    // Those between them, which belong to other layers, are few.
    let targets: Vec<Target<'_>> = (first..end)
        .zip(&mut context.gradients[first..end])
        .filter_map(|(index, gradient)| {
            let part = convolution.parts.iter().find(|part| weight(part) == Some(index))?;
            Some((part.channel, part.z.channels, SharedSlice::new(gradient)))
        })
        .collect();
    let groups = convolution.groups;
    let each = (16_384 / (values * padded)).clamp(1, inputs);
    let count = inputs.div_ceil(each);
    context.pool.run(groups * count, &|task, _| {
        let (group, task) = (task / count, task % count);
        let mut sums = vec![0.0_f32; values * padded];
        for input in task * each..((task + 1) * each).min(inputs) {
            for (value, sum) in sums.chunks_exact_mut(padded).enumerate() {
                for of_images in 0..image_groups {
                    let row = value * inputs + input;
                    let at = (group * image_groups + of_images) * size + row * padded;
                    let own = &partials[at..][..padded];
                    if of_images == 0 {
                        sum.copy_from_slice(own);
                    } else {
                        sum.iter_mut().zip(own).for_each(|(sum, value)| *sum += value);
                    }
                }
            }
            for &(channel, channels, to) in &targets {
                // Of a grouped convolution there is one part, of all groups.
                let (first, own) =
                    if groups == 1 { (0, channels) } else { (group * outputs, outputs) };
                for output in 0..own {
                    let of = |value: usize| sums[value * padded + channel + output];
                    let at = ((first + output) * inputs + input) * taps;
                    // SAFETY: each kernel belongs to one input of one group, so to one task.
                    let to = unsafe { to.write(at..at + taps) };
                    if convolution.kind == ConvolutionKernel::Winograd {
                        to.copy_from_slice(&tap_gradient(std::array::from_fn(of)));
                    } else {
                        to.iter_mut().enumerate().for_each(|(tap, to)| *to = of(tap));
                    }
                }
            }
        }
    });
}
