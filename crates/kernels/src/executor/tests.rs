//! Training of random networks: every plan passes the kernels' checks, and threads change nothing.

use candle_core::{Device, Var};

use super::Executor;
use crate::parameters::{LayerVariables, NormVariables, Parameters};
use crate::simd::SimdLevel;
use tandem_network::{
    Activation, ActivationOrder, Convolution, LayerId, LayerSink as _, Network, NetworkBuilder,
    Operation, Shape, Window,
};

/// Numbers by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A value from -1 to 1.
    fn value(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

fn convolution(random: &mut Random, inputs: usize) -> Operation {
    let kernel = random.one_of(&[1, 1, 2, 3, 3, 3, 5]);
    let channels = random.one_of(&[5, 16, 33, 40, 64, 128]);
    let (channels, groups) = match random.below(6) {
        0 => (inputs, inputs),
        1 if inputs.is_multiple_of(2) => (16, 2),
        _ => (channels, 1),
    };
    let (bias, batch_norm) = random.one_of(&[(false, true), (true, false), (false, false)]);
    Operation::Convolution(Convolution {
        channels,
        kernel,
        stride: random.one_of(&[1, 1, 1, 2, 3]),
        padding: random.one_of(&[0, kernel / 2, kernel / 2]),
        groups,
        bias,
        batch_norm,
        activation: random.one_of(&[Activation::Relu, Activation::Relu, Activation::None]),
        activation_order: random.one_of(&[ActivationOrder::Before, ActivationOrder::After]),
    })
}

/// An operation and its inputs.
fn layer(random: &mut Random, net: &NetworkBuilder, ids: &[LayerId]) -> (Operation, Vec<LayerId>) {
    let from = ids[ids.len() - 1 - random.below(ids.len().min(3))];
    let shape = net.shape(from);
    let alike = |same: &dyn Fn(Shape) -> bool| -> Vec<LayerId> {
        ids.iter().rev().copied().filter(|&id| same(net.shape(id))).take(4).collect()
    };
    let stride = random.one_of(&[1, 2]);
    let window = Window { kernel: 3, stride, padding: random.below(2), ceil: false };
    match random.below(12) {
        0 => (Operation::Add, alike(&|other| other == shape)),
        1 => {
            let same = |other: Shape| (other.height, other.width) == (shape.height, shape.width);
            (Operation::Concatenate, alike(&same))
        }
        2 => (Operation::MaxPool(window), vec![from]),
        3 => (Operation::AveragePool(window), vec![from]),
        4 => (Operation::Truncate { channels: shape.channels.div_ceil(2) }, vec![from]),
        5 => (Operation::BatchNormActivation(Activation::Relu), vec![from]),
        6 if random.below(4) == 0 => (Operation::Zero, vec![from]),
        _ => (convolution(random, shape.channels), vec![from]),
    }
}

fn network(random: &mut Random) -> Network {
    let image = Shape::new(random.one_of(&[1, 3, 8]), 5 + random.below(8), 5 + random.below(8));
    let (mut net, input) = NetworkBuilder::new(image);
    let mut ids = vec![input];
    for index in 0..12 {
        let (operation, inputs) = layer(random, &net, &ids);
        // Operations that do not fit the image are left out.
        ids.extend(net.add(format_args!("layer{index}"), operation, &inputs));
    }
    let mut last = ids[ids.len() - 1];
    if random.below(3) > 0 {
        last = net.add("mean", Operation::GlobalAveragePool, &[last]).unwrap();
    }
    net.add("classes", Operation::Linear { features: 5 }, &[last]).unwrap();
    net.finish()
}

/// A network's variables.
struct Model {
    network: Network,
    variables: Vec<Var>,
    layers: Vec<LayerVariables>,
}

impl Model {
    fn new(network: Network, random: &mut Random) -> Self {
        let mut variables = Vec::new();
        let mut layers = Vec::new();
        let mut variable = |count: usize, least: f32, spread: f32| {
            let values: Vec<f32> = (0..count).map(|_| least + spread * random.value()).collect();
            variables.push(Var::from_vec(values, count, &Device::Cpu).unwrap());
            variables.len() - 1
        };
        for layer in network.layers() {
            let channels = layer.output.channels;
            let mut own = LayerVariables::default();
            let normalised = match layer.operation {
                Operation::Convolution(c) => {
                    let row = c.kernel * c.kernel * layer.input.channels / c.groups;
                    own.weight = Some(variable(row * channels, 0.0, 2.0 / (row as f32).sqrt()));
                    own.bias = c.bias.then(|| variable(channels, 0.0, 0.3));
                    c.batch_norm
                }
                Operation::Linear { .. } => {
                    let inputs = layer.input.values() as usize;
                    own.weight = Some(variable(inputs * channels, 0.0, 0.2));
                    own.bias = Some(variable(channels, 0.0, 0.3));
                    false
                }
                Operation::BatchNormActivation(_) => true,
                _ => false,
            };
            own.norm = normalised.then(|| NormVariables {
                weight: variable(channels, 1.0, 0.3),
                bias: variable(channels, 0.0, 0.3),
                mean: variable(channels, 0.0, 0.1),
                variance: variable(channels, 1.0, 0.3),
            });
            layers.push(own);
        }
        Self { network, variables, layers }
    }

    fn parameters(&self) -> Parameters<'_> {
        Parameters { network: &self.network, variables: &self.variables, layers: &self.layers }
    }
}

/// Returns the bits of the logits and gradients of a training step, and of the logits of an evaluation;
/// `None` if the network cannot be trained.
fn step(model: &Model, level: SimdLevel, threads: usize) -> Option<Vec<u32>> {
    let mut executor = Executor::with_level(threads, level);
    executor.prepare(model.parameters(), 7).ok()?;
    let mut random = Random(5);
    executor.images_mut().iter_mut().for_each(|value| *value = random.value());
    let labels: Vec<u32> = (0..6).map(|image| image % 5).collect();
    executor.train(model.parameters(), &labels, 0.1, 0.0).unwrap();
    let mut bits: Vec<u32> = Vec::new();
    bits.extend(executor.logits(6).iter().map(|value| value.to_bits()));
    bits.extend(executor.gradients().iter().flatten().map(|value| value.to_bits()));
    executor.images_mut().iter_mut().for_each(|value| *value = random.value());
    executor.evaluate(model.parameters(), &labels[..5]).unwrap();
    bits.extend(executor.logits(5).iter().map(|value| value.to_bits()));
    Some(bits)
}

#[test]
fn random_networks_train_alike_on_any_number_of_threads() {
    let mut trained = 0;
    for seed in 0..60 {
        let mut random = Random(seed);
        let network = network(&mut random);
        let model = Model::new(network, &mut random);
        for level in SimdLevel::available() {
            let one = step(&model, level, 1);
            trained += usize::from(one.is_some());
            assert!(one == step(&model, level, 3), "{level:?}, network {seed}");
        }
    }
    assert!(trained >= 50 * SimdLevel::available().len(), "{trained}");
}

/// Returns the logits of six images in evaluation.
fn logits(model: &Model, images: usize) -> Vec<f32> {
    let mut executor = Executor::new(2);
    executor.prepare(model.parameters(), images).unwrap();
    let mut random = Random(5);
    let mut logits = Vec::new();
    for _ in (0..6).step_by(images) {
        executor.images_mut().iter_mut().for_each(|value| *value = random.value());
        executor.evaluate(model.parameters(), &vec![0; images]).unwrap();
        logits.extend_from_slice(executor.logits(images));
    }
    logits
}

#[test]
fn a_linear_layer_reads_the_channels_of_a_truncation_alone() {
    // The same weights, but that those of the other channels are 0.
    let model = |truncated: bool| {
        let (mut net, mut x) = NetworkBuilder::new(Shape::new(4, 3, 5));
        if truncated {
            x = net.add("some", Operation::Truncate { channels: 2 }, &[x]).unwrap();
        }
        net.add("classes", Operation::Linear { features: 3 }, &[x]).unwrap();
        let mut random = Random(7);
        let rows: Vec<Vec<f32>> =
            (0..3).map(|_| (0..30).map(|_| random.value()).collect()).collect();
        let mut model = Model::new(net.finish(), &mut random);
        let zeros = vec![0.0; if truncated { 0 } else { 30 }];
        let weights: Vec<f32> =
            rows.into_iter().flat_map(|row| [row, zeros.clone()].concat()).collect();
        let count = weights.len();
        model.variables[0] = Var::from_vec(weights, count, &Device::Cpu).unwrap();
        model.variables[1] = Var::from_vec(vec![0.5_f32; 3], 3, &Device::Cpu).unwrap();
        model
    };
    let (all, some) = (logits(&model(false), 6), logits(&model(true), 6));
    assert!(all.iter().zip(&some).all(|(a, b)| (a - b).abs() < 1e-5), "{all:?} {some:?}");
}

#[test]
fn linear_layers_write_their_channels_of_a_concatenation() {
    let (mut net, x) = NetworkBuilder::new(Shape::new(6, 1, 1));
    let parts = [("a", 3), ("b", 2)]
        .map(|(name, features)| net.add(name, Operation::Linear { features }, &[x]).unwrap());
    let joined = net.add("joined", Operation::Concatenate, &parts).unwrap();
    net.add("classes", Operation::Linear { features: 4 }, &[joined]).unwrap();
    let model = Model::new(net.finish(), &mut Random(3));
    // An image's logits do not depend on the other images of its batch.
    assert_eq!(logits(&model, 6), logits(&model, 1));
}
