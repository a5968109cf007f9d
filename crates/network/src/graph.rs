//! A network as a graph of layers, and the builder that infers shapes.

use std::collections::HashSet;
use std::fmt;

use crate::error::{MAX_LAYERS, NetworkError};
use crate::layer::{Layer, LayerId, Operation, Shape};
use crate::layer_sink::LayerSink;
use crate::shapes::layer_shapes;

/// A network: layers in topological order, the first the input, the last the output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    layers: Vec<Layer>,
}

impl Network {
    /// Returns the layers, each after those that it reads.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the layer with a given id.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id.0]
    }

    /// Returns the shape of the input image.
    pub fn input(&self) -> Shape {
        self.layers[0].input
    }

    /// Returns the shape of the output.
    pub fn output(&self) -> Shape {
        self.layers[self.layers.len() - 1].output
    }

    /// Counts the trainable parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Counts the multiply-accumulates for one image.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(Layer::macs).sum()
    }

    /// Returns the network without the layers that its output does not depend on.
    ///
    /// Zeros propagate through convolutions, pooling, truncation and concatenation, and vanish from sums; a
    /// layer that nothing reads is dropped. A convolution of zeros counts as zeros: its batch normalization
    /// may add a constant, which hardware folds into the next layer. The input, and the layers from a
    /// separate batch normalization on, are kept, so that even a network with a constant output has layers to
    /// run.
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

    /// Returns, for each layer, true if its output is constant zero.
    fn zeros(&self) -> Vec<bool> {
        let mut zero = vec![false; self.layers.len()];
        for (index, layer) in self.layers.iter().enumerate() {
            zero[index] = match layer.operation {
                Operation::Zero => true,
                Operation::Input
                | Operation::BatchNormActivation(_)
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
    /// Starts with an image of the given shape, and returns the id of its layer, which is named `input`.
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

    /// Returns the number of layers so far, the input included.
    pub const fn len(&self) -> usize {
        self.layers.len()
    }

    /// Returns true if there are no layers; always false, since the input is one.
    pub const fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Returns true if there is a layer of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Ends the network at its last layer.
    pub fn finish(self) -> Network {
        Network { layers: self.layers }
    }

    /// Ends the network at a layer that depends on all others.
    ///
    /// # Errors
    /// [`NetworkError::Unused`] with the first layer that it does not depend on.
    pub fn finish_at(self, output: LayerId) -> Result<Network, NetworkError> {
        let mut used = vec![false; self.layers.len()];
        used[output.0] = true;
        for (index, layer) in self.layers.iter().enumerate().rev() {
            if used[index] {
                layer.inputs.iter().for_each(|input| used[input.0] = true);
            }
        }
        match used.iter().position(|used| !used) {
            None => Ok(self.finish()),
            Some(unused) => Err(NetworkError::Unused {
                layer: self.layers[unused].name.clone(),
                output: self.layers[output.0].name.clone(),
            }),
        }
    }
}

impl LayerSink for NetworkBuilder {
    type Id = LayerId;
    type Error = NetworkError;

    fn shape(&self, id: LayerId) -> Shape {
        self.layers[id.0].output
    }

    fn add(
        &mut self,
        name: impl fmt::Display,
        operation: Operation,
        inputs: &[LayerId],
    ) -> Result<LayerId, NetworkError> {
        if self.layers.len() >= MAX_LAYERS {
            return Err(NetworkError::TooMany);
        }
        let shapes = inputs.iter().map(|&id| self.shape(id));
        let (input, output) = layer_shapes(&name, operation, shapes)?;
        let name = name.to_string();
        if !self.names.insert(name.clone()) {
            return Err(NetworkError::DuplicateName(name));
        }
        self.layers.push(Layer { name, operation, inputs: inputs.to_vec(), input, output });
        Ok(LayerId(self.layers.len() - 1))
    }
}
