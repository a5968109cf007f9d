//! The speed of training steps: forward, backward and SGD with momentum, on CIFAR-shaped batches.
//!
//! `cargo bench --bench training` compares with Candle's operations, and prints the share of the measured
//! peak. `benches/pytorch/run` compares with PyTorch, through the line protocol of [`serve`].

use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use candle_core::{Device, Tensor};
use rand::Rng as _;
use serde_json::json;
use tandem::network::{
    Nasbench101Settings, Nasbench201Settings, Network, Operation, nasbench101, nasbench201,
};
use tandem::space::nasbench101::{Catalog, Cell101};
use tandem::space::nasbench201::{Cell201, Op201};
use tandem::train::{Executor, Model, Optimizer, UpdateRule};
use tandem::util::rng::stream;

/// Returns the number of threads of every measurement.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

struct Case {
    name: String,
    network: Network,
    batch: usize,
}

fn of_cell(name: &str, cell: &Cell101, stem_channels: usize, cells: usize, batch: usize) -> Case {
    let settings = Nasbench101Settings { stem_channels, cells, ..Nasbench101Settings::default() };
    let network = nasbench101(cell, settings).expect("a network");
    Case { name: name.to_owned(), network, batch }
}

fn cases() -> Vec<Case> {
    let resnet = Cell101::resnet_like();
    let inception = Cell101::inception_like();
    let pooled: Cell101 = "conv3x3(0) maxpool3x3(1) output(0,2)".parse().expect("a cell");
    let mut cases = vec![
        of_cell("resnet, stem 16", &resnet, 16, 1, 64),
        of_cell("resnet, stem 32", &resnet, 32, 1, 64),
        of_cell("resnet, stem 64", &resnet, 64, 1, 64),
        of_cell("resnet, stem 128, 3 cells", &resnet, 128, 3, 32),
        of_cell("max-pool cell, stem 16", &pooled, 16, 1, 64),
        of_cell("inception, stem 16", &inception, 16, 1, 64),
        of_cell("inception, stem 64", &inception, 64, 1, 64),
    ];
    use Op201::{Conv3x3, None, SkipConnect};
    let resnet201 = Cell201::new([Conv3x3, None, Conv3x3, SkipConnect, None, SkipConnect]);
    let network = nasbench201(resnet201, Nasbench201Settings::default()).expect("a network");
    cases.push(Case { name: "NAS-Bench-201 resnet".to_owned(), network, batch: 64 });
    let all = Catalog::enumerate();
    let mut rng = stream(0, "bench cells", 0);
    for index in 0..20 {
        let cell = all.iter().nth(rng.random_range(0..all.len())).expect("a cell").1;
        cases.push(of_cell(&format!("random cell {index}, stem 16"), &cell, 16, 1, 64));
    }
    cases
}

/// Returns the networks of `tests/golden/training.json`.
fn golden() -> Vec<Case> {
    let small = Nasbench101Settings {
        stem_channels: 16,
        cells: 1,
        image_size: 12,
        ..Nasbench101Settings::default()
    };
    let of = |name: &str, network| Case { name: name.to_owned(), network, batch: 16 };
    let cell = Cell101::inception_like();
    let cell201 = Cell201::from_index(9_930).expect("a cell");
    let small201 = Nasbench201Settings {
        stem_channels: 16,
        cells: 1,
        image_size: 12,
        ..Nasbench201Settings::default()
    };
    vec![
        of("nasbench101", nasbench101(&cell, small).expect("a network")),
        of("nasbench201", nasbench201(cell201, small201).expect("a network")),
    ]
}

/// A model to train, with a batch of noise.
struct Session {
    model: Model,
    executor: Executor,
    optimizer: Optimizer,
    images: Vec<f32>,
    labels: Vec<u32>,
}

impl Session {
    fn new(case: &Case) -> Self {
        let model = Model::new(&case.network, 0, &Device::Cpu).expect("a model");
        let mut executor = Executor::new(threads());
        executor.prepare(model.parameters(), case.batch).expect("a plan");
        let mut rng = stream(0, "bench images", 0);
        let values = case.batch * case.network.input().values() as usize;
        let images = (0..values).map(|_| rng.random_range(-1.7..1.7)).collect();
        let classes = case.network.output().channels as u32;
        let labels = (0..case.batch as u32).map(|image| image % classes).collect();
        let rule = UpdateRule::Sgd { momentum: 0.9, nesterov: false };
        let optimizer = Optimizer::new(&model, rule, 0.0);
        Self { model, executor, optimizer, images, labels }
    }

    fn step(&mut self) -> f64 {
        self.executor.images_mut()[..self.images.len()].copy_from_slice(&self.images);
        let outcome =
            self.executor.train(self.model.parameters(), &self.labels, 0.0, 0.1).expect("a step");
        self.optimizer.step(&self.model, &mut self.executor, 0.01).expect("a step");
        outcome.mean_loss()
    }

    fn evaluate(&mut self) {
        self.executor.images_mut()[..self.images.len()].copy_from_slice(&self.images);
        self.executor.evaluate(self.model.parameters(), &self.labels).expect("an evaluation");
    }
}

fn seconds(mut run: impl FnMut(), times: usize) -> f64 {
    let started = Instant::now();
    (0..times).for_each(|_| run());
    started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Counts the multiply-accumulates of a step's forward and backward pass, per image.
fn step_macs(network: &Network) -> f64 {
    let first = network.layers().iter().find(|layer| layer.macs() > 0);
    3.0 * network.macs() as f64 - first.map_or(0.0, |layer| layer.macs() as f64)
}

fn main() {
    if std::env::args().any(|argument| argument == "serve") {
        return serve();
    }
    let peak = peak();
    println!("peak of {} threads: {:.0} GFLOP/s", threads(), peak / 1e9);
    println!("{:28} {:>10} {:>8} {:>10} {:>10}", "case", "images/s", "of peak", "candle", "ratio");
    for case in cases().into_iter().take(8) {
        let mut session = Session::new(&case);
        session.step();
        let mut steps = |count| {
            seconds(
                || {
                    session.step();
                },
                count,
            )
        };
        let times = (1.0 / steps(1)).ceil().clamp(1.0, 40.0) as usize;
        let own: Vec<f64> = (0..5).map(|_| (times * case.batch) as f64 / steps(times)).collect();
        let own = median(own);
        let candle = case.batch as f64 / seconds(|| plain_step(&session, &case), 1);
        println!(
            "{:28} {own:10.0} {:7.0}% {candle:10.1} {:9.1}x",
            case.name,
            100.0 * own * 2.0 * step_macs(&case.network) / peak,
            own / candle
        );
    }
}

/// Runs a step with Candle's operations, without an optimizer.
fn plain_step(session: &Session, case: &Case) {
    let shape = case.network.input();
    let shape = (case.batch, shape.channels, shape.height, shape.width);
    let images = Tensor::from_slice(&session.images, shape, &Device::Cpu).expect("images");
    let labels = Tensor::new(session.labels.as_slice(), &Device::Cpu).expect("labels");
    let logits = session.model.forward(&images, true).expect("logits");
    let loss = candle_nn::loss::cross_entropy(&logits, &labels).expect("a loss");
    black_box(loss.backward().expect("gradients"));
}

/// Answers each line of the input with a line of JSON: `case N` and `golden N` with the network, `train K`
/// and `evaluate K` with the seconds for that many batches, `memory` with the bytes held, and `peak` with the
/// peak rate.
fn serve() {
    let cases = cases();
    let mut session = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (command, count) = line.split_once(' ').unwrap_or((&line, "0"));
        let count: usize = count.parse().expect("a number");
        let answer = match (command, session.as_mut()) {
            ("case", _) => {
                let Some(case) = cases.get(count) else {
                    println!("null");
                    continue;
                };
                session = Some(Session::new(case));
                describe(case)
            }
            ("golden", _) => match golden().get(count) {
                Some(case) => describe(case),
                None => serde_json::Value::Null,
            },
            ("train", Some(session)) => {
                let mut loss = 0.0;
                let seconds = seconds(|| loss = session.step(), count);
                json!({ "seconds": seconds, "loss": loss })
            }
            ("evaluate", Some(session)) => {
                json!({ "seconds": seconds(|| session.evaluate(), count) })
            }
            ("memory", Some(session)) => json!({ "bytes": session.executor.bytes() }),
            ("peak", _) => json!({ "flops": peak() }),
            _ => panic!("unknown command {line}"),
        };
        println!("{answer}");
        std::io::stdout().flush().expect("an output");
    }
}

fn describe(case: &Case) -> serde_json::Value {
    let layers: Vec<_> = case
        .network
        .layers()
        .iter()
        .map(|layer| {
            let inputs: Vec<usize> = layer.inputs.iter().map(|id| id.index()).collect();
            let mut it =
                json!({ "name": layer.name, "inputs": inputs, "in": layer.input.channels });
            let operation = match layer.operation {
                Operation::Input => json!({ "op": "input" }),
                Operation::Convolution(c) => json!({
                    "op": "convolution", "out": c.channels, "kernel": c.kernel, "stride": c.stride,
                    "padding": c.padding, "groups": c.groups, "bias": c.bias, "bn": c.batch_norm,
                    "before": c.activation_before().name(), "after": c.activation_after().name(),
                }),
                Operation::MaxPool(w) => json!({
                    "op": "max", "kernel": w.kernel, "stride": w.stride, "padding": w.padding,
                }),
                Operation::AveragePool(w) => json!({
                    "op": "average", "kernel": w.kernel, "stride": w.stride, "padding": w.padding,
                }),
                Operation::GlobalAveragePool => json!({ "op": "global" }),
                Operation::Add => json!({ "op": "add" }),
                Operation::Concatenate => json!({ "op": "concatenate" }),
                Operation::Truncate { channels } => json!({ "op": "truncate", "out": channels }),
                Operation::BatchNormActivation(activation) => {
                    json!({ "op": "bn", "after": activation.name() })
                }
                Operation::Linear { features } => json!({ "op": "linear", "out": features }),
                Operation::Zero => json!({ "op": "zero" }),
            };
            if let (Some(it), serde_json::Value::Object(more)) = (it.as_object_mut(), operation) {
                it.extend(more);
            }
            it
        })
        .collect();
    let macs = step_macs(&case.network);
    let forward = case.network.macs();
    let size = case.network.input().height;
    json!({
        "name": case.name, "batch": case.batch, "size": size, "macs": macs, "forward": forward,
        "layers": layers,
    })
}

/// Measures the floating-point operations per second of fused multiply-adds in registers, on all threads.
fn peak() -> f64 {
    let rounds: Vec<f64> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let operations: f64 = std::thread::scope(|scope| {
                let all: Vec<_> =
                    (0..threads()).map(|_| scope.spawn(tandem_kernels::multiply_adds)).collect();
                all.into_iter().map(|thread| thread.join().expect("a thread")).sum()
            });
            operations / started.elapsed().as_secs_f64()
        })
        .collect();
    median(rounds)
}
