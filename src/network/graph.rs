//! A network as a graph of layers, and the builder that infers shapes.

use std::collections::HashSet;

use super::layer::{Convolution, Layer, LayerId, Operation, Relu, Shape, Window};

/// What makes a layer impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Two layers of one name.
    #[error("layer `{0}` is named twice")]
    DuplicateName(String),
    /// The number of inputs does not suit the operation.
    #[error("layer `{layer}` ({operation}) has {given} inputs; it takes {expected}")]
    Inputs {
        /// The layer's name.
        layer: String,
        /// What it computes.
        operation: String,
        /// How many inputs it was given.
        given: usize,
        /// How many it takes.
        expected: &'static str,
    },
    /// The inputs' shapes do not go together.
    #[error("layer `{layer}`: shapes {first} and {second} do not fit; {rule}")]
    Shapes {
        /// The layer's name.
        layer: String,
        /// The first input's shape.
        first: Shape,
        /// The shape that differs.
        second: Shape,
        /// What the operation asks for.
        rule: &'static str,
    },
    /// The operation's sizes make no sense for its input.
    #[error("layer `{layer}` ({operation}) cannot be applied to {shape}: {reason}")]
    Sizes {
        /// The layer's name.
        layer: String,
        /// What it computes.
        operation: String,
        /// The shape it reads.
        shape: Shape,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A network: layers in topological order, the first the input, the last the output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    layers: Vec<Layer>,
}

impl Network {
    /// The layers, each after those it reads.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layer with a given id.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id.0]
    }

    /// The shape of the image.
    pub fn input(&self) -> Shape {
        self.layers[0].input
    }

    /// The shape of the output.
    pub fn output(&self) -> Shape {
        self.layers[self.layers.len() - 1].output
    }

    /// Trainable parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Multiply-accumulates for one image.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(Layer::macs).sum()
    }

    /// The network without the layers that its output does not depend on.
    ///
    /// Zeros propagate through convolutions, pooling, truncation and concatenation, and vanish
    /// from sums; a layer that nothing reads is dropped. A convolution of zeros counts as zeros:
    /// its batch normalisation may add a constant, which hardware folds into the next layer. The
    /// network's input and the layers from a stand-alone batch normalisation on are kept, so that
    /// even a network whose output is constant has something to run.
    pub fn pruned(&self) -> Self {
        let zero = self.zeros();
        let mut used = vec![false; self.layers.len()];
        let mut pending = vec![self.layers.len() - 1];
        while let Some(index) = pending.pop() {
            if !used[index] {
                used[index] = true;
                pending.extend(self.live_inputs(index, &zero).map(|id| id.0));
            }
        }
        used[0] = true;

        let mut moved = vec![LayerId(0); self.layers.len()];
        let mut layers: Vec<Layer> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate().filter(|(index, _)| used[*index]) {
            let inputs: Vec<LayerId> =
                self.live_inputs(index, &zero).map(|id| moved[id.0]).collect();
            if layer.operation == Operation::Add && inputs.len() == 1 {
                moved[index] = inputs[0];
                continue;
            }
            let mut layer = layer.clone();
            if zero[index] {
                layer.operation = Operation::Zero;
            }
            layer.inputs = inputs;
            moved[index] = LayerId(layers.len());
            layers.push(layer);
        }
        Self { layers }
    }

    fn live_inputs<'a>(
        &'a self,
        index: usize,
        zero: &'a [bool],
    ) -> impl Iterator<Item = LayerId> + 'a {
        let layer = &self.layers[index];
        let keep = !zero[index];
        let is_sum = layer.operation == Operation::Add;
        layer.inputs.iter().copied().filter(move |id| keep && !(is_sum && zero[id.0]))
    }

    /// For each layer, whether its output is constant zero.
    fn zeros(&self) -> Vec<bool> {
        let mut zero = vec![false; self.layers.len()];
        for (index, layer) in self.layers.iter().enumerate() {
            zero[index] = match layer.operation {
                Operation::Zero => true,
                Operation::Input
                | Operation::BatchNormRelu
                | Operation::GlobalAveragePool
                | Operation::Linear { .. } => false,
                Operation::Convolution(_)
                | Operation::MaxPool(_)
                | Operation::AveragePool(_)
                | Operation::Add
                | Operation::Concatenate
                | Operation::Truncate { .. } => layer.inputs.iter().all(|id| zero[id.0]),
            };
        }
        zero
    }
}

/// Builds a network layer by layer, checking shapes on the way.
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    layers: Vec<Layer>,
    names: HashSet<String>,
}

impl NetworkBuilder {
    /// Starts with an image of the given shape; the input layer is named `input`.
    pub fn new(image: Shape) -> (Self, LayerId) {
        let input = Layer {
            name: "input".into(),
            operation: Operation::Input,
            inputs: Vec::new(),
            input: image,
            output: image,
        };
        (Self { layers: vec![input], names: HashSet::from(["input".into()]) }, LayerId(0))
    }

    /// The shape that a layer gives.
    pub fn shape(&self, id: LayerId) -> Shape {
        self.layers[id.0].output
    }

    /// Adds a layer.
    ///
    /// # Errors
    /// A name that is taken, a number of inputs that the operation does not take, or shapes that
    /// do not fit.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        operation: Operation,
        inputs: &[LayerId],
    ) -> Result<LayerId, NetworkError> {
        let name = name.into();
        let (input, output) = self.shapes(&name, operation, inputs)?;
        if !self.names.insert(name.clone()) {
            return Err(NetworkError::DuplicateName(name));
        }
        self.layers.push(Layer { name, operation, inputs: inputs.to_vec(), input, output });
        Ok(LayerId(self.layers.len() - 1))
    }

    /// Adds a convolution with batch normalisation that keeps the image's size at stride 1.
    ///
    /// # Errors
    /// As [`NetworkBuilder::add`].
    pub fn conv_bn(
        &mut self,
        name: impl Into<String>,
        input: LayerId,
        (channels, kernel, stride): (usize, usize, usize),
        relu: Relu,
    ) -> Result<LayerId, NetworkError> {
        let padding = kernel / 2;
        let convolution = Convolution {
            channels,
            kernel,
            stride,
            padding,
            groups: 1,
            bias: false,
            batch_norm: true,
            relu,
        };
        self.add(name, Operation::Convolution(convolution), &[input])
    }

    /// Adds the sum of one or more layers; a single layer is its own sum.
    ///
    /// # Errors
    /// As [`NetworkBuilder::add`].
    pub fn sum(
        &mut self,
        name: impl Into<String>,
        inputs: &[LayerId],
    ) -> Result<LayerId, NetworkError> {
        match inputs {
            [one] => Ok(*one),
            _ => self.add(name, Operation::Add, inputs),
        }
    }

    /// Ends the network at its last layer.
    pub fn finish(self) -> Network {
        Network { layers: self.layers }
    }

    fn shapes(
        &self,
        name: &str,
        operation: Operation,
        inputs: &[LayerId],
    ) -> Result<(Shape, Shape), NetworkError> {
        let expected = match operation {
            Operation::Input => Some("none, and a network has one"),
            Operation::Add | Operation::Concatenate if inputs.len() < 2 => Some("two or more"),
            Operation::Add | Operation::Concatenate => None,
            _ if inputs.len() != 1 => Some("one"),
            _ => None,
        };
        if let Some(expected) = expected {
            let (layer, operation) = (name.to_owned(), operation.label());
            return Err(NetworkError::Inputs { layer, operation, given: inputs.len(), expected });
        }
        let input = self.shape(inputs[0]);
        let sizes = |reason| NetworkError::Sizes {
            layer: name.to_owned(),
            operation: operation.label(),
            shape: input,
            reason,
        };
        let mismatch = |second, rule| NetworkError::Shapes {
            layer: name.to_owned(),
            first: input,
            second,
            rule,
        };
        let others = || inputs[1..].iter().map(|&id| self.shape(id));
        let output = match operation {
            Operation::Convolution(c) => {
                if c.channels == 0 || c.groups == 0 {
                    return Err(sizes("channels and groups must be at least 1"));
                }
                if !input.channels.is_multiple_of(c.groups) || !c.channels.is_multiple_of(c.groups)
                {
                    return Err(sizes("the groups do not divide the channels"));
                }
                let window =
                    Window { kernel: c.kernel, stride: c.stride, padding: c.padding, ceil: false };
                slide(input, window).map(|s| Shape { channels: c.channels, ..s }).map_err(sizes)?
            }
            Operation::MaxPool(window) | Operation::AveragePool(window) => {
                if 2 * window.padding > window.kernel {
                    return Err(sizes("the padding is more than half the window"));
                }
                slide(input, window).map_err(sizes)?
            }
            Operation::GlobalAveragePool => Shape::new(input.channels, 1, 1),
            Operation::Add => {
                if let Some(other) = others().find(|other| *other != input) {
                    return Err(mismatch(other, "a sum takes equal shapes"));
                }
                input
            }
            Operation::Concatenate => {
                let same_size = |s: &Shape| (s.height, s.width) == (input.height, input.width);
                if let Some(other) = others().find(|other| !same_size(other)) {
                    return Err(mismatch(other, "concatenation takes equal heights and widths"));
                }
                let channels = input.channels + others().map(|s| s.channels).sum::<usize>();
                Shape { channels, ..input }
            }
            Operation::Truncate { channels } => {
                if channels == 0 || channels > input.channels {
                    return Err(sizes("it must keep between one and all of the channels"));
                }
                Shape { channels, ..input }
            }
            Operation::Linear { features: 0 } => return Err(sizes("it has no output features")),
            Operation::Linear { features } => Shape::new(features, 1, 1),
            Operation::Input | Operation::BatchNormRelu | Operation::Zero => input,
        };
        Ok((input, output))
    }
}

/// The shape after a window has slid over the input.
fn slide(input: Shape, window: Window) -> Result<Shape, &'static str> {
    let Window { kernel, stride, padding, ceil } = window;
    if kernel == 0 || stride == 0 {
        return Err("kernel and stride must be at least 1");
    }
    let along = |size: usize| {
        let span = (size + 2 * padding).checked_sub(kernel)?;
        let steps = if ceil { span.div_ceil(stride) } else { span / stride };
        // A window that starts in the padding behind the input would cover nothing.
        let last_starts_outside = ceil && steps * stride >= size + padding;
        Some(steps + 1 - usize::from(last_starts_outside))
    };
    match (along(input.height), along(input.width)) {
        (Some(height), Some(width)) => Ok(Shape { height, width, ..input }),
        _ => Err("the window is larger than the padded input"),
    }
}
