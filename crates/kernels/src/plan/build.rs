//! Compilation of a network into a plan.
//!
//! Sums and normalized convolutions are not stored where their readers can compute them while reading;
//! convolutions of the same geometry and input are fused into one; a concatenation's inputs are written
//! directly into its output; gradients that only pass through a sum are never copied.

use std::collections::HashMap;
use std::ops::Range;

use super::buffers::{BufferId, Buffers, Place};
use super::step::{
    ConvolutionKernel, ConvolutionStep, GradientTarget, OutputPart, Sources, Step, Summand,
};
use crate::activations::check_activations;
use crate::error::KernelError;
use crate::kernels::{ConvolutionWindow, Packing, Pooling, winograd_pays, winograd_values};
use tandem_network::{Activation, Layer, Network, Operation, Shape, Window};

/// The plan of a training step: its steps and the layout of its memory.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The steps of the forward pass.
    pub steps: Vec<Step>,
    /// The range of each buffer in the arena, in f32 values.
    pub buffers: Vec<Range<usize>>,
    /// The size of the arena, in f32 values.
    pub arena: usize,
    /// The maximum number of images of a batch.
    pub batch: usize,
    /// The place of the input images.
    pub images: Place,
    /// The place of the logits.
    pub logits: Place,
    /// The place of the logits' gradient.
    pub gradient: Place,
    /// The number of coefficients of normalized channels.
    pub coefficients: usize,
    /// The size of the weights, unpacked and packed, in f32 values.
    pub weights: usize,
}

/// Plans the training of a network on at most `batch` images at a time, with vectors of `lanes` values.
///
/// # Errors
/// [`KernelError::Activation`] if the kernels do not compute a layer's activation; [`KernelError::Network`]
/// if the network's output does not depend on any trainable parameter or has more than one pixel.
pub fn plan(network: &Network, batch: usize, lanes: usize) -> Result<Plan, KernelError> {
    check_activations(network)?;
    let mut builder = Builder::new(network, batch, lanes)?;
    for index in builder.live_layers() {
        builder.add(index);
    }
    builder.finish()
}

struct Builder<'a> {
    layers: &'a [Layer],
    batch: usize,
    lanes: usize,
    /// For each layer, the live layers that read it.
    readers: Vec<Vec<usize>>,
    live: Vec<bool>,
    learns: Vec<bool>,
    buffers: Buffers,
    /// The place of each layer's values, once it is assigned.
    places: Vec<Option<Place>>,
    terms: Vec<Vec<Summand>>,
    /// For each convolution, those that are fused with it, itself first; empty if it is fused with an earlier
    /// one.
    together: Vec<Vec<usize>>,
    steps: Vec<Step>,
    /// For each step, the layers whose gradients it reads in the backward pass.
    reads_of: Vec<Vec<usize>>,
    coefficients: usize,
    weights: usize,
}

/// Returns the layers that a layer's values depend on; none for zeros.
fn inputs(layer: &Layer) -> impl Iterator<Item = usize> + '_ {
    let none = layer.operation == Operation::Zero;
    layer.inputs.iter().filter(move |_| !none).map(|id| id.index())
}

impl<'a> Builder<'a> {
    fn new(network: &'a Network, batch: usize, lanes: usize) -> Result<Self, KernelError> {
        let layers = network.layers();
        let count = layers.len();
        let output = network.output();
        if output.height * output.width != 1 {
            let what = format!("its output is {output}; it must be one pixel of classes");
            return Err(KernelError::Network(what));
        }
        let mut live = vec![false; count];
        live[0] = true;
        live[count - 1] = true;
        for index in (0..count).rev().filter(|&index| index > 0) {
            if live[index] {
                inputs(&layers[index]).for_each(|input| live[input] = true);
            }
        }
        let mut readers = vec![Vec::new(); count];
        let mut learns = vec![false; count];
        for (index, layer) in layers.iter().enumerate().filter(|(index, _)| live[*index]) {
            inputs(layer).for_each(|input| readers[input].push(index));
            learns[index] = layer.parameters() > 0 || inputs(layer).any(|input| learns[input]);
        }
        if !learns[count - 1] {
            let what = "its output depends on nothing that can be learnt".to_owned();
            return Err(KernelError::Network(what));
        }
        Ok(Self {
            layers,
            batch,
            lanes,
            together: together(layers, &live),
            readers,
            live,
            learns,
            buffers: Buffers::default(),
            places: vec![None; count],
            terms: vec![Vec::new(); count],
            steps: Vec::new(),
            reads_of: Vec::new(),
            coefficients: 0,
            weights: 0,
        })
    }

    fn live_layers(&self) -> Vec<usize> {
        (0..self.layers.len()).filter(|&index| self.live[index]).collect()
    }

    fn new_place(&mut self, shape: Shape) -> Place {
        let values = self.batch * shape.values() as usize;
        let Shape { channels, height, width } = shape;
        let buffer = self.buffers.add(values);
        Place { buffer, channel: 0, stride: channels, channels, height, width }
    }

    /// Returns the place for a layer's stored values: a slice of a concatenation that reads them, or a new
    /// buffer if there is none or if a linear layer reads them too.
    fn place(&mut self, index: usize) -> Place {
        if let Some(place) = self.places[index] {
            return place;
        }
        let wants_dense =
            |&reader: &usize| matches!(self.layers[reader].operation, Operation::Linear { .. });
        let dense = self.readers[index].iter().any(wants_dense);
        let collector = self.readers[index]
            .iter()
            .copied()
            .find(|&reader| self.layers[reader].operation == Operation::Concatenate);
        let place = match collector {
            Some(collector) if !dense => {
                let (channel, channels) = self.channels_in(collector, index);
                self.place(collector).slice(channel, channels)
            }
            _ => self.new_place(self.layers[index].output),
        };
        self.places[index] = Some(place);
        place
    }

    /// Returns the first channel and the number of channels of an input in a concatenation, at its first
    /// occurrence.
    fn channels_in(&self, concatenation: usize, input: usize) -> (usize, usize) {
        let before = inputs(&self.layers[concatenation]).take_while(|&other| other != input);
        let channel = before.map(|other| self.layers[other].output.channels).sum();
        (channel, self.layers[input].output.channels)
    }

    fn push(&mut self, step: Step, reads_of: Vec<usize>) {
        self.steps.push(step);
        self.reads_of.push(reads_of);
    }

    /// Returns true if some reader needs a layer's values stored, or if computing them in each reader costs
    /// more.
    fn is_stored(&self, index: usize) -> bool {
        let readers = &self.readers[index];
        let needs = |&reader: &usize| match self.layers[reader].operation {
            Operation::MaxPool(_)
            | Operation::AveragePool(_)
            | Operation::GlobalAveragePool
            | Operation::BatchNormActivation(_)
            | Operation::Linear { .. } => true,
            Operation::Convolution(c) => c.activation_before() == Activation::Relu,
            _ => false,
        };
        let last = index + 1 == self.layers.len();
        let terms = self.terms[index].len();
        last || readers.iter().any(needs)
            || (terms == 2 && self.reading_steps(index) > 1)
            || terms > 2
    }

    /// Counts the steps that read a layer; fused convolutions count once.
    fn reading_steps(&self, index: usize) -> usize {
        let computed = |&&reader: &&usize| match self.layers[reader].operation {
            Operation::Convolution(_) => !self.together[reader].is_empty(),
            _ => true,
        };
        self.readers[index].iter().filter(computed).count()
    }

    /// Adds the steps of a layer.
    fn add(&mut self, index: usize) {
        let layer = &self.layers[index];
        let read: Vec<usize> = inputs(layer).collect();
        match layer.operation {
            Operation::Input => {
                let place = self.new_place(layer.output);
                self.places[index] = Some(place);
                self.terms[index] = vec![plain(place)];
            }
            Operation::Zero => self.terms[index] = Vec::new(),
            Operation::Convolution(_) => {
                if !self.together[index].is_empty() {
                    self.add_convolutions(index);
                }
            }
            Operation::Add => {
                self.terms[index] =
                    read.iter().flat_map(|&input| self.terms[input].clone()).collect();
                self.push(Step::Pass { to: Vec::new(), clear: Vec::new() }, vec![index]);
            }
            Operation::Truncate { channels } => {
                let narrow =
                    |term: &Summand| Summand { place: term.place.slice(0, channels), ..*term };
                self.terms[index] = self.terms[read[0]].iter().map(narrow).collect();
                self.push(Step::Pass { to: Vec::new(), clear: Vec::new() }, vec![index]);
            }
            Operation::Concatenate => self.add_concatenation(index, &read),
            Operation::MaxPool(window) => {
                self.add_pooling(index, read[0], Pooling::Maximum, window)
            }
            Operation::AveragePool(window) => {
                self.add_pooling(index, read[0], Pooling::Average, window);
            }
            Operation::GlobalAveragePool => {
                let (from, to) = (self.stored(read[0]), self.place(index));
                self.push(Step::Global { from, to, gradient: None, towards: None }, vec![index]);
                self.terms[index] = vec![plain(to)];
            }
            Operation::BatchNormActivation(activation) => {
                let z = self.stored(read[0]);
                let coefficients = self.new_coefficients(z.channels);
                let (applied, gradient) = (true, None);
                let relu = activation == Activation::Relu;
                let part = OutputPart {
                    layer: index,
                    channel: 0,
                    z,
                    coefficients,
                    relu,
                    applied,
                    gradient,
                };
                self.terms[index] = vec![normalised(&part)];
                self.push(Step::Norm { part, towards: None }, vec![index]);
            }
            Operation::Linear { .. } => {
                let (from, to) = (self.stored_as_rows(read[0]), self.place(index));
                let weights = self.new_weights(layer.input.values() as usize * to.channels);
                let (gradient, towards) = (None, None);
                let step = Step::Linear { layer: index, from, to, gradient, towards, weights };
                self.push(step, vec![index]);
                self.terms[index] = vec![plain(to)];
            }
        }
        if self.is_stored(index) {
            self.stored(index);
        }
    }

    /// Adds the copies of those inputs of a concatenation that are not written into place.
    fn add_concatenation(&mut self, index: usize, read: &[usize]) {
        let place = self.place(index);
        let mut channel = 0;
        for &input in read {
            let channels = self.layers[input].output.channels;
            let slice = place.slice(channel, channels);
            if self.terms[input] != [plain(slice)] {
                let sources = Sources { terms: self.terms[input].clone(), relu: false };
                self.push(Step::Combine { sources, to: slice }, Vec::new());
            }
            channel += channels;
        }
        self.terms[index] = vec![plain(place)];
        self.push(Step::Pass { to: Vec::new(), clear: Vec::new() }, vec![index]);
    }

    /// Adds a pooling of a layer's values.
    fn add_pooling(&mut self, index: usize, input: usize, pooling: Pooling, window: Window) {
        let (from, to) = (self.stored(input), self.place(index));
        let bytes = self.batch * self.layers[index].output.values() as usize;
        let chosen = (pooling == Pooling::Maximum).then(|| self.buffers.add(bytes.div_ceil(4)));
        let (gradient, towards) = (None, None);
        let step = Step::Pool { pooling, window, from, to, chosen, gradient, towards };
        self.push(step, vec![index]);
        self.terms[index] = vec![plain(to)];
    }

    fn write_out(&mut self, index: usize) {
        let to = self.place(index);
        let sources = Sources { terms: std::mem::take(&mut self.terms[index]), relu: false };
        self.push(Step::Combine { sources, to }, Vec::new());
        self.terms[index] = vec![plain(to)];
    }

    /// Returns the place of a layer's stored values; adds a step that stores them if none does.
    fn stored(&mut self, index: usize) -> Place {
        if !matches!(self.terms[index].as_slice(), [one] if one.affine.is_none() && !one.relu) {
            self.write_out(index);
        }
        self.terms[index][0].place
    }

    /// Returns the place of a layer's stored values, all those of an image one after another; adds a step that
    /// stores them so if they are some channels of wider maps.
    fn stored_as_rows(&mut self, index: usize) -> Place {
        let place = self.stored(index);
        if place.height * place.width > 1 && place.stride > place.channels {
            self.write_out(index);
        }
        self.terms[index][0].place
    }

    fn new_coefficients(&mut self, channels: usize) -> usize {
        let first = self.coefficients;
        self.coefficients += channels.next_multiple_of(16);
        first
    }

    fn new_weights(&mut self, values: usize) -> usize {
        let first = self.weights;
        self.weights += values.next_multiple_of(16);
        first
    }

    /// Adds a step for the convolutions that are fused with a layer.
    fn add_convolutions(&mut self, index: usize) {
        let members = self.together[index].clone();
        let layer = &self.layers[index];
        let Operation::Convolution(first) = layer.operation else { return };
        let input = layer.inputs[0].index();
        let channels: usize =
            members.iter().map(|&member| self.layers[member].output.channels).sum();
        let z = self.new_place(Shape { channels, ..layer.output });
        let coefficients = self.new_coefficients(channels);
        let mut parts = Vec::with_capacity(members.len());
        let mut channel = 0;
        for &member in &members {
            let Operation::Convolution(c) = self.layers[member].operation else { continue };
            let relu = c.activation_after() == Activation::Relu;
            let part = OutputPart {
                layer: member,
                channel,
                z: z.slice(channel, c.channels),
                coefficients: coefficients + channel,
                relu,
                applied: c.batch_norm || c.bias,
                gradient: None,
            };
            self.terms[member] = vec![normalised(&part)];
            parts.push(part);
            channel += c.channels;
        }
        let depthwise = first.groups > 1
            && first.groups == first.channels
            && first.groups == layer.input.channels;
        let groups = if depthwise { 1 } else { first.groups };
        let window = ConvolutionWindow {
            kernel: first.kernel,
            stride: first.stride,
            padding: first.padding,
            input: (layer.input.height, layer.input.width),
            output: (layer.output.height, layer.output.width),
            inputs: layer.input.channels / groups,
            outputs: channels / groups,
        };
        let kind = match (depthwise, winograd_pays(&window) && groups == 1) {
            (true, _) => ConvolutionKernel::Depthwise,
            (false, true) => ConvolutionKernel::Winograd,
            (false, false) => ConvolutionKernel::Direct,
        };
        // Transformed weights are a matrix for each position.
        let taps =
            if kind == ConvolutionKernel::Winograd { 1 } else { window.kernel * window.kernel };
        let (inputs, outputs, lanes) = (window.inputs, window.outputs, self.lanes);
        let packing = [
            Packing { taps, inputs, outputs, lanes },
            Packing { taps, inputs: outputs, outputs: inputs, lanes },
        ];
        let packed = packing.map(|packing| {
            self.new_weights(match kind {
                ConvolutionKernel::Winograd => winograd_values(&packing),
                _ => groups * packing.values(),
            })
        });
        let weights = self.new_weights(groups * window.weights());
        let relu = first.activation_before() == Activation::Relu;
        let sources = Sources { terms: self.terms[input].clone(), relu };
        let convolution = ConvolutionStep {
            taps: window.taps(),
            classes: window.classes(lanes),
            groups_of_images: image_groups(&window, groups, self.batch),
            window,
            groups,
            kind,
            sources,
            z,
            parts,
            packing,
            packed,
            weights,
            towards: None,
        };
        self.push(Step::Convolution(Box::new(convolution)), members);
    }

    /// Assigns gradients and lifetimes, and lays out the memory.
    fn finish(mut self) -> Result<Plan, KernelError> {
        let gradients = self.gradients();
        let mut steps = std::mem::take(&mut self.steps);
        self.direct_gradients(&gradients, &mut steps);
        let last = self.layers.len() - 1;
        let (Some(images), Some(gradient)) = (self.places[0], gradients[last]) else {
            return Err(KernelError::Network("it has no input".into()));
        };
        let logits = self.terms[last][0].place;
        let loss = steps.len();
        for (index, step) in steps.iter().enumerate() {
            let backward = 2 * loss - index;
            touch(step, |buffer, passes| {
                if passes.0 {
                    self.buffers.touch(buffer, index);
                }
                if passes.1 {
                    self.buffers.touch(buffer, backward);
                }
            });
        }
        self.buffers.touch(images.buffer, 0);
        self.buffers.touch(logits.buffer, loss);
        self.buffers.touch(gradient.buffer, loss);
        let (buffers, arena) = self.buffers.lay_out();
        Ok(Plan {
            steps,
            buffers,
            arena,
            batch: self.batch,
            images,
            logits,
            gradient,
            coefficients: self.coefficients,
            weights: self.weights,
        })
    }

    /// Sets the source and the target of each step's gradient, from the last step to the first.
    fn direct_gradients(&self, gradients: &[Option<Place>], steps: &mut [Step]) {
        let mut written = vec![false; self.layers.len()];
        written[self.layers.len() - 1] = true;
        for (step, outputs) in steps.iter_mut().zip(&self.reads_of).rev() {
            let Some(&output) = outputs.first() else { continue };
            let layer = &self.layers[output];
            let from = gradients[output];
            let mut target = || {
                let input = inputs(layer).next()?;
                gradient_target(gradients, &mut written, input)
            };
            match step {
                Step::Combine { .. } => {}
                Step::Pass { to, clear } => {
                    if let Some(from) = from {
                        (*to, *clear) = self.passed_on(layer, from, gradients, &mut written);
                    }
                }
                Step::Convolution(convolution) => {
                    for part in &mut convolution.parts {
                        part.gradient = gradients[part.layer];
                    }
                    convolution.towards = target();
                }
                Step::Pool { gradient, towards: to, .. }
                | Step::Global { gradient, towards: to, .. }
                | Step::Linear { gradient, towards: to, .. } => {
                    *gradient = from;
                    *to = target();
                }
                Step::Norm { part, towards: to } => {
                    part.gradient = from;
                    *to = target();
                }
            }
        }
    }

    /// The copies that pass a layer's gradient on to its inputs, and the gradients to clear before them:
    /// those of which the copies fill a part only.
    fn passed_on(
        &self,
        layer: &Layer,
        from: Place,
        gradients: &[Option<Place>],
        written: &mut [bool],
    ) -> (Vec<(Place, GradientTarget)>, Vec<Place>) {
        let (mut to, mut clear) = (Vec::new(), Vec::new());
        let mut channel = 0;
        for input in inputs(layer) {
            let part = match layer.operation {
                Operation::Concatenate => {
                    let channels = self.layers[input].output.channels;
                    channel += channels;
                    from.slice(channel - channels, channels)
                }
                _ => from,
            };
            let Some(goal) = gradients[input] else { continue };
            if goal == part {
                written[input] = true;
                continue;
            }
            let whole = goal.channels == part.channels;
            if !whole && !std::mem::replace(&mut written[input], true) {
                clear.push(goal);
            }
            let add = std::mem::replace(&mut written[input], true);
            to.push((part, GradientTarget { place: goal.slice(0, part.channels), add }));
        }
        (to, clear)
    }

    /// Returns the place of each layer's gradient: the reader's, or a slice of it, if the only reader is a
    /// sum or a concatenation; otherwise a new buffer. Layers that depend on no trainable parameter have
    /// none.
    fn gradients(&mut self) -> Vec<Option<Place>> {
        let count = self.layers.len();
        let mut gradients: Vec<Option<Place>> = vec![None; count];
        for index in (0..count).rev() {
            if !self.live[index] || !self.learns[index] {
                continue;
            }
            let passed_on = match self.readers[index].as_slice() {
                [one] => match (self.layers[*one].operation, gradients[*one]) {
                    (Operation::Add, gradient) => gradient,
                    (Operation::Concatenate, Some(gradient)) => {
                        let (channel, channels) = self.channels_in(*one, index);
                        Some(gradient.slice(channel, channels))
                    }
                    _ => None,
                },
                _ => None,
            };
            gradients[index] =
                passed_on.or_else(|| Some(self.new_place(self.layers[index].output)));
        }
        gradients
    }
}

/// Returns the target of the next part of a layer's gradient, and marks it as written, so that later parts
/// are added.
fn gradient_target(
    gradients: &[Option<Place>],
    written: &mut [bool],
    layer: usize,
) -> Option<GradientTarget> {
    let place = gradients[layer]?;
    Some(GradientTarget { place, add: std::mem::replace(&mut written[layer], true) })
}

const fn plain(place: Place) -> Summand {
    Summand { place, affine: None, relu: false }
}

const fn normalised(part: &OutputPart) -> Summand {
    let affine = if part.applied { Some(part.coefficients) } else { None };
    Summand { place: part.z, affine, relu: part.relu }
}

/// Groups convolutions of the same geometry and input under the first of them; those with several groups of
/// channels stay alone.
fn together(layers: &[Layer], live: &[bool]) -> Vec<Vec<usize>> {
    let mut together: Vec<Vec<usize>> = vec![Vec::new(); layers.len()];
    let mut leaders: HashMap<_, usize> = HashMap::new();
    for (index, layer) in layers.iter().enumerate().filter(|(index, _)| live[*index]) {
        let Operation::Convolution(c) = layer.operation else { continue };
        let relu = c.activation_before() == Activation::Relu;
        let key = (layer.inputs[0], c.kernel, c.stride, c.padding, relu, c.groups);
        let leader = if c.groups == 1 { *leaders.entry(key).or_insert(index) } else { index };
        together[leader].push(index);
    }
    together
}

/// Returns the number of groups of a batch's images whose weight gradients are summed separately. It bounds
/// the number of threads that can share the work, and makes the sums the same for any number of threads.
fn image_groups(window: &ConvolutionWindow, groups: usize, batch: usize) -> usize {
    let bytes = groups * window.weights() * size_of::<f32>();
    let most = match bytes {
        0..=65_536 => 16,
        65_537..=300_000 => 8,
        300_001..=1_500_000 => 4,
        _ => 2,
    };
    most.min(batch)
}

/// Calls back with each buffer that a step uses, and with whether the forward and the backward pass use it.
fn touch(step: &Step, mut touch: impl FnMut(BufferId, (bool, bool))) {
    let (forward, backward, both) = ((true, false), (false, true), (true, true));
    match step {
        Step::Convolution(convolution) => {
            let ConvolutionStep { sources, z, parts, towards, .. } = &**convolution;
            sources.terms.iter().for_each(|term| touch(term.place.buffer, both));
            touch(z.buffer, both);
            parts.iter().filter_map(|part| part.gradient).for_each(|g| touch(g.buffer, backward));
            towards.iter().for_each(|goal| touch(goal.place.buffer, backward));
        }
        Step::Combine { sources, to } => {
            sources.terms.iter().for_each(|term| touch(term.place.buffer, forward));
            touch(to.buffer, forward);
        }
        Step::Pass { to, clear } => {
            for (from, goal) in to {
                touch(from.buffer, backward);
                touch(goal.place.buffer, backward);
            }
            clear.iter().for_each(|place| touch(place.buffer, backward));
        }
        Step::Pool { from, to, chosen, gradient, towards, .. } => {
            touch(from.buffer, forward);
            touch(to.buffer, forward);
            chosen.iter().for_each(|&chosen| touch(chosen, both));
            gradient.iter().for_each(|place| touch(place.buffer, backward));
            towards.iter().for_each(|goal| touch(goal.place.buffer, backward));
        }
        Step::Global { from, to, gradient, towards } => {
            touch(from.buffer, forward);
            touch(to.buffer, forward);
            gradient.iter().for_each(|place| touch(place.buffer, backward));
            towards.iter().for_each(|goal| touch(goal.place.buffer, backward));
        }
        Step::Norm { part, towards } => {
            touch(part.z.buffer, both);
            part.gradient.iter().for_each(|place| touch(place.buffer, backward));
            towards.iter().for_each(|goal| touch(goal.place.buffer, backward));
        }
        Step::Linear { from, to, gradient, towards, .. } => {
            touch(from.buffer, both);
            touch(to.buffer, forward);
            gradient.iter().for_each(|place| touch(place.buffer, backward));
            towards.iter().for_each(|goal| touch(goal.place.buffer, backward));
        }
    }
}
