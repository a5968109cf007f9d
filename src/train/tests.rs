//! Comparison of kernels and plans with Candle's own operations in f64, and of those with finite differences.

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use tandem_kernels::Parameters;

use super::{Executor, Model, SimdLevel, VariableRole};
use crate::network::{
    Activation, ActivationOrder, Convolution, LayerId, LayerSink as _, MobilenetSettings,
    Nasbench101Settings, Nasbench201Settings, Network, NetworkBuilder, Operation, Shape, Window,
    mobilenet, nasbench101, nasbench201,
};
use crate::space::mobilenet::{Block, Mobilenet, Stage};
use crate::space::nasbench101::{Catalog, Cell101};
use crate::space::nasbench201::Cell201;
use crate::util::rng::stream;

const MOMENTUM: f64 = 0.1;

struct Case {
    model: Model,
    /// Images x rows x columns x channels.
    images: Vec<f32>,
    labels: Vec<u32>,
}

impl Case {
    fn new(network: &Network, images: usize, seed: u64) -> Self {
        let model = Model::new(network, seed, &Device::Cpu).unwrap();
        let mut rng = stream(seed, "test", 0);
        // Scales and offsets that are not all alike, and weights of unlike channels.
        for (index, variable) in model.variables().iter().enumerate() {
            let spread = if model.role(index) == VariableRole::Weight { 0.02 } else { 0.5 };
            let noise: Vec<f32> =
                (0..variable.elem_count()).map(|_| rng.random_range(0.0..spread)).collect();
            let noise = Tensor::from_vec(noise, variable.shape(), &Device::Cpu).unwrap();
            variable.set(&(variable.as_tensor() + noise).unwrap()).unwrap();
        }
        let shape = network.input();
        let values = images * shape.values() as usize;
        let classes = network.output().channels as u32;
        Self {
            model,
            images: (0..values).map(|_| rng.random_range(-1.0..1.0)).collect(),
            labels: (0..images).map(|_| rng.random_range(0..classes)).collect(),
        }
    }

    fn tensor(&self) -> Tensor {
        let Shape { channels, height, width } = self.model.network().input();
        let shape = (self.labels.len(), height, width, channels);
        let images = Tensor::from_slice(&self.images, shape, &Device::Cpu).unwrap();
        images.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
    }

    /// Computes the mean loss by Candle's own operations in f64.
    fn plain_loss(&self, model: &Model, smoothing: f64) -> Tensor {
        let images = self.tensor().to_dtype(DType::F64).unwrap();
        let logits = model.forward(&images, true).unwrap();
        let shares = candle_nn::ops::log_softmax(&logits, 1).unwrap();
        let labels = Tensor::new(self.labels.as_slice(), &Device::Cpu).unwrap();
        let own = shares.gather(&labels.unsqueeze(1).unwrap(), 1).unwrap().mean_all().unwrap();
        let even = shares.mean_all().unwrap();
        (own * -(1.0 - smoothing)).unwrap().sub(&(even * smoothing).unwrap()).unwrap()
    }

    fn executor(&self, threads: usize, level: SimdLevel) -> Executor {
        let mut executor = Executor::with_level(threads, level);
        executor.prepare(self.model.parameters(), self.labels.len() + 1).unwrap();
        executor.images_mut()[..self.images.len()].copy_from_slice(&self.images);
        executor
    }

    /// Compares one training step with Candle's own, for all instruction sets.
    fn check(&self) {
        let reference = self.model.to_dtype(DType::F64);
        let smoothing = 0.1;
        let loss = self.plain_loss(&reference, smoothing);
        let gradients = loss.backward().unwrap();
        let loss = loss.to_scalar::<f64>().unwrap();
        for level in SimdLevel::available() {
            let mut executor = self.executor(2, level);
            let outcome =
                executor.train(self.model.parameters(), &self.labels, smoothing, 0.0).unwrap();
            let difference = (outcome.mean_loss() - loss).abs();
            assert!(difference < 2e-5 * loss.abs(), "{level:?}: {} {loss}", outcome.mean_loss());
            for (index, variable) in reference.variables().iter().enumerate() {
                if self.model.role(index) == VariableRole::Statistic {
                    continue;
                }
                let own = &executor.gradients()[index];
                let expected = match gradients.get(variable) {
                    Some(gradient) => gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap(),
                    None => vec![0.0; own.len()],
                };
                let largest = expected.iter().fold(1e-3_f64, |most, value| most.max(value.abs()));
                for (own, expected) in own.iter().zip(&expected) {
                    let difference = (f64::from(*own) - expected).abs();
                    let name = &self.model.names()[index];
                    assert!(
                        difference < 3e-4 * largest,
                        "{level:?} {name}: {own} {expected} of {largest}\n{}",
                        self.model.network().to_text()
                    );
                }
            }
        }
        // Evaluation uses the running statistics.
        let logits =
            reference.forward(&self.tensor().to_dtype(DType::F64).unwrap(), false).unwrap();
        let logits = logits.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let largest = logits.iter().fold(1e-3_f64, |most, value| most.max(value.abs()));
        for level in SimdLevel::available() {
            let mut executor = self.executor(2, level);
            executor.evaluate(self.model.parameters(), &self.labels).unwrap();
            let own = executor.logits(self.labels.len());
            for (own, expected) in own.iter().zip(&logits) {
                assert!((f64::from(*own) - expected).abs() < 1e-4 * largest, "{own} {expected}");
            }
        }
    }
}

const fn convolution(channels: usize, kernel: usize, stride: usize, padding: usize) -> Convolution {
    Convolution {
        channels,
        kernel,
        stride,
        padding,
        groups: 1,
        bias: false,
        batch_norm: true,
        activation: Activation::Relu,
        activation_order: ActivationOrder::After,
    }
}

/// A network of consecutive operations, global pooling and a classifier.
fn chain(image: Shape, operations: &[Operation]) -> Network {
    let (mut net, mut x) = NetworkBuilder::new(image);
    for (index, &operation) in operations.iter().enumerate() {
        x = net.add(format_args!("layer{index}"), operation, &[x]).unwrap();
    }
    head(net, x, 5)
}

fn head(mut net: NetworkBuilder, x: LayerId, classes: usize) -> Network {
    let pooled = net.add("pool", Operation::GlobalAveragePool, &[x]).unwrap();
    net.add("classifier", Operation::Linear { features: classes }, &[pooled]).unwrap();
    net.finish()
}

#[test]
fn convolutions_of_all_kinds_equal_candles_own() {
    let conv = Operation::Convolution;
    let image = Shape::new(3, 9, 9);
    for (channels, kernel, stride, padding) in
        [(5, 3, 1, 1), (16, 3, 2, 1), (33, 1, 1, 0), (20, 1, 2, 0), (7, 5, 3, 2), (40, 2, 2, 0)]
    {
        let first = conv(convolution(channels, kernel, stride, padding));
        let second = conv(convolution(19, kernel.min(3), 1, 1));
        Case::new(&chain(image, &[first, second]), 3, 1).check();
    }
    // Wide enough for minimal filtering, with tiles that hang over the edges.
    for (size, padding) in [((9, 9), 1), ((8, 6), 1), ((5, 7), 0)] {
        let image = Shape::new(3, size.0, size.1);
        let first = conv(convolution(33, 1, 1, 0));
        let second = conv(Convolution {
            activation_order: ActivationOrder::Before,
            ..convolution(40, 3, 1, padding)
        });
        let third = conv(convolution(48, 3, 1, padding));
        Case::new(&chain(image, &[first, second, third]), 7, 13).check();
    }
    let biased = Convolution { bias: true, batch_norm: false, ..convolution(6, 3, 1, 1) };
    let before =
        Convolution { activation_order: ActivationOrder::Before, ..convolution(35, 3, 2, 1) };
    let bare = Convolution {
        batch_norm: false,
        activation: Activation::None,
        activation_order: ActivationOrder::After,
        ..convolution(9, 1, 1, 0)
    };
    let bare_relu = Convolution { batch_norm: false, ..convolution(9, 3, 1, 1) };
    let operations = [conv(biased), conv(before), conv(bare), conv(before), conv(bare_relu)];
    Case::new(&chain(image, &operations), 3, 2).check();
}

#[test]
fn grouped_and_depthwise_convolutions_equal_candles_own() {
    let conv = Operation::Convolution;
    let image = Shape::new(3, 9, 9);
    let grouped = Convolution { groups: 3, ..convolution(21, 3, 1, 1) };
    let strided = Convolution {
        groups: 3,
        activation_order: ActivationOrder::Before,
        ..convolution(12, 3, 2, 1)
    };
    let depthwise = Convolution { groups: 21, ..convolution(21, 3, 1, 1) };
    let depthwise_strided =
        Convolution { groups: 21, bias: true, batch_norm: false, ..convolution(21, 5, 2, 2) };
    let point = conv(convolution(21, 1, 1, 0));
    Case::new(&chain(image, &[conv(grouped), conv(strided)]), 3, 3).check();
    let operations = [point, conv(depthwise), point, conv(depthwise_strided)];
    Case::new(&chain(image, &operations), 3, 4).check();
}

#[test]
fn poolings_of_all_kinds_equal_candles_own() {
    let stem = Operation::Convolution(convolution(18, 3, 1, 1));
    let after = Operation::Convolution(convolution(4, 1, 1, 0));
    let image = Shape::new(3, 9, 10);
    for (kernel, stride, padding, ceil) in
        [(3, 1, 1, false), (2, 2, 0, false), (3, 2, 1, false), (3, 2, 0, true), (4, 3, 2, true)]
    {
        let window = Window { kernel, stride, padding, ceil };
        for pooling in [Operation::MaxPool(window), Operation::AveragePool(window)] {
            Case::new(&chain(image, &[stem, pooling, after]), 3, 5).check();
        }
    }
}

#[test]
fn graphs_of_all_kinds_equal_candles_own() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(2, 8, 9));
    let conv = Operation::Convolution;
    let a = net.add("a", conv(convolution(13, 3, 1, 1)), &[image]).unwrap();
    let b = net.add("b", conv(convolution(13, 1, 1, 0)), &[a]).unwrap();
    let c = net.add("c", conv(convolution(10, 1, 1, 0)), &[a]).unwrap();
    let sum = net.add("sum", Operation::Add, &[a, b]).unwrap();
    let twice = net.add("twice", Operation::Add, &[sum, sum]).unwrap();
    let narrow = net.add("narrow", Operation::Truncate { channels: 10 }, &[sum]).unwrap();
    let both = net.add("both", Operation::Concatenate, &[narrow, twice, c]).unwrap();
    let zero = net.add("zero", Operation::Zero, &[c]).unwrap();
    let more = net.add("more", Operation::Add, &[c, zero, narrow]).unwrap();
    let of_zero = net.add("of_zero", conv(convolution(10, 3, 1, 1)), &[zero]).unwrap();
    let last = net.add("last", Operation::Add, &[more, of_zero]).unwrap();
    let norm = net.add("norm", Operation::BatchNormActivation(Activation::Relu), &[both]).unwrap();
    let end = net.add("end", Operation::Concatenate, &[norm, last, last]).unwrap();
    let unread = net.add("unread", conv(convolution(3, 1, 1, 0)), &[end]).unwrap();
    let _ = net.add("unread_too", conv(convolution(3, 1, 1, 0)), &[unread]).unwrap();
    Case::new(&head(net, end, 4), 4, 6).check();
}

#[test]
fn normalizations_without_activation_equal_candles_own() {
    let conv = Operation::Convolution(convolution(9, 3, 1, 1));
    let norm = Operation::BatchNormActivation(Activation::None);
    let window = Window { kernel: 2, stride: 2, padding: 0, ceil: false };
    let operations = [norm, conv, norm, Operation::MaxPool(window), norm];
    Case::new(&chain(Shape::new(3, 8, 8), &operations), 3, 15).check();
}

/// The reference path supports every activation; the kernels reject those that they do not.
#[test]
fn other_activations_are_refused_before_anything_is_laid_out() {
    let conv = |activation, activation_order| {
        Operation::Convolution(Convolution {
            activation,
            activation_order,
            ..convolution(4, 3, 1, 1)
        })
    };
    for activation in Activation::ALL {
        for operation in [
            conv(activation, ActivationOrder::Before),
            conv(activation, ActivationOrder::After),
            Operation::BatchNormActivation(activation),
        ] {
            let case = Case::new(&chain(Shape::new(3, 6, 6), &[operation]), 2, 16);
            let loss =
                case.plain_loss(&case.model.to_dtype(DType::F64), 0.0).to_scalar::<f64>().unwrap();
            assert!(loss.is_finite(), "{activation}: {loss}");
            if matches!(activation, Activation::None | Activation::Relu) {
                case.check();
                continue;
            }
            let mut executor = Executor::with_level(1, SimdLevel::best());
            let error = executor.prepare(case.model.parameters(), 2).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the network cannot be trained: the activation of layer `layer0` is \
                     {activation}; training knows none and relu"
                )
            );
            assert_eq!(executor.bytes(), 0);
        }
    }
}

#[test]
fn a_linear_layer_of_many_pixels_equals_candles_own() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(3, 5, 4));
    let conv = Operation::Convolution(convolution(7, 3, 1, 1));
    let a = net.add("a", conv, &[image]).unwrap();
    let b = net.add("b", Operation::Linear { features: 19 }, &[a]).unwrap();
    net.add("c", Operation::Linear { features: 6 }, &[b]).unwrap();
    Case::new(&net.finish(), 4, 7).check();
}

fn cells101() -> Vec<Cell101> {
    let all: Vec<Cell101> = Catalog::up_to(5).iter().map(|(_, cell)| cell).collect();
    all.iter().copied().step_by(all.len() / 12).collect()
}

#[test]
fn nasbench_networks_equal_candles_own() {
    for (index, cell) in cells101().iter().enumerate() {
        let stem_channels = [8, 20, 16][index % 3];
        let settings =
            Nasbench101Settings { stem_channels, cells: 1, image_size: 9, ..Default::default() };
        Case::new(&nasbench101(cell, settings).unwrap(), 3, 8).check();
    }
    for index in [0_u32, 777, 5_555, 11_111, 15_624] {
        let cell = Cell201::from_index(index as usize).unwrap();
        let settings = Nasbench201Settings {
            stem_channels: 6,
            cells: 1,
            image_size: 12,
            ..Default::default()
        };
        Case::new(&nasbench201(cell, settings).unwrap(), 3, 9).check();
    }
}

#[test]
fn inverted_residual_blocks_equal_candles_own() {
    let block = |kernel, expansion| Block { kernel, expansion };
    let stage = |channels, stride, blocks| Stage { channels, stride, blocks };
    let model = Mobilenet {
        width: 1.0,
        stages: vec![
            stage(8, 1, vec![block(3, 1), block(5, 3)]),
            stage(16, 2, vec![block(7, 2), block(3, 2)]),
        ],
    };
    let settings = MobilenetSettings {
        classes: 5,
        image_size: 12,
        stem_channels: 8,
        stem_stride: 1,
        last_channels: 24,
        ..Default::default()
    };
    Case::new(&mobilenet(&model, settings).unwrap(), 3, 4).check();
}

#[test]
fn candles_gradients_of_the_plain_path_are_those_of_finite_differences() {
    let settings = Nasbench101Settings {
        stem_channels: 4,
        stacks: 2,
        cells: 1,
        image_size: 6,
        ..Default::default()
    };
    let cells = cells101();
    let network = nasbench101(&cells[cells.len() - 2], settings).unwrap();
    let case = Case::new(&network, 2, 10);
    let model = case.model.to_dtype(DType::F64);
    let gradients = case.plain_loss(&model, 0.1).backward().unwrap();
    let mut rng = stream(10, "differences", 0);
    for (index, variable) in model.variables().iter().enumerate() {
        let Some(gradient) = gradients.get(variable) else { continue };
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let at = rng.random_range(0..gradient.len());
        let values = variable.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let loss_with = |change: f64| {
            let mut values = values.clone();
            values[at] += change;
            set(variable, values);
            case.plain_loss(&model, 0.1).to_scalar::<f64>().unwrap()
        };
        let step = 1e-6;
        let slope = (loss_with(step) - loss_with(-step)) / (2.0 * step);
        set(variable, values.clone());
        let name = &model.names()[index];
        assert!(
            (slope - gradient[at]).abs() < 1e-6 + 1e-4 * slope.abs(),
            "{name}: {slope} {}",
            gradient[at]
        );
    }
}

fn set(variable: &Var, values: Vec<f64>) {
    let tensor = Tensor::from_vec(values, variable.shape(), &Device::Cpu).unwrap();
    variable.set(&tensor).unwrap();
}

#[test]
fn threads_change_nothing() {
    let settings =
        Nasbench101Settings { stem_channels: 12, cells: 1, image_size: 12, ..Default::default() };
    let cells = cells101();
    let case = Case::new(&nasbench101(&cells[7], settings).unwrap(), 13, 11);
    let mut results = Vec::new();
    for threads in [1, 2, 3, 5] {
        let mut executor = case.executor(threads, SimdLevel::best());
        let outcome = executor.train(case.model.parameters(), &case.labels, 0.0, 0.0).unwrap();
        results.push((outcome, executor.gradients().to_vec()));
    }
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn running_statistics_move_by_the_momentum() {
    let network = chain(Shape::new(2, 4, 4), &[Operation::Convolution(convolution(3, 1, 1, 0))]);
    let case = Case::new(&network, 5, 12);
    let values = |name: &str| -> Vec<f32> {
        let index = case.model.names().iter().position(|known| known == name).unwrap();
        case.model.variables()[index].to_vec1().unwrap()
    };
    let (mean, variance) = (values("layer0.bn.running_mean"), values("layer0.bn.running_var"));
    let weight = case.model.variables()[0].as_tensor();
    let z = case.tensor().conv2d(weight, 0, 1, 1, 1).unwrap();
    let z = z.transpose(0, 1).unwrap().flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
    case.executor(1, SimdLevel::best())
        .train(case.model.parameters(), &case.labels, 0.0, MOMENTUM)
        .unwrap();
    let (new_mean, new_variance) =
        (values("layer0.bn.running_mean"), values("layer0.bn.running_var"));
    for (channel, z) in z.iter().enumerate() {
        let count = z.len() as f64;
        let average = z.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let unbiased =
            z.iter().map(|&v| (f64::from(v) - average).powi(2)).sum::<f64>() / (count - 1.0);
        let expect = |old: f32, seen: f64| f64::from(old) * (1.0 - MOMENTUM) + seen * MOMENTUM;
        assert!((f64::from(new_mean[channel]) - expect(mean[channel], average)).abs() < 1e-6);
        assert!(
            (f64::from(new_variance[channel]) - expect(variance[channel], unbiased)).abs() < 1e-6
        );
    }
}

#[test]
fn parameters_of_another_network_are_refused() {
    let conv = Operation::Convolution(convolution(6, 1, 1, 0));
    let case = Case::new(&chain(Shape::new(6, 4, 4), &[conv, conv]), 2, 14);
    let mut executor = case.executor(1, SimdLevel::best());
    let own = case.model.parameters();
    // The same variables, with two layers' exchanged.
    let mut layers = own.layers.to_vec();
    layers.swap(1, 2);
    let exchanged = Parameters { layers: &layers, ..own };
    let message = executor.train(exchanged, &case.labels, 0.0, 0.0).unwrap_err().to_string();
    assert!(message.contains("another one has been prepared"), "{message}");
    executor.train(own, &case.labels, 0.0, 0.0).unwrap();
    // A classifier's weights where a convolution's should be.
    let mut layers = own.layers.to_vec();
    layers[1].weight = layers.last().unwrap().weight;
    let wrong = Parameters { layers: &layers, ..own };
    let message = executor.prepare(wrong, 2).unwrap_err().to_string();
    assert!(message.contains("layer `layer0` has parameters of other sizes"), "{message}");
}
