//! Comparison with the numbers that Xilinx publishes for CHaiDNN v2, and with the paper's baselines.
//!
//! Resources and throughput without fully connected layers: docs/PERFORMANCE_SNAPSHOT.md; milliseconds of
//! single layers: docs/PERFORMANCE_EVAL.md.

use super::area::Blocks;
use super::operation::{OperationKind, Work};
use super::{Configuration, Platform, Precision, Program, lower};
use crate::network::{
    Activation, ActivationOrder, Convolution, LayerId, LayerSink, Nasbench101Settings,
    Nasbench201Settings, NetworkBuilder, Operation, Shape, Window, nasbench101, nasbench201,
};
use crate::space::nasbench101::Cell101;

struct Net {
    builder: NetworkBuilder,
    count: usize,
}

impl Net {
    fn start(size: usize) -> (Self, LayerId) {
        let (builder, image) = NetworkBuilder::new(Shape::new(3, size, size));
        (Self { builder, count: 0 }, image)
    }

    fn add(&mut self, operation: Operation, inputs: &[LayerId]) -> LayerId {
        self.count += 1;
        self.builder.add(format!("{}", self.count), operation, inputs).unwrap()
    }

    fn conv(&mut self, x: LayerId, channels: usize, kernel: usize, stride: usize) -> LayerId {
        self.grouped(x, channels, (kernel, stride, kernel / 2), 1)
    }

    fn grouped(
        &mut self,
        x: LayerId,
        channels: usize,
        (kernel, stride, padding): (usize, usize, usize),
        groups: usize,
    ) -> LayerId {
        let (bias, batch_norm) = (true, false);
        let operation = Operation::Convolution(Convolution {
            channels,
            kernel,
            stride,
            padding,
            groups,
            bias,
            batch_norm,
            activation: Activation::Relu,
            activation_order: ActivationOrder::After,
        });
        self.add(operation, &[x])
    }

    fn max_pool(&mut self, x: LayerId, kernel: usize, stride: usize, padding: usize) -> LayerId {
        self.add(Operation::MaxPool(Window { kernel, stride, padding, ceil: true }), &[x])
    }

    fn program(mut self, x: LayerId) -> Program {
        self.add(Operation::Linear { features: 1000 }, &[x]);
        lower(&self.builder.finish()).unwrap()
    }
}

/// Krizhevsky et al. 2012, in two groups as published.
fn alexnet() -> Program {
    let (mut net, mut x) = Net::start(227);
    x = net.grouped(x, 96, (11, 4, 0), 1);
    x = net.max_pool(x, 3, 2, 0);
    x = net.grouped(x, 256, (5, 1, 2), 2);
    x = net.max_pool(x, 3, 2, 0);
    x = net.conv(x, 384, 3, 1);
    x = net.grouped(x, 384, (3, 1, 1), 2);
    x = net.grouped(x, 256, (3, 1, 1), 2);
    x = net.max_pool(x, 3, 2, 0);
    net.program(x)
}

/// Simonyan and Zisserman 2014, configuration D.
fn vgg16() -> Program {
    let (mut net, mut x) = Net::start(224);
    for (layers, channels) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)] {
        for _ in 0..layers {
            x = net.conv(x, channels, 3, 1);
        }
        x = net.max_pool(x, 2, 2, 0);
    }
    net.program(x)
}

/// Szegedy et al. 2014, table 1.
fn googlenet() -> Program {
    let (mut net, mut x) = Net::start(224);
    x = net.conv(x, 64, 7, 2);
    x = net.max_pool(x, 3, 2, 0);
    x = net.conv(x, 64, 1, 1);
    x = net.conv(x, 192, 3, 1);
    x = net.max_pool(x, 3, 2, 0);
    let modules = [
        [64, 96, 128, 16, 32, 32],
        [128, 128, 192, 32, 96, 64],
        [192, 96, 208, 16, 48, 64],
        [160, 112, 224, 24, 64, 64],
        [128, 128, 256, 24, 64, 64],
        [112, 144, 288, 32, 64, 64],
        [256, 160, 320, 32, 128, 128],
        [256, 160, 320, 32, 128, 128],
        [384, 192, 384, 48, 128, 128],
    ];
    for (index, [one, reduce3, three, reduce5, five, pool]) in modules.into_iter().enumerate() {
        if [2, 7].contains(&index) {
            x = net.max_pool(x, 3, 2, 0);
        }
        let a = net.conv(x, one, 1, 1);
        let b = net.conv(x, reduce3, 1, 1);
        let c = net.conv(x, reduce5, 1, 1);
        let d = net.max_pool(x, 3, 1, 1);
        let b = net.conv(b, three, 3, 1);
        let c = net.conv(c, five, 5, 1);
        let d = net.conv(d, pool, 1, 1);
        x = net.add(Operation::Concatenate, &[a, b, c, d]);
    }
    x = net.add(Operation::GlobalAveragePool, &[x]);
    net.program(x)
}

/// He et al. 2015, table 1, with the stride in the first 1x1 convolution.
fn resnet50() -> Program {
    let (mut net, mut x) = Net::start(224);
    x = net.conv(x, 64, 7, 2);
    x = net.max_pool(x, 3, 2, 0);
    for (stage, (blocks, width)) in [(3, 64), (4, 128), (6, 256), (3, 512)].into_iter().enumerate()
    {
        for block in 0..blocks {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let shortcut = if block == 0 { net.conv(x, 4 * width, 1, stride) } else { x };
            let mut y = net.conv(x, width, 1, stride);
            y = net.conv(y, width, 3, 1);
            y = net.conv(y, 4 * width, 1, 1);
            x = net.add(Operation::Add, &[y, shortcut]);
        }
    }
    x = net.add(Operation::GlobalAveragePool, &[x]);
    net.program(x)
}

fn build(pixel_par: u32, pool_engine: bool) -> Configuration {
    Configuration {
        filter_par: 16,
        pixel_par,
        input_buffer_depth: 8192,
        weight_buffer_depth: 2048,
        output_buffer_depth: 2048,
        pool_engine,
        mem_interface_width: 512,
        ratio_conv_engines: 1.0,
    }
}

/// See [`ZU9_FPS`].
type Build = (u32, f64, [(f64, f64); 4]);

/// Pixels in parallel, clock in MHz, and images a second of GoogLeNet, AlexNet, ResNet-50 and
/// VGG-16 at 6 bit and at 8 bit.
const ZU9_FPS: [Build; 4] = [
    (4, 300.0, [(63.93, 32.75), (124.94, 64.01), (17.49, 9.4), (5.69, 2.88)]),
    (8, 300.0, [(114.42, 61.41), (237.72, 124.6), (30.44, 17.38), (11.06, 5.67)]),
    (16, 300.0, [(186.48, 108.64), (436.5, 236.59), (47.7, 30.03), (20.84, 10.97)]),
    (32, 250.0, [(220.61, 151.76), (606.46, 390.27), (62.78, 43.09), (35.73, 19.3)]),
];

/// The same on ZU7, 300 MHz and 6 bit, without a pooling engine.
const ZU7_FPS: [(u32, [f64; 4]); 3] = [
    (4, [58.3, 117.4, 14.99, 4.473]),
    (8, [97.72, 218.66, 26.37, 8.635]),
    (16, [148.34, 394.45, 41.87, 16.30]),
];

fn networks() -> [Program; 4] {
    [googlenet(), alexnet(), resnet50(), vgg16()]
}

/// Relative errors in percent: their mean and their largest.
fn errors(pairs: impl IntoIterator<Item = (f64, f64)>) -> (f64, f64) {
    let errors: Vec<f64> = pairs
        .into_iter()
        .map(|(found, published)| 100.0 * (found - published).abs() / published)
        .collect();
    (errors.iter().sum::<f64>() / errors.len() as f64, errors.iter().copied().fold(0.0, f64::max))
}

fn zu9_errors(precision: Precision) -> (f64, f64) {
    let programs = networks();
    let mut pairs = Vec::new();
    for (pixels, clock, published) in ZU9_FPS {
        for (program, (six, eight)) in programs.iter().zip(published) {
            let platform = Platform::zu9(clock, precision);
            let found = program.estimate(&build(pixels, true), &platform).unwrap().images_per_s();
            pairs.push((found, if precision == Precision::SixBit { six } else { eight }));
        }
    }
    errors(pairs)
}

fn rounded((mean, most): (f64, f64)) -> (f64, f64) {
    ((mean * 100.0).round() / 100.0, (most * 100.0).round() / 100.0)
}

#[test]
fn throughput_on_zu9_at_6_bit() {
    assert_eq!(rounded(zu9_errors(Precision::SixBit)), (1.40, 3.80));
}

/// Nothing was fitted to these.
#[test]
fn throughput_on_zu9_at_8_bit() {
    assert_eq!(rounded(zu9_errors(Precision::EightBit)), (0.75, 2.21));
}

#[test]
fn throughput_on_zu7() {
    let programs = networks();
    let mut pairs = Vec::new();
    for (pixels, published) in ZU7_FPS {
        for (program, published) in programs.iter().zip(published) {
            let platform = Platform::zu7(300.0, Precision::SixBit);
            let found = program.estimate(&build(pixels, false), &platform).unwrap();
            pairs.push((found.images_per_s(), published));
        }
    }
    assert_eq!(rounded(errors(pairs)), (2.24, 5.69));
}

/// Published with a deconvolution engine beside the pooling engine, which this space never has: 7.5
/// block RAMs, 45 DSP slices and 12,580 look-up tables of theirs.
#[test]
fn resources_of_the_published_builds() {
    let lut_error = 0.0276;
    let deconvolution = Blocks { lut: 12_580.0, bram36: 7.5, dsp: 45.0 };
    let zu9 = [
        (4, 105_811.0, 618.0, 442.0),
        (8, 114_317.0, 626.0, 574.0),
        (16, 127_949.0, 642.0, 838.0),
        (32, 161_983.0, 676.0, 1352.0),
    ];
    for (pixels, lut, bram36, dsp) in zu9 {
        let found = Blocks::of(&build(pixels, true)) + deconvolution;
        assert!(((found.lut - lut) / lut).abs() < lut_error, "{pixels}: {} LUT", found.lut);
        if pixels == 32 {
            assert!((found.bram36 / bram36 - 1.0 + 0.003).abs() < 5e-4, "{}", found.bram36);
            assert!((found.dsp / dsp - 1.0 - 0.010).abs() < 5e-4, "{}", found.dsp);
        } else {
            assert_eq!((found.bram36, found.dsp), (bram36, dsp));
        }
    }
    // These builds keep their buffers in UltraRAM.
    let zu7 =
        [(4, 67_660.0, 96.5, 297.0), (8, 76_477.0, 104.5, 429.0), (16, 90_113.0, 120.5, 693.0)];
    for (pixels, lut, bram36, dsp) in zu7 {
        let configuration = build(pixels, false);
        let found = Blocks::interfaces(&configuration) + Blocks::engine(16, pixels);
        assert!(((found.lut - lut) / lut).abs() < lut_error, "{pixels}: {} LUT", found.lut);
        assert_eq!((found.bram36, found.dsp), (bram36, dsp));
    }
}

/// Kind, rows and columns, channels before and after, kernel, stride, ms on a ZCU102 at 6 bit;
/// build and clock are not stated: 32 pixels at 250 MHz fit, pooling on the convolution engine.
const LAYERS: [(bool, usize, usize, usize, usize, usize, f64); 9] = [
    (true, 416, 3, 16, 3, 1, 4.570667),
    (true, 208, 16, 32, 3, 1, 1.943974),
    (true, 104, 32, 64, 3, 1, 0.716162),
    (true, 52, 64, 128, 3, 1, 0.573407),
    (true, 26, 128, 256, 3, 1, 0.707181),
    (false, 416, 16, 16, 2, 2, 1.147125),
    (false, 208, 32, 32, 2, 2, 0.480628),
    (false, 104, 64, 64, 2, 2, 0.376448),
    (false, 52, 128, 128, 2, 2, 0.152235),
];

#[test]
fn single_layers() {
    let platform = Platform::zu9(250.0, Precision::SixBit);
    let pairs = LAYERS.map(|(is_conv, size, channels, outputs, kernel, stride, published)| {
        let kind =
            if is_conv { OperationKind::Convolution { groups: 1 } } else { OperationKind::MaxPool };
        let output = Shape::new(outputs, size / stride, size / stride);
        let work = Work { kind, input: Shape::new(channels, size, size), output, kernel, stride };
        let cycles = work.cycles(&build(32, false), &platform).unwrap().cycles;
        (cycles / platform.clock_mhz / 1e3, published)
    });
    let (convolutions, pools) = pairs.split_at(5);
    let (mean, most) = errors(convolutions.iter().copied());
    assert!(mean < 6.0 && most < 8.0, "{mean} {most}");
    // What a pooling layer of the small maps costs is not described well.
    let (mean, most) = errors(pools.iter().copied());
    assert!(mean < 19.0 && most < 34.0, "{mean} {most}");
}

fn best(program: &Program) -> (Configuration, f64, f64, f64) {
    let (configuration, estimate) = program.best_configuration(&Platform::codesign_nas()).unwrap();
    (configuration, estimate.img_s_cm2(), estimate.latency_ms, estimate.area.area_mm2)
}

/// The paper has 12.8 for the ResNet cell and 39.3 for the GoogLeNet cell on CIFAR-100; the reference
/// model gives 13.18 and 49.25.
#[test]
fn the_papers_baselines_on_their_best_accelerators() {
    let figure = |cell: Cell101| {
        let settings = Nasbench101Settings { classes: 100, ..Default::default() };
        best(&lower(&nasbench101(&cell, settings).unwrap()).unwrap()).1
    };
    let resnet = figure(Cell101::resnet_like());
    let googlenet = figure(Cell101::inception_like());
    assert!((resnet - 13.2).abs() < 0.05, "{resnet}");
    assert!((googlenet - 49.3).abs() < 0.05, "{googlenet}");
}

#[test]
fn the_resnet_cell_of_nasbench201_on_its_best_accelerator() {
    let cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";
    let network = nasbench201(cell.parse().unwrap(), Nasbench201Settings::default()).unwrap();
    let (_, performance, latency_ms, area_mm2) = best(&lower(&network).unwrap());
    assert!((performance - 148.0).abs() < 1.0, "{performance}");
    assert!((latency_ms - 6.1).abs() < 0.1, "{latency_ms}");
    assert!((area_mm2 - 110.0).abs() < 1.0, "{area_mm2}");
}
