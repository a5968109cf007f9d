//! From a network to the operations that the accelerator runs.

use super::operation::{Kind, Work};
use super::program::{Program, Task};
use crate::network::{Layer, Network, Operation};

/// A network that the accelerator has no operations for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// A layer that the accelerator cannot compute.
    #[error("layer `{layer}` cannot run on chaidnn: {reason}")]
    Layer {
        /// The layer's name.
        layer: String,
        /// What is missing.
        reason: &'static str,
    },
    /// There is nothing to run.
    #[error(
        "the network has no layer that chaidnn would run: it needs a convolution, a pooling or a sum"
    )]
    Nothing,
}

/// Lists the operations of a network in the order in which they are queued.
///
/// Layers that the output does not depend on are left out. A sum of n layers becomes n - 1 sums of
/// two. Concatenation, truncation and batch normalisation cost nothing: they are a matter of
/// addresses, or folded into the neighbouring convolution. Global average pooling is average
/// pooling whose window is the feature map. Fully connected layers run on the processor, overlapping
/// with the next batch, and are not part of the latency.
///
/// # Errors
/// A convolution in more than two groups, a layer behind a fully connected one, or a network
/// without anything to run.
pub fn lower(network: &Network) -> Result<Program, LowerError> {
    let network = network.pruned();
    let mut tasks: Vec<Task> = Vec::new();
    // For each layer, the tasks that its output comes from.
    let mut producers: Vec<Producers> = Vec::with_capacity(network.layers().len());
    for layer in network.layers() {
        let refuse = |reason| LowerError::Layer { layer: layer.name.clone(), reason };
        let inputs: Vec<&Producers> =
            layer.inputs.iter().map(|id| &producers[id.index()]).collect();
        let after_linear = inputs.iter().any(|input| input.on_processor);
        let is_linear = matches!(layer.operation, Operation::Linear { .. });
        if after_linear && !is_linear {
            return Err(refuse("it reads a fully connected layer, which runs on the processor"));
        }
        let from = merge(&inputs);
        let mut run = |kind, kernel, stride| {
            let (input, output) = (layer.input, layer.output);
            push(&mut tasks, layer, Work { kind, input, output, kernel, stride }, from.clone())
        };
        let result = match layer.operation {
            Operation::Input | Operation::Zero => Vec::new(),
            Operation::Concatenate | Operation::Truncate { .. } | Operation::BatchNormRelu => from,
            Operation::Linear { .. } => from,
            Operation::Convolution(c) => {
                if c.groups > 2 {
                    return Err(refuse("it has more than two groups"));
                }
                run(Kind::Convolution { groups: c.groups }, c.kernel, c.stride)
            }
            Operation::MaxPool(w) => run(Kind::MaxPool, w.kernel, w.stride),
            Operation::AveragePool(w) => run(Kind::AveragePool, w.kernel, w.stride),
            Operation::GlobalAveragePool => {
                let window = layer.input.height.max(layer.input.width);
                run(Kind::AveragePool, window, window)
            }
            Operation::Add => {
                let shape = layer.output;
                let work =
                    Work { kind: Kind::Add, input: shape, output: shape, kernel: 1, stride: 1 };
                let mut sum = inputs[0].tasks.clone();
                for addend in &inputs[1..] {
                    let both = merge_tasks([&sum, &addend.tasks]);
                    sum = push(&mut tasks, layer, work, both);
                }
                sum
            }
        };
        producers.push(Producers { tasks: result, on_processor: is_linear });
    }
    Program::new(tasks).ok_or(LowerError::Nothing)
}

struct Producers {
    tasks: Vec<usize>,
    on_processor: bool,
}

fn merge(inputs: &[&Producers]) -> Vec<usize> {
    merge_tasks(inputs.iter().map(|input| &input.tasks))
}

fn merge_tasks<'a>(lists: impl IntoIterator<Item = &'a Vec<usize>>) -> Vec<usize> {
    let mut all: Vec<usize> = lists.into_iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn push(tasks: &mut Vec<Task>, layer: &Layer, work: Work, after: Vec<usize>) -> Vec<usize> {
    tasks.push(Task { name: layer.name.clone(), work, after });
    vec![tasks.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Convolution, LayerId, NetworkBuilder, Relu, Shape, Window};

    fn small() -> (NetworkBuilder, LayerId) {
        let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
        let stem = net.conv_bn("stem", image, (16, 3, 1), Relu::After).unwrap();
        (net, stem)
    }

    fn describe(net: NetworkBuilder) -> Vec<(String, Vec<usize>)> {
        let program = lower(&net.finish()).unwrap();
        program.tasks().iter().map(|task| (task.name.clone(), task.after.clone())).collect()
    }

    #[test]
    fn a_sum_of_three_is_two_sums_and_concatenation_is_free() {
        let (mut net, stem) = small();
        let a = net.conv_bn("a", stem, (16, 1, 1), Relu::After).unwrap();
        let b = net.conv_bn("b", stem, (16, 3, 1), Relu::After).unwrap();
        net.conv_bn("unused", stem, (16, 3, 1), Relu::After).unwrap();
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
            relu: Relu::After,
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
        net.conv_bn("late", linear, (10, 1, 1), Relu::None).unwrap();
        assert_eq!(
            lower(&net.finish()).unwrap_err().to_string(),
            "layer `late` cannot run on chaidnn: it reads a fully connected layer, which runs on \
             the processor"
        );
    }
}
