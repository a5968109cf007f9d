//! The executor, which runs a plan's steps forward and backward.

use super::convolution::{self, Context, settle_parts, sum_maps, tasks};
use super::loss::{BatchOutcome, cross_entropy};
use super::memory::{Memory, Shared, Views, reads};
use super::normalisation::{batch_statistics, running_statistics};
use super::variables::with_values;
use crate::error::KernelError;
use crate::kernels::{
    Combine, Global, ImageRows, Linear, LinearBackward, LinearGradient, MapsTerm, Normalised,
    Pool as PoolKernel, PoolBackward,
};
use crate::parameters::{LayerVariables, Parameters};
use crate::plan::{Buffers, GradientTarget, Place, Plan, Step, plan};
use crate::simd::SimdLevel;
use crate::thread_pool::ThreadPool;

/// An executor of training and evaluation on the CPU, for one model at a time. It keeps its memory and
/// threads from model to model.
pub struct Executor {
    level: SimdLevel,
    pool: ThreadPool,
    memory: Memory,
    plan: Option<Plan>,
    /// The indices of the prepared network's variables, and below a gradient for each variable.
    layers: Vec<LayerVariables>,
    gradients: Vec<Vec<f32>>,
}

impl Executor {
    /// Creates an executor with `threads` threads and the processor's fastest vector instructions.
    pub fn new(threads: usize) -> Self {
        Self::with_level(threads, SimdLevel::best())
    }

    /// Creates an executor with at most the given level of vector instructions.
    pub fn with_level(threads: usize, level: SimdLevel) -> Self {
        let level = level.min(SimdLevel::best());
        let pool = ThreadPool::new(threads);
        Self {
            level,
            pool,
            memory: Memory::default(),
            plan: None,
            layers: Vec::new(),
            gradients: Vec::new(),
        }
    }

    /// Plans a model's training on at most `batch` images at a time, and reserves its memory.
    ///
    /// # Errors
    /// [`KernelError::Network`] or [`KernelError::Activation`] if the network cannot be trained, or if its
    /// parameters do not fit its layers.
    pub fn prepare(&mut self, parameters: Parameters<'_>, batch: usize) -> Result<(), KernelError> {
        let lanes = self.level.lanes();
        parameters.check()?;
        let plan = plan(parameters.network, batch, lanes)?;
        let memory = &mut self.memory;
        memory.arena.reserve(plan.arena);
        memory.weights.reserve(plan.weights);
        for coefficients in
            [&mut memory.scale, &mut memory.offset, &mut memory.slope, &mut memory.constant]
        {
            coefficients.clear();
            coefficients.resize(plan.coefficients, 0.0);
        }
        for coefficients in [&mut memory.mean, &mut memory.deviation] {
            coefficients.clear();
            coefficients.resize(plan.coefficients, 0.0);
        }
        let (mut sums, mut partial, mut scratch) = (0, 0, 0);
        for step in &plan.steps {
            match step {
                Step::Convolution(c) => {
                    let groups = c.groups_of_images * c.groups;
                    sums = sums.max(2 * c.z.channels * batch);
                    partial = partial.max(groups * convolution::partial(c, lanes));
                    scratch = scratch.max(convolution::scratch(c, lanes));
                }
                Step::Norm { part, .. } => sums = sums.max(2 * part.z.channels * batch),
                _ => {}
            }
        }
        memory.sums.reserve(sums);
        memory.partial.reserve(partial);
        memory.scratch.resize_with(self.pool.threads(), Default::default);
        // Vectors are read up to the last lanes of a gathered pixel.
        memory.scratch.iter_mut().for_each(|thread| thread.reserve(scratch + 64));
        self.gradients = parameters.variables.iter().map(|v| vec![0.0; v.elem_count()]).collect();
        self.layers = parameters.layers.to_vec();
        self.plan = Some(plan);
        Ok(())
    }

    /// Returns the bytes of feature maps, weights, gradients and scratch memory that the executor holds.
    pub fn bytes(&self) -> usize {
        let memory = &self.memory;
        let gradients: usize = self.gradients.iter().map(|g| size_of_val(g.as_slice())).sum();
        memory.arena.bytes()
            + memory.weights.bytes()
            + memory.sums.bytes()
            + memory.partial.bytes()
            + memory.scratch.iter().map(super::memory::Aligned::bytes).sum::<usize>()
            + gradients
    }

    /// Returns the memory of the next batch's images: images x rows x columns x channels. It is empty before
    /// [`Executor::prepare`].
    pub fn images_mut(&mut self) -> &mut [f32] {
        let Some(plan) = &self.plan else { return &mut [] };
        let Place { buffer, channels, height, width, .. } = plan.images;
        let first = plan.offsets[Buffers::index(buffer)];
        &mut self.memory.arena.values()[first..][..plan.batch * channels * height * width]
    }

    /// Calls `write(image, values)` for each of the first `images` images of the next batch, on all threads.
    ///
    /// # Panics
    /// If `images` is larger than the batch that was prepared.
    pub fn fill(&mut self, images: usize, write: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let Some(plan) = &self.plan else { return };
        assert!(images <= plan.batch, "{images} images in a batch of {}", plan.batch);
        let size = plan.images.channels * plan.images.height * plan.images.width;
        let first = Shared::new(self.images_mut().as_mut_ptr());
        self.pool.run(images, &|image, _| {
            // SAFETY: each task has an image of its own, within the batch.
            let values = unsafe { std::slice::from_raw_parts_mut(first.add(image * size), size) };
            write(image, values);
        });
    }

    /// Drops the prepared model and all memory.
    pub fn forget(&mut self) {
        self.memory = Memory::default();
        self.layers = Vec::new();
        self.gradients = Vec::new();
        self.plan = None;
    }

    /// Returns the logits of the last batch: images x classes.
    pub fn logits(&mut self, images: usize) -> &[f32] {
        let Some(plan) = &self.plan else { return &[] };
        let first = plan.offsets[Buffers::index(plan.logits.buffer)];
        &self.memory.arena.values()[first..][..images * plan.logits.channels]
    }

    /// Returns the gradients of the model's variables after [`Executor::train`], in the variables' order and
    /// layout; 0 for variables that are not trained.
    pub fn gradients(&self) -> &[Vec<f32>] {
        &self.gradients
    }

    /// Returns the thread pool and the gradients, for an optimizer.
    pub fn optimise(&mut self) -> (&mut ThreadPool, &mut [Vec<f32>]) {
        (&mut self.pool, &mut self.gradients)
    }

    /// Runs a forward and a backward pass on the first images of [`Executor::images_mut`], one for each
    /// label. Sets [`Executor::gradients`] to those of the mean loss, and updates the running statistics with
    /// weight `momentum` for this batch.
    ///
    /// # Errors
    /// [`KernelError::Network`] if the model is not the prepared one, [`KernelError::Batch`] if there are no
    /// labels or more than the prepared batch has images, [`KernelError::Label`] if a label is out of range.
    pub fn train(
        &mut self,
        parameters: Parameters<'_>,
        labels: &[u32],
        smoothing: f64,
        momentum: f64,
    ) -> Result<BatchOutcome, KernelError> {
        self.run(parameters, labels, smoothing, Some(momentum))
    }

    /// Runs a forward pass with the running statistics.
    ///
    /// # Errors
    /// As [`Executor::train`].
    pub fn evaluate(
        &mut self,
        parameters: Parameters<'_>,
        labels: &[u32],
    ) -> Result<BatchOutcome, KernelError> {
        self.run(parameters, labels, 0.0, None)
    }

    fn run(
        &mut self,
        parameters: Parameters<'_>,
        labels: &[u32],
        smoothing: f64,
        momentum: Option<f64>,
    ) -> Result<BatchOutcome, KernelError> {
        let Some(plan) = self.plan.take() else {
            return Err(KernelError::Network("it has not been prepared".into()));
        };
        let result = self.run_plan(&plan, parameters, labels, smoothing, momentum);
        self.plan = Some(plan);
        result
    }

    fn run_plan(
        &mut self,
        plan: &Plan,
        parameters: Parameters<'_>,
        labels: &[u32],
        smoothing: f64,
        momentum: Option<f64>,
    ) -> Result<BatchOutcome, KernelError> {
        let classes = plan.logits.channels;
        if labels.is_empty() || labels.len() > plan.batch {
            let (given, most) = (labels.len(), plan.batch);
            return Err(KernelError::Batch { given, most });
        }
        if let Some(&label) = labels.iter().find(|&&label| label as usize >= classes) {
            return Err(KernelError::Label { label, classes });
        }
        // The kernels rely on the sizes that the prepared network's variables were checked to have.
        let same = parameters.variables.iter().zip(&self.gradients);
        if parameters.layers != self.layers
            || parameters.variables.len() != self.gradients.len()
            || same.clone().any(|(variable, gradient)| variable.elem_count() != gradient.len())
        {
            return Err(KernelError::Network("another one has been prepared".into()));
        }
        let mut context = Context {
            plan,
            parameters: &parameters,
            level: self.level,
            pool: &mut self.pool,
            memory: &mut self.memory,
            gradients: &mut self.gradients,
            images: labels.len(),
        };
        prepare_weights(&mut context, momentum.is_some())?;
        for step in &plan.steps {
            forward(step, &mut context, momentum)?;
        }
        let logits_at = plan.offsets[Buffers::index(plan.logits.buffer)];
        let gradient_at = plan.offsets[Buffers::index(plan.gradient.buffer)];
        let count = labels.len() * classes;
        let logits = context.memory.arena.values()[logits_at..][..count].to_vec();
        if momentum.is_none() {
            return Ok(cross_entropy(&logits, labels, 0.0, None));
        }
        let gradient = &mut context.memory.arena.values()[gradient_at..][..count];
        let outcome = cross_entropy(&logits, labels, smoothing, Some(gradient));
        for step in plan.steps.iter().rev() {
            backward(step, &mut context)?;
        }
        Ok(outcome)
    }
}

/// Copies and packs the weights of all layers.
fn prepare_weights(context: &mut Context<'_>, training: bool) -> Result<(), KernelError> {
    let mut jobs = Vec::new();
    for step in &context.plan.steps {
        match step {
            Step::Convolution(convolution) => {
                let to = context.memory.weights.values();
                convolution::copy_weights(convolution, context.parameters, to)?;
                let tasks = convolution::packing_tasks(convolution);
                let wanted = tasks.into_iter().filter(|(pass, _, _)| training || *pass == 0);
                jobs.extend(wanted.map(|task| (&**convolution, task)));
            }
            Step::Linear { layer, from, weights, .. } => {
                let Some(variable) = context.parameters.layers[*layer].weight else { continue };
                let to = &mut context.memory.weights.values()[*weights..];
                with_values(&context.parameters.variables[variable], |values| {
                    pixels_first(values, from, to);
                })?;
            }
            _ => {}
        }
    }
    let weights = Shared::new(context.memory.weights.at());
    // SAFETY: each block is packed by one task, from weights that nobody writes.
    context.pool.run(jobs.len(), &|job, _| unsafe {
        convolution::pack(jobs[job].0, jobs[job].1, weights.add(0));
    });
    Ok(())
}

/// Reorders weights from (channel, row, column) to (row, column, channel).
fn pixels_first(values: &[f32], from: &Place, to: &mut [f32]) {
    let (pixels, channels) = (from.height * from.width, from.channels);
    if pixels == 1 {
        to[..values.len()].copy_from_slice(values);
        return;
    }
    for (row, values) in values.chunks_exact(pixels * channels).enumerate() {
        let to = &mut to[row * pixels * channels..][..pixels * channels];
        for channel in 0..channels {
            for pixel in 0..pixels {
                to[pixel * channels + channel] = values[channel * pixels + pixel];
            }
        }
    }
}

/// Calls `work` with ranges of images, on all threads.
fn by_images(
    context: &mut Context<'_>,
    pixels: usize,
    work: impl Fn(SimdLevel, std::ops::Range<usize>) + Sync,
) {
    let (each, count) = tasks(context.images, pixels);
    let (images, level) = (context.images, context.level);
    context.pool.run(count, &|task, _| {
        work(level, task * each..((task + 1) * each).min(images));
    });
}

/// Stores a sum of terms.
fn combine(context: &mut Context<'_>, terms: &[MapsTerm], relu: bool, to: Place) {
    let to = Views::new(context.plan, context.memory).maps(to);
    by_images(context, to.pixels(), |level, images| {
        // SAFETY: the plan lays places apart, each task writes its own images, and the level is the
        // processor's.
        unsafe { level.run(Combine { reads: reads(terms, relu), to, images }) };
    });
}

fn rows(views: &Views<'_>, place: Place) -> ImageRows {
    ImageRows { at: views.maps(place).at, values: place.channels * place.height * place.width }
}

/// Runs a step forward.
fn forward(
    step: &Step,
    context: &mut Context<'_>,
    momentum: Option<f64>,
) -> Result<(), KernelError> {
    let views = Views::new(context.plan, context.memory);
    match step {
        Step::Convolution(convolution) => {
            convolution::forward(convolution, context, momentum)?;
        }
        Step::Combine { sources, to } => {
            let terms = views.terms(sources);
            combine(context, &terms, sources.relu, *to);
        }
        Step::Pass { .. } => {}
        Step::Pool { pooling, window, from, to, chosen, .. } => {
            let (from, to) = (views.maps(*from), views.maps(*to));
            let chosen = Shared::new(chosen.map_or(std::ptr::null_mut(), |buffer| {
                let first = context.plan.offsets[Buffers::index(buffer)];
                context.memory.arena.at().wrapping_add(first).cast::<u8>()
            }));
            let (pooling, window) = (*pooling, *window);
            by_images(context, to.pixels(), |level, images| {
                let chosen = chosen.get();
                // SAFETY: as in `combine`.
                unsafe {
                    level.run(PoolKernel { pooling, window, from, to, chosen, images });
                }
            });
        }
        Step::Global { from, to, .. } => {
            let (maps, mean) = (views.maps(*from), views.maps(*to));
            by_images(context, maps.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe {
                    level.run(Global { maps, mean, backward: false, add: false, images });
                }
            });
        }
        Step::Norm { part, .. } => match momentum {
            Some(momentum) => {
                sum_maps(context, views.maps(part.z));
                let place = (0, context.images);
                batch_statistics(context.memory, context.parameters, part, place, momentum)?;
            }
            None => running_statistics(context.memory, context.parameters, part)?,
        },
        Step::Linear { layer, from, to, weights, .. } => {
            let (from, to) = (rows(&views, *from), rows(&views, *to));
            let weights = Shared::new(context.memory.weights.at().wrapping_add(*weights));
            let Some(variable) = context.parameters.layers[*layer].bias else { return Ok(()) };
            let mut bias = with_values(&context.parameters.variables[variable], <[f32]>::to_vec)?;
            let bias = Shared::new(bias.as_mut_ptr());
            by_images(context, 64, |level, images| {
                let (weights, bias) = (weights.add(0).cast_const(), bias.add(0).cast_const());
                // SAFETY: as in `combine`; the bias lives until all tasks are done.
                unsafe { level.run(Linear { from, to, weights, bias, images }) };
            });
        }
    }
    Ok(())
}

/// Runs a step backward.
fn backward(step: &Step, context: &mut Context<'_>) -> Result<(), KernelError> {
    let views = Views::new(context.plan, context.memory);
    match step {
        Step::Convolution(convolution) => convolution::backward(convolution, context),
        Step::Combine { .. } => {}
        Step::Pass { to, clear } => {
            for &place in clear {
                combine(context, &[], false, place);
            }
            for &(from, goal) in to {
                let from = MapsTerm::plain(views.maps(from));
                let there = MapsTerm::plain(views.maps(goal.place));
                let terms: &[MapsTerm] = if goal.add { &[from, there] } else { &[from] };
                combine(context, terms, false, goal.place);
            }
        }
        Step::Pool { pooling, window, chosen, gradient, towards, .. } => {
            let (Some(from), Some(GradientTarget { place, add })) = (gradient, *towards) else {
                return Ok(());
            };
            let (from, to) = (views.maps(*from), views.maps(place));
            let chosen = Shared::new(chosen.map_or(std::ptr::null_mut(), |buffer| {
                let first = context.plan.offsets[Buffers::index(buffer)];
                context.memory.arena.at().wrapping_add(first).cast::<u8>()
            }));
            let (pooling, window) = (*pooling, *window);
            by_images(context, to.pixels(), |level, images| {
                let chosen = chosen.get().cast_const();
                // SAFETY: as in `combine`.
                unsafe {
                    level.run(PoolBackward { pooling, window, from, to, add, chosen, images });
                }
            });
        }
        Step::Global { gradient, towards, .. } => {
            let (Some(mean), Some(GradientTarget { place, add })) = (gradient, *towards) else {
                return Ok(());
            };
            let (maps, mean) = (views.maps(place), views.maps(*mean));
            by_images(context, maps.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(Global { maps, mean, backward: true, add, images }) };
            });
        }
        Step::Norm { part, towards } => {
            let settled = settle_parts(std::slice::from_ref(part), context);
            let (Some(settled), Some(GradientTarget { place, add })) = (settled.first(), *towards)
            else {
                return Ok(());
            };
            let to = views.maps(place);
            by_images(context, to.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(Normalised { part: settled, to, add, images }) };
            });
        }
        Step::Linear { layer, from, gradient, towards, weights, .. } => {
            linear_backward(context, *layer, (*from, *gradient), *towards, *weights);
        }
    }
    Ok(())
}

fn linear_backward(
    context: &mut Context<'_>,
    layer: usize,
    (place, gradient): (Place, Option<Place>),
    towards: Option<GradientTarget>,
    weights: usize,
) {
    let views = Views::new(context.plan, context.memory);
    let Some(gradient) = gradient else { return };
    let (from, gradient) = (rows(&views, place), rows(&views, gradient));
    let weights = Shared::new(context.memory.weights.at().wrapping_add(weights));
    if let Some(GradientTarget { place, add }) = towards {
        let to = rows(&views, place);
        by_images(context, 64, |level, images| {
            let of = LinearGradient::Inputs { to, add, images };
            let weights = weights.add(0).cast_const();
            // SAFETY: as in `combine`.
            unsafe { level.run(LinearBackward { from, gradient, weights, of }) };
        });
    }
    let variables = context.parameters.layers[layer];
    let (Some(weight), Some(bias)) = (variables.weight, variables.bias) else { return };
    let mut by_pixel = vec![0.0; from.values * gradient.values];
    let to = Shared::new(by_pixel.as_mut_ptr());
    let bias = Shared::new(context.gradients[bias].as_mut_ptr());
    let (images, level) = (context.images, context.level);
    context.pool.run(gradient.values, &|output, _| {
        let of = LinearGradient::Weights {
            to: to.add(0),
            bias: bias.add(0),
            outputs: output..output + 1,
            images,
        };
        let weights = weights.add(0).cast_const();
        // SAFETY: each task writes its own output's gradient; the level is the processor's.
        unsafe { level.run(LinearBackward { from, gradient, weights, of }) };
    });
    channels_first(&by_pixel, &place, &mut context.gradients[weight]);
}

/// The inverse of [`pixels_first`].
fn channels_first(values: &[f32], from: &Place, to: &mut [f32]) {
    let (pixels, channels) = (from.height * from.width, from.channels);
    for (row, to) in to.chunks_exact_mut(pixels * channels).enumerate() {
        let values = &values[row * pixels * channels..][..pixels * channels];
        for channel in 0..channels {
            for pixel in 0..pixels {
                to[channel * pixels + pixel] = values[pixel * channels + channel];
            }
        }
    }
}
