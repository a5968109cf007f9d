//! Lowering of a network to the operations that the accelerator runs.

use std::fmt;
use std::ops::Range;

use super::operation::{OperationKind, Work};
use super::program::Program;
use super::queue::Queue;
use crate::network::{
    Activation, Family, LayerSink, Network, NetworkError, Operation, Shape, layer_shapes,
};

/// Reasons that the accelerator cannot run a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// A layer that the accelerator cannot compute.
    #[error("layer `{layer}` cannot run on chaidnn: {reason}")]
    Layer {
        /// The layer's name.
        layer: String,
        /// The reason, after `cannot run on chaidnn:`.
        reason: &'static str,
    },
    /// A layer with an activation that the accelerator has no circuit for.
    #[error(
        "layer `{layer}` cannot run on chaidnn: its activation is {activation}, and chaidnn computes \
         only relu"
    )]
    Activation {
        /// The layer's name.
        layer: String,
        /// The layer's activation.
        activation: Activation,
    },
    /// The network has no operation for the accelerator.
    #[error(
        "the network has no layer that chaidnn would run: it needs a convolution, a pooling or a sum"
    )]
    Nothing,
    /// The sizes of the layers do not fit together.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// A reason against a layer whose name is not known yet.
enum Refusal {
    /// The layer is not supported.
    Reason(&'static str),
    /// The activation is not supported.
    Activation(Activation),
}

impl Refusal {
    fn of(self, layer: String) -> LowerError {
        match self {
            Self::Reason(reason) => LowerError::Layer { layer, reason },
            Self::Activation(activation) => LowerError::Activation { layer, activation },
        }
    }
}

/// Lists the operations of a network in queue order.
///
/// Layers that the output does not depend on are left out. A sum of n layers becomes n - 1 sums of two.
/// Concatenation, truncation, batch normalization and ReLU cost nothing: they are a matter of addresses, or
/// folded into the neighboring convolution. Global average pooling is average pooling whose window is the
/// feature map. Fully connected layers run on the processor, overlapping with the next batch, and are not
/// part of the latency.
///
/// # Errors
/// If a convolution has more than two groups, an activation is not ReLU, a layer reads a fully connected one,
/// or the network has nothing to run.
pub fn lower(network: &Network) -> Result<Program, LowerError> {
    let network = network.pruned();
    let mut lowering = Lowering::default();
    let mut names = Vec::new();
    for layer in network.layers() {
        let inputs = layer.inputs.iter().map(|id| id.index() as u32);
        lowering
            .layer(layer.operation, inputs, (layer.input, layer.output))
            .map_err(|refusal| refusal.of(layer.name.clone()))?;
        names.resize(lowering.queue.len(), layer.name.clone());
    }
    if lowering.queue.len() == 0 {
        Err(LowerError::Nothing)
    } else {
        Ok(Program::new(lowering.queue, names))
    }
}

/// Lowers a network of a family, without names, into a reused [`Lowering`], which is reset first.
///
/// # Errors
/// As [`lower`], or if sizes do not fit together.
pub(super) fn lower_into<F: Family>(
    lowering: &mut Lowering,
    family: &F,
    network: usize,
) -> Result<(), LowerError> {
    if F::ALL_USED {
        let image = lowering.start(family.image());
        family.assemble(network, lowering, image)?;
    } else {
        lowering.queue = lower(&family.network(network)?)?.into_queue();
    }
    if lowering.queue.len() == 0 { Err(LowerError::Nothing) } else { Ok(()) }
}

/// Converter of layers to queued operations, one by one.
///
/// As a [`LayerSink`] it keeps no names and leaves nothing out, so every layer must lead to the output.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    queue: Queue,
    layers: Vec<Lowered>,
    /// The tasks that compute the outputs of the layers, one ascending list after another.
    producers: Vec<u32>,
}

#[derive(Debug)]
struct Lowered {
    output: Shape,
    producers: Range<u32>,
    on_processor: bool,
}

impl Lowering {
    /// Resets to an image and reuses the memory; returns the id of the image.
    pub(super) fn start(&mut self, image: Shape) -> u32 {
        self.queue.clear();
        self.layers.clear();
        self.producers.clear();
        self.keep(image, 0, false)
    }

    /// The operations so far.
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Adds a layer with input shape `input` and output shape `output`; returns its id.
    fn layer(
        &mut self,
        operation: Operation,
        inputs: impl Iterator<Item = u32> + Clone,
        (input, output): (Shape, Shape),
    ) -> Result<u32, Refusal> {
        let is_linear = matches!(operation, Operation::Linear { .. });
        let after_linear = inputs.clone().any(|id| self.layers[id as usize].on_processor);
        if after_linear && !is_linear {
            let reason = "it reads a fully connected layer, which runs on the processor";
            return Err(Refusal::Reason(reason));
        }
        // The accelerator's pipelines end in an optional ReLU and have no other function.
        let activation = operation.activation();
        if !matches!(activation, Activation::None | Activation::Relu) {
            return Err(Refusal::Activation(activation));
        }
        let first = self.producers.len();
        if operation == Operation::Add {
            let work =
                Work { kind: OperationKind::Add, input: output, output, kernel: 1, stride: 1 };
            for (index, id) in inputs.enumerate() {
                self.gather(first, id);
                if index > 0 {
                    self.run(work, first);
                }
            }
            return Ok(self.keep(output, first, false));
        }
        let (kind, kernel, stride) = match operation {
            Operation::Input
            | Operation::Zero
            | Operation::Concatenate
            | Operation::Truncate { .. }
            | Operation::BatchNormActivation(_)
            | Operation::Linear { .. }
            | Operation::Add => {
                if operation != Operation::Zero {
                    inputs.for_each(|id| self.gather(first, id));
                }
                return Ok(self.keep(output, first, is_linear));
            }
            Operation::Convolution(c) if c.groups > 2 => {
                return Err(Refusal::Reason("it has more than two groups"));
            }
            Operation::Convolution(c) => {
                (OperationKind::Convolution { groups: c.groups }, c.kernel, c.stride)
            }
            Operation::MaxPool(w) => (OperationKind::MaxPool, w.kernel, w.stride),
            Operation::AveragePool(w) => (OperationKind::AveragePool, w.kernel, w.stride),
            Operation::GlobalAveragePool => {
                let window = input.height.max(input.width);
                (OperationKind::AveragePool, window, window)
            }
        };
        inputs.for_each(|id| self.gather(first, id));
        self.run(Work { kind, input, output, kernel, stride }, first);
        Ok(self.keep(output, first, false))
    }

    /// Merges the tasks that compute a layer's output into the list that starts at `first`.
    fn gather(&mut self, first: usize, layer: u32) {
        let Range { start, end } = self.layers[layer as usize].producers;
        for index in start as usize..end as usize {
            let task = self.producers[index];
            if let Err(place) = self.producers[first..].binary_search(&task) {
                self.producers.insert(first + place, task);
            }
        }
    }

    /// Queues a task that depends on the list that starts at `first`, and replaces the list with that task.
    fn run(&mut self, work: Work, first: usize) {
        let task = self.queue.push(work, &self.producers[first..]);
        self.producers.truncate(first);
        self.producers.push(task);
    }

    fn keep(&mut self, output: Shape, first: usize, on_processor: bool) -> u32 {
        let producers = first as u32..self.producers.len() as u32;
        self.layers.push(Lowered { output, producers, on_processor });
        self.layers.len() as u32 - 1
    }
}

impl LayerSink for Lowering {
    type Id = u32;
    type Error = LowerError;

    fn shape(&self, id: u32) -> Shape {
        self.layers[id as usize].output
    }

    fn add(
        &mut self,
        name: impl fmt::Display,
        operation: Operation,
        inputs: &[u32],
    ) -> Result<u32, LowerError> {
        let shapes = layer_shapes(&name, operation, inputs.iter().map(|&id| self.shape(id)))?;
        self.layer(operation, inputs.iter().copied(), shapes)
            .map_err(|refusal| refusal.of(name.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{ActivationOrder, Convolution, LayerId, NetworkBuilder, Window};

    fn small() -> (NetworkBuilder, LayerId) {
        let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
        let stem = net.conv_bn("stem", image, (16, 3, 1), Activation::Relu).unwrap();
        (net, stem)
    }

    fn describe(net: NetworkBuilder) -> Vec<(String, Vec<u32>)> {
        let program = lower(&net.finish()).unwrap();
        let task =
            |(task, name): (usize, &String)| (name.clone(), program.queue().after(task).to_vec());
        program.names().iter().enumerate().map(task).collect()
    }

    #[test]
    fn a_sum_of_three_is_two_sums_and_concatenation_is_free() {
        let (mut net, stem) = small();
        let a = net.conv_bn("a", stem, (16, 1, 1), Activation::Relu).unwrap();
        let b = net.conv_bn("b", stem, (16, 3, 1), Activation::Relu).unwrap();
        net.conv_bn("unused", stem, (16, 3, 1), Activation::Relu).unwrap();
        let sum = net.sum("sum", &[stem, a, b]).unwrap();
        let concat = net.add("concat", Operation::Concatenate, &[sum, b]).unwrap();
        let window = Window { kernel: 3, stride: 1, padding: 1, ceil: false };
        let pool = net.add("pool", Operation::MaxPool(window), &[concat]).unwrap();
        net.add("classifier", Operation::Linear { features: 10 }, &[pool]).unwrap();
        let expected = [
            ("stem", vec![]),
            ("a", vec![0]),
            ("b", vec![0]),
            ("sum", vec![0, 1]),
            ("sum", vec![2, 3]),
            ("pool", vec![2, 4]),
        ];
        assert_eq!(describe(net), expected.map(|(name, after)| (name.to_owned(), after)));
    }

    #[test]
    fn what_cannot_run_is_refused() {
        let (mut net, stem) = small();
        let depthwise = Convolution {
            channels: 16,
            kernel: 3,
            stride: 1,
            padding: 1,
            groups: 16,
            bias: false,
            batch_norm: true,
            activation: Activation::Relu,
            activation_order: ActivationOrder::After,
        };
        net.add("depthwise", Operation::Convolution(depthwise), &[stem]).unwrap();
        assert_eq!(
            lower(&net.finish()).unwrap_err().to_string(),
            "layer `depthwise` cannot run on chaidnn: it has more than two groups"
        );

        let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
        net.add("classifier", Operation::Linear { features: 10 }, &[image]).unwrap();
        assert_eq!(lower(&net.finish()).unwrap_err(), LowerError::Nothing);

        let (mut net, stem) = small();
        let linear = net.add("hidden", Operation::Linear { features: 10 }, &[stem]).unwrap();
        net.conv_bn("late", linear, (10, 1, 1), Activation::None).unwrap();
        assert_eq!(
            lower(&net.finish()).unwrap_err().to_string(),
            "layer `late` cannot run on chaidnn: it reads a fully connected layer, which runs on \
             the processor"
        );
    }

    #[test]
    fn activations_other_than_relu_are_refused() {
        for activation in Activation::ALL {
            let (mut net, stem) = small();
            net.conv_bn("late", stem, (10, 1, 1), activation).unwrap();
            let lowered = lower(&net.finish());
            let (mut net, stem) = small();
            net.preactivated_conv_bn("late", stem, (10, 1, 1), activation).unwrap();
            assert_eq!(lowered.is_ok(), lower(&net.finish()).is_ok());
            let (mut net, stem) = small();
            net.add("late", Operation::BatchNormActivation(activation), &[stem]).unwrap();
            assert_eq!(lowered.is_ok(), lower(&net.finish()).is_ok());
            match activation {
                Activation::None | Activation::Relu => assert!(lowered.is_ok()),
                _ => assert_eq!(
                    lowered.unwrap_err().to_string(),
                    format!(
                        "layer `late` cannot run on chaidnn: its activation is {activation}, and \
                         chaidnn computes only relu"
                    )
                ),
            }
        }
    }
}
