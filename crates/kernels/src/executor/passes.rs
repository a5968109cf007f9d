//! The executor, which runs a plan's steps forward and backward.

use super::convolution::{self, Context, Workers, settle_parts, settled, sum_maps};
use super::loss::{BatchOutcome, cross_entropy};
use super::memory::{Memory, Views, reads};
use super::normalisation::{batch_statistics, running_statistics};
use super::variables::with_values;
use crate::error::KernelError;
use crate::kernels::{
    Combine, Global, Linear, LinearBackward, LinearGradient, MapsTerm, Normalised,
    Pool as PoolKernel, PoolBackward, SharedSlice,
};
use crate::parameters::{LayerVariables, Parameters};
use crate::plan::{Buffers, GradientTarget, Place, Plan, Sources, Step, plan};
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
        values_of(plan, &mut self.memory, plan.images, plan.batch)
    }

    /// Calls `write(image, values)` for each of the first `images` images of the next batch, on all threads.
    ///
    /// # Panics
    /// If `images` is larger than the batch that was prepared.
    pub fn fill(&mut self, images: usize, write: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let Some(plan) = &self.plan else { return };
        assert!(images <= plan.batch, "{images} images in a batch of {}", plan.batch);
        let size = plan.images.channels * plan.images.height * plan.images.width;
        let all = SharedSlice::new(values_of(plan, &mut self.memory, plan.images, images));
        self.pool.run(images, &|image, _| {
            // SAFETY: each task has an image of its own.
            let values = unsafe { all.write(image * size..(image + 1) * size) };
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
        values_of(plan, &mut self.memory, plan.logits, images)
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
        let images = labels.len();
        let logits = values_of(plan, context.memory, plan.logits, images).to_vec();
        if momentum.is_none() {
            return Ok(cross_entropy(&logits, labels, 0.0, None));
        }
        let gradient = values_of(plan, context.memory, plan.gradient, images);
        let outcome = cross_entropy(&logits, labels, smoothing, Some(gradient));
        for step in plan.steps.iter().rev() {
            backward(step, &mut context);
        }
        Ok(outcome)
    }
}

/// Returns the values of the first images of a place that has a buffer of its own.
fn values_of<'a>(
    plan: &Plan,
    memory: &'a mut Memory,
    place: Place,
    images: usize,
) -> &'a mut [f32] {
    let Place { buffer, channels, height, width, .. } = place;
    let range = plan.buffers[Buffers::index(buffer)].clone();
    &mut memory.arena.values()[range][..images * channels * height * width]
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
    let weights = context.memory.weights.shared();
    context.pool.run(jobs.len(), &|job, _| {
        // SAFETY: each block is packed by one task, from weights that were copied above.
        unsafe { convolution::pack(jobs[job].0, jobs[job].1, weights) };
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

/// Stores a sum of terms.
fn combine(context: &mut Context<'_>, sources: &Sources, to: Place) {
    let (views, mut workers) = context.split();
    let (terms, to) = (views.terms(sources), views.maps(to));
    workers.by_images(to.pixels(), |level, images| {
        // SAFETY: the plan lays buffers in use apart, each task has its own images, and the level is the
        // processor's.
        unsafe { level.run(Combine { reads: reads(&terms, sources.relu), to, images }) };
    });
}

/// Adds a gradient to a target, or copies it there.
fn pass_on(context: &mut Context<'_>, from: Place, goal: GradientTarget) {
    let (views, mut workers) = context.split();
    let to = views.maps(goal.place);
    let both = [MapsTerm::plain(views.maps(from)), MapsTerm::plain(to)];
    let terms = if goal.add { &both[..] } else { &both[..1] };
    workers.by_images(to.pixels(), |level, images| {
        // SAFETY: as in `combine`; where the target is a term too, it is read before it is written.
        unsafe { level.run(Combine { reads: reads(terms, false), to, images }) };
    });
}

/// Runs a step forward.
fn forward(
    step: &Step,
    context: &mut Context<'_>,
    momentum: Option<f64>,
) -> Result<(), KernelError> {
    let parameters = context.parameters;
    match step {
        Step::Convolution(convolution) => {
            convolution::forward(convolution, context, momentum)?;
        }
        Step::Combine { sources, to } => combine(context, sources, *to),
        Step::Pass { .. } => {}
        Step::Pool { pooling, window, from, to, chosen, .. } => {
            let (views, mut workers) = context.split();
            let (from, to) = (views.maps(*from), views.maps(*to));
            let chosen = chosen.map(|buffer| views.bytes(buffer));
            let (pooling, window) = (*pooling, *window);
            workers.by_images(to.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(PoolKernel { pooling, window, from, to, chosen, images }) };
            });
        }
        Step::Global { from, to, .. } => {
            let (views, mut workers) = context.split();
            let (maps, mean) = (views.maps(*from), views.maps(*to));
            workers.by_images(maps.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(Global { maps, mean, backward: false, add: false, images }) };
            });
        }
        Step::Norm { part, .. } => match momentum {
            Some(momentum) => {
                sum_maps(context, part.z);
                let place = (0, context.images);
                batch_statistics(context.memory, parameters, part, place, momentum)?;
            }
            None => running_statistics(context.memory, parameters, part)?,
        },
        Step::Linear { layer, from, to, weights, .. } => {
            let Some(variable) = parameters.layers[*layer].bias else { return Ok(()) };
            let bias = with_values(&parameters.variables[variable], <[f32]>::to_vec)?;
            let (views, mut workers) = context.split();
            let (from, to) = (views.rows(*from), views.rows(*to));
            let weights = &views.weights[*weights..];
            workers.by_images(64, |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(Linear { from, to, weights, bias: &bias, images }) };
            });
        }
    }
    Ok(())
}

/// Runs a step backward.
fn backward(step: &Step, context: &mut Context<'_>) {
    match step {
        Step::Convolution(convolution) => convolution::backward(convolution, context),
        Step::Combine { .. } => {}
        Step::Pass { to, clear } => {
            clear.iter().for_each(|&place| combine(context, &Sources::default(), place));
            to.iter().for_each(|&(from, goal)| pass_on(context, from, goal));
        }
        Step::Pool { pooling, window, chosen, gradient, towards, .. } => {
            let (Some(from), Some(GradientTarget { place, add })) = (gradient, *towards) else {
                return;
            };
            let (views, mut workers) = context.split();
            let (from, to) = (views.maps(*from), views.maps(place));
            let chosen = chosen.map(|buffer| views.bytes(buffer));
            let (pooling, window) = (*pooling, *window);
            workers.by_images(to.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe {
                    level.run(PoolBackward { pooling, window, from, to, add, chosen, images });
                }
            });
        }
        Step::Global { gradient, towards, .. } => {
            let (Some(mean), Some(GradientTarget { place, add })) = (gradient, *towards) else {
                return;
            };
            let (views, mut workers) = context.split();
            let (maps, mean) = (views.maps(place), views.maps(*mean));
            workers.by_images(maps.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(Global { maps, mean, backward: true, add, images }) };
            });
        }
        Step::Norm { part, towards } => {
            let parts = std::slice::from_ref(part);
            settle_parts(parts, context);
            let parameters = context.parameters;
            let (views, mut workers) = context.split();
            let settled = settled(parts, parameters, &views);
            let (Some(part), Some(GradientTarget { place, add })) = (settled.first(), *towards)
            else {
                return;
            };
            let to = views.maps(place);
            workers.by_images(to.pixels(), |level, images| {
                // SAFETY: as in `combine`.
                unsafe { level.run(Normalised { part, to, add, images }) };
            });
        }
        Step::Linear { layer, from, gradient, towards, weights, .. } => {
            linear_backward(context, *layer, (*from, *gradient), *towards, *weights);
        }
    }
}

fn linear_backward(
    context: &mut Context<'_>,
    layer: usize,
    (place, gradient): (Place, Option<Place>),
    towards: Option<GradientTarget>,
    weights: usize,
) {
    let Some(gradient) = gradient else { return };
    let variables = context.parameters.layers[layer];
    let views = Views::new(context.plan, context.memory);
    let mut workers = Workers { level: context.level, pool: context.pool, images: context.images };
    let (from, gradient) = (views.rows(place), views.rows(gradient));
    let weights = &views.weights[weights..];
    if let Some(GradientTarget { place, add }) = towards {
        let to = views.rows(place);
        workers.by_images(64, |level, images| {
            let of = LinearGradient::Inputs { to, add, images };
            // SAFETY: as in `combine`.
            unsafe { level.run(LinearBackward { from, gradient, weights, of }) };
        });
    }
    let (Some(weight), Some(bias)) = (variables.weight, variables.bias) else { return };
    let mut by_pixel = vec![0.0; from.values() * gradient.values()];
    let to = SharedSlice::new(&mut by_pixel);
    let bias = SharedSlice::new(&mut context.gradients[bias]);
    let (images, level) = (workers.images, workers.level);
    workers.pool.run(gradient.values(), &|output, _| {
        let of = LinearGradient::Weights { to, bias, outputs: output..output + 1, images };
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
