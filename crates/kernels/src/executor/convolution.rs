//! Execution of the convolutions of a plan.

use candle_core::Result;

use super::memory::{Memory, Shared, Views, reads};
use super::normalisation::{batch_gradients, batch_statistics, running_statistics};
use super::variables::with_values;
use crate::kernels::{
    self, Backward, Depthwise, DepthwiseBackward, Forward, Maps, MapsTerm, POSITIONS, Reduce,
    Towards, WinogradBackward, WinogradForward, backward_scratch, depthwise_scratch,
    forward_scratch, pack_winograd, tap_gradient, winograd_scratch,
};
use crate::parameters::Parameters;
use crate::plan::{ConvolutionKernel, ConvolutionStep, OutputPart, Plan};
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
pub unsafe fn pack(convolution: &ConvolutionStep, task: (usize, usize, usize), weights: *mut f32) {
    let (pass, group, block) = task;
    let window = &convolution.window;
    let packing = convolution.packing[pass];
    let span = packing.span(block);
    let taps = window.kernel * window.kernel;
    let count = window.weights();
    let row = window.inputs * taps;
    if convolution.kind == ConvolutionKernel::Winograd {
        // SAFETY: the plan keeps raw and packed weights apart.
        unsafe {
            let raw = std::slice::from_raw_parts(weights.add(convolution.weights), count);
            let to = weights.add(convolution.packed[pass]);
            if pass == 0 {
                let kernel = |output: usize, input: usize| &raw[output * row + input * taps..];
                pack_winograd(&packing, block, kernel, false, to);
            } else {
                let kernel = |input: usize, output: usize| &raw[output * row + input * taps..];
                pack_winograd(&packing, block, kernel, true, to);
            }
        }
        return;
    }
    // SAFETY: the plan keeps raw and packed weights apart.
    let (raw, to) = unsafe {
        let raw = weights.add(convolution.weights + group * count);
        let at = convolution.packed[pass] + group * packing.values() + span.at;
        let values = taps * packing.inputs * span.width;
        (
            std::slice::from_raw_parts(raw, count),
            std::slice::from_raw_parts_mut(weights.add(at), values),
        )
    };
    if pass == 0 {
        packing.pack(span, |output| &raw[output * row..], (taps, 1), to);
    } else {
        packing.pack(span, |input| &raw[input * taps..], (row, 1), to);
    }
}

fn group_of(maps: Maps, group: usize, channels: usize) -> Maps {
    // SAFETY: the channels are within the maps.
    Maps { at: unsafe { maps.at.add(group * channels) }, channels, ..maps }
}

fn terms_of(terms: &[MapsTerm], group: usize, channels: usize) -> Vec<MapsTerm> {
    let shift = |at: *const f32| at.wrapping_add(group * channels);
    let slice = |term: &MapsTerm| MapsTerm {
        maps: group_of(term.maps, group, channels),
        affine: term.affine.map(|(scale, offset)| (shift(scale), shift(offset))),
        relu: term.relu,
    };
    terms.iter().map(slice).collect()
}

/// Runs a convolution forward, and computes the coefficients of its layers. `momentum` is that of the running
/// statistics in training, `None` in evaluation.
pub fn forward(
    convolution: &ConvolutionStep,
    context: &mut Context<'_>,
    momentum: Option<f64>,
) -> Result<()> {
    let window = &convolution.window;
    let views = Views::new(context.plan, context.memory);
    let terms = views.terms(&convolution.sources);
    let z = views.maps(convolution.z);
    let with_sums = momentum.is_some() && convolution.parts.iter().any(|part| part.applied);
    let groups = convolution.groups;
    let (each, count) = tasks(context.images, z.pixels());
    let images = context.images;
    let sums = Shared::new(if with_sums { context.memory.sums.at() } else { std::ptr::null_mut() });
    let weights = Shared::new(context.memory.weights.at());
    let scratch: Vec<Shared<f32>> =
        context.memory.scratch.iter_mut().map(|scratch| Shared::new(scratch.at())).collect();
    let level = context.level;
    context.pool.run(count * groups, &|task, thread| {
        let (group, task) = (task / count, task % count);
        let range = task * each..((task + 1) * each).min(images);
        let scratch = scratch[thread].get();
        // SAFETY: the plan lays places apart, each task writes its own images, scratch is the
        // thread's own, and the level is the processor's.
        unsafe {
            if convolution.kind == ConvolutionKernel::Depthwise {
                level.run(Depthwise {
                    window,
                    reads: reads(&terms, convolution.sources.relu),
                    weights: weights.add(convolution.weights),
                    to: z,
                    sums: sums.get(),
                    images: range,
                    scratch,
                });
                return;
            }
            if convolution.kind == ConvolutionKernel::Winograd {
                level.run(WinogradForward {
                    window,
                    reads: reads(&terms, convolution.sources.relu),
                    packing: convolution.packing[0],
                    weights: weights.add(convolution.packed[0]),
                    to: z,
                    sums: sums.get(),
                    images: range,
                    scratch,
                });
                return;
            }
            let sliced;
            let (terms, to) = if groups == 1 {
                (terms.as_slice(), z)
            } else {
                sliced = terms_of(&terms, group, window.inputs);
                (sliced.as_slice(), group_of(z, group, window.outputs))
            };
            let packing = convolution.packing[0];
            level.run(Forward {
                window,
                taps: &convolution.taps.0,
                tap_inputs: convolution.taps.1,
                reads: reads(terms, convolution.sources.relu),
                packing,
                weights: weights.add(convolution.packed[0] + group * packing.values()),
                to,
                sums: if groups == 1 { sums.get() } else { std::ptr::null_mut() },
                images: range,
                scratch,
            });
        }
    });
    if with_sums && groups > 1 {
        sum_maps(context, z);
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

/// Returns the offset of the sums of a part's images.
const fn sums_of(part: &OutputPart, images: usize) -> usize {
    2 * part.channel * images
}

/// Sums the channels of maps and their squares, image by image.
pub fn sum_maps(context: &mut Context<'_>, maps: Maps) {
    let (each, count) = tasks(context.images, maps.pixels());
    let (images, level) = (context.images, context.level);
    let sums = Shared::new(context.memory.sums.at());
    context.pool.run(count, &|task, _| {
        let images = task * each..((task + 1) * each).min(images);
        // SAFETY: each task writes its own images' sums; the level is the processor's.
        unsafe { level.run(kernels::SumMaps { maps, sums: sums.add(0), images }) };
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

/// Returns a part with its pointers, without slope and constant; `None` if it has no gradient.
pub fn kernel_part(
    part: &OutputPart,
    views: &Views<'_>,
    memory: &Memory,
) -> Option<kernels::GradientPart> {
    let of = views.maps(part.gradient?);
    let at = part.coefficients;
    Some(kernels::GradientPart {
        channel: part.channel,
        of,
        z: views.maps(part.z),
        scale: memory.scale[at..].as_ptr(),
        offset: memory.offset[at..].as_ptr(),
        slope: std::ptr::null(),
        constant: std::ptr::null(),
        relu: part.relu,
    })
}

/// Computes the gradients of the parts' normalizations and biases, and returns the parts with all their
/// coefficients.
pub fn settle_parts(parts: &[OutputPart], context: &mut Context<'_>) -> Vec<kernels::GradientPart> {
    let views = Views::new(context.plan, context.memory);
    let mut settled: Vec<kernels::GradientPart> =
        parts.iter().filter_map(|part| kernel_part(part, &views, context.memory)).collect();
    let images = context.images;
    let level = context.level;
    if parts.iter().any(|part| part.applied) {
        let sums = Shared::new(context.memory.sums.at());
        let (each, count) = tasks(images, parts[0].z.height * parts[0].z.width);
        let (parts_of, settled) = (parts, &settled);
        context.pool.run(count, &|task, _| {
            let range = task * each..((task + 1) * each).min(images);
            for (part, settled) in parts_of.iter().zip(settled).filter(|(part, _)| part.applied) {
                let sums = sums.add(sums_of(part, images));
                // SAFETY: each task writes its own images' sums; the level is the processor's.
                unsafe { level.run(Reduce { part: settled, images: range.clone(), sums }) };
            }
        });
    }
    for (part, settled) in parts.iter().zip(&mut settled).filter(|(part, _)| part.applied) {
        let place = (sums_of(part, images), images);
        batch_gradients(context.memory, context.parameters, part, place, context.gradients);
        if context.parameters.layers[part.layer].norm.is_some() {
            settled.slope = context.memory.slope[part.coefficients..].as_ptr();
            settled.constant = context.memory.constant[part.coefficients..].as_ptr();
        }
    }
    settled
}

/// Runs a convolution backward.
pub fn backward(convolution: &ConvolutionStep, context: &mut Context<'_>) {
    let parts = settle_parts(&convolution.parts, context);
    let window = &convolution.window;
    let views = Views::new(context.plan, context.memory);
    let terms = views.terms(&convolution.sources);
    let positive = convolution.sources.relu.then(|| terms.first().map(|term| term.maps)).flatten();
    let towards = convolution.towards.map(|goal| Towards {
        maps: views.maps(goal.place),
        add: goal.add,
        positive,
    });
    let groups = convolution.groups;
    let images = context.images;
    let image_groups = convolution.groups_of_images.min(images);
    let size = partial(convolution, context.level.lanes());
    let partials = Shared::new(context.memory.partial.at());
    let weights = Shared::new(context.memory.weights.at());
    let scratch: Vec<Shared<f32>> =
        context.memory.scratch.iter_mut().map(|scratch| Shared::new(scratch.at())).collect();
    let level = context.level;
    context.pool.run(image_groups * groups, &|task, thread| {
        let (group, of_images) = (task / image_groups, task % image_groups);
        let range = of_images * images / image_groups..(of_images + 1) * images / image_groups;
        let scratch = scratch[thread].get();
        let gradient = partials.add(task * size);
        // SAFETY: as in the forward pass; each task has its own part of `partial`.
        unsafe {
            if convolution.kind == ConvolutionKernel::Depthwise {
                level.run(DepthwiseBackward {
                    window,
                    classes: &convolution.classes,
                    reads: reads(&terms, convolution.sources.relu),
                    parts: &parts,
                    weights: weights.add(convolution.weights),
                    towards,
                    gradient,
                    images: range,
                    scratch,
                });
                return;
            }
            if convolution.kind == ConvolutionKernel::Winograd {
                level.run(WinogradBackward {
                    window,
                    reads: reads(&terms, convolution.sources.relu),
                    parts: &parts,
                    packing: convolution.packing[1],
                    weights: weights.add(convolution.packed[1]),
                    towards,
                    gradient,
                    images: range,
                    scratch,
                });
                return;
            }
            let (sliced_terms, sliced_parts);
            let (mut terms, mut parts, mut towards) = (terms.as_slice(), parts.as_slice(), towards);
            if groups > 1 {
                sliced_terms = terms_of(terms, group, window.inputs);
                sliced_parts = [part_of(&parts[0], group, window.outputs)];
                (terms, parts) = (&sliced_terms, &sliced_parts);
                towards = towards.map(|towards| Towards {
                    maps: group_of(towards.maps, group, window.inputs),
                    positive: towards.positive.map(|maps| group_of(maps, group, window.inputs)),
                    ..towards
                });
            }
            let packing = convolution.packing[1];
            level.run(Backward {
                window,
                taps: &convolution.taps.0,
                tap_inputs: convolution.taps.1,
                classes: &convolution.classes,
                reads: reads(terms, convolution.sources.relu),
                parts,
                packing,
                weights: weights.add(convolution.packed[1] + group * packing.values()),
                towards,
                gradient,
                images: range,
                scratch,
            });
        }
    });
    sum_partials(convolution, context, image_groups, size);
}

fn part_of(part: &kernels::GradientPart, group: usize, channels: usize) -> kernels::GradientPart {
    let shift = |at: *const f32| match at.is_null() {
        true => at,
        false => at.wrapping_add(group * channels),
    };
    kernels::GradientPart {
        of: group_of(part.of, group, channels),
        z: group_of(part.z, group, channels),
        scale: shift(part.scale),
        offset: shift(part.offset),
        slope: shift(part.slope),
        constant: shift(part.constant),
        ..*part
    }
}

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
    let partials = Shared::new(context.memory.partial.at());
    let targets: Vec<(usize, usize, Shared<f32>)> = convolution
        .parts
        .iter()
        .filter_map(|part| {
            let weight = context.parameters.layers[part.layer].weight?;
            let at = Shared::new(context.gradients[weight].as_mut_ptr());
            Some((part.channel, part.z.channels, at))
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
                    // SAFETY: the rows are within the partial gradients, which nobody writes now.
                    let own = unsafe {
                        std::slice::from_raw_parts(partials.add(at).cast_const(), padded)
                    };
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
                    // SAFETY: each kernel belongs to one input of one group.
                    let to = unsafe {
                        let at = ((first + output) * inputs + input) * taps;
                        std::slice::from_raw_parts_mut(to.add(at), taps)
                    };
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
