//! Tests of the benchmarks' networks and of what is pruned from them.

use super::*;
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;
use crate::test_support::data_dir;

const RESNET: &str =
    "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";

fn network201(cell: &str, classes: usize) -> Network {
    let settings = Nasbench201Settings { classes, ..Default::default() };
    nasbench201(cell.parse().unwrap(), settings).unwrap()
}

#[test]
fn the_resnet_cell_has_the_published_parameters() {
    assert_eq!(network201(RESNET, 10).parameters(), 559_386);
    // 90 more classes of 64 features and an offset.
    assert_eq!(network201(RESNET, 100).parameters(), 559_386 + 90 * 65);
}

#[test]
fn every_nasbench201_network_has_the_benchmarks_parameters() {
    let Some(dir) = data_dir() else { return };
    let file = std::fs::File::open(dir.join("nasbench201/nb201.csv.zst")).unwrap();
    let mut rows = csv::Reader::from_reader(zstd::Decoder::new(file).unwrap());
    let mut cells = 0;
    for row in rows.records() {
        let row = row.unwrap();
        let millions: f64 = row[2].parse().unwrap();
        let parameters = network201(&row[1], 10).parameters();
        assert_eq!(parameters, (millions * 1e6).round() as u64, "{}", &row[1]);
        cells += 1;
    }
    assert_eq!(cells, 15_625);
}

#[test]
fn macs_are_those_of_the_layers() {
    let net = network201(RESNET, 10);
    let conv =
        |size: u64, from: u64, to: u64, kernel: u64| size * size * from * to * kernel * kernel;
    let cells = 5 * 2 * (conv(32, 16, 16, 3) + conv(16, 32, 32, 3) + conv(8, 64, 64, 3));
    let reductions = conv(16, 16, 32, 3)
        + conv(16, 32, 32, 3)
        + conv(16, 16, 32, 1)
        + conv(8, 32, 64, 3)
        + conv(8, 64, 64, 3)
        + conv(8, 32, 64, 1);
    assert_eq!(net.macs(), conv(32, 3, 16, 3) + cells + reductions + 640);
}

#[test]
fn pruning_leaves_what_the_output_depends_on() {
    let full = network201(RESNET, 10);
    let pruned = full.pruned();
    assert_eq!(pruned.parameters(), full.parameters());
    assert_eq!(pruned.output(), full.output());
    assert!(pruned.layers().iter().all(|layer| layer.operation != Operation::Zero));

    // The 3x3 convolution leads to node 1, from which nothing leads on.
    let dead = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|";
    let full = network201(dead, 10);
    let pruned = full.pruned();
    let convolutions = |net: &Network| {
        let is_cell = |layer: &&Layer| layer.name.starts_with('s') && layer.name.contains("->");
        net.layers().iter().filter(is_cell).count()
    };
    assert_eq!(convolutions(&pruned), 0);
    assert!(pruned.parameters() < full.parameters());
}

#[test]
fn a_disconnected_network_still_has_a_head() {
    let none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    let pruned = network201(none, 10).pruned();
    let names: Vec<&str> = pruned.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names[0], "input");
    assert_eq!(names[names.len() - 3..], ["last", "pool", "classifier"]);
    assert_eq!(pruned.output(), Shape::new(10, 1, 1));
}

/// Every layer is pruned or reached: pruning twice is pruning once.
#[test]
fn pruning_is_idempotent() {
    for cell in Cell201::all().step_by(97) {
        let pruned = network201(&cell.to_string(), 10).pruned();
        assert_eq!(pruned.pruned(), pruned, "{cell}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
    let a = net.conv_bn("a", image, (16, 3, 1), Activation::Relu).unwrap();
    let b = net.conv_bn("b", image, (32, 3, 2), Activation::Relu).unwrap();
    let mut error = |name: &str, operation, inputs: &[LayerId]| {
        net.add(name, operation, inputs).unwrap_err().to_string()
    };
    assert_eq!(
        error("sum", Operation::Add, &[a, b]),
        "layer `sum`: shapes 16x8x8 and 32x4x4 do not fit; a sum takes equal shapes"
    );
    assert_eq!(
        error("concat", Operation::Concatenate, &[a, b]),
        "layer `concat`: shapes 16x8x8 and 32x4x4 do not fit; concatenation takes equal heights \
         and widths"
    );
    assert_eq!(
        error("sum", Operation::Add, &[a]),
        "layer `sum` (add) has 1 inputs; it takes two or more"
    );
    assert_eq!(
        error("cut", Operation::Truncate { channels: 17 }, &[a]),
        "layer `cut` (truncate) cannot be applied to 16x8x8: it must keep between one and \
         all of the channels"
    );
    let window = Window { kernel: 9, stride: 1, padding: 0, ceil: false };
    assert_eq!(
        error("pool", Operation::MaxPool(window), &[a]),
        "layer `pool` (max pool 9x9 /1) cannot be applied to 16x8x8: the window is larger than \
         the padded input"
    );
    assert_eq!(error("a", Operation::Zero, &[a]), "layer `a` is named twice");
}

#[test]
fn impossible_settings_are_refused() {
    let cell = Cell101::inception_like();
    let build = |settings| nasbench101(&cell, settings).map_err(|error| error.to_string());
    let default = Nasbench101Settings::default();
    for settings in [
        Nasbench101Settings { stem_channels: 0, ..default },
        Nasbench101Settings { stem_channels: 2, ..default },
        Nasbench101Settings { classes: 0, ..default },
        Nasbench101Settings { image_size: 1, ..default },
    ] {
        assert!(build(settings).is_err(), "{settings:?}");
    }
    assert!(build(Nasbench101Settings { stem_channels: 5, image_size: 4, ..default }).is_ok());
}

#[test]
fn a_network_is_shown_as_text_and_as_a_drawing() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
    let stem = net.conv_bn("stem", image, (16, 3, 2), Activation::Relu).unwrap();
    let side = net.preactivated_conv_bn("side", stem, (16, 1, 1), Activation::Relu).unwrap();
    let sum = net.sum("sum", &[stem, side]).unwrap();
    let pool = net.add("pool", Operation::GlobalAveragePool, &[sum]).unwrap();
    net.add("classifier", Operation::Linear { features: 10 }, &[pool]).unwrap();
    let net = net.finish();
    insta::assert_snapshot!(net.to_text());
    insta::assert_snapshot!(net.to_graphviz());
}

/// Trainings are cached under a network's digest: these values never change.
#[test]
fn the_families_digests_stay_as_they_are() {
    let digests = [
        nasbench101(&Cell101::inception_like(), Nasbench101Settings::default()).unwrap(),
        network201(RESNET, 10),
    ]
    .map(|net| net.digest());
    let known = [
        "d1abccbaa6349919bd1201d49f48bd061ddee324890f9f0dad5d385fb5b6fa1a",
        "7adcb3e8a946e3e8021dde28d037e90019b4d2ecbd65619e03801ddd06ad3ca4",
    ];
    assert_eq!(digests, known);
}

#[test]
fn a_network_ends_at_a_layer_that_uses_all_others() {
    let build = |ends_at_sum: bool| {
        let (mut net, image) = NetworkBuilder::new(Shape::new(8, 4, 4));
        let a = net.conv_bn("a", image, (8, 3, 1), Activation::Relu).unwrap();
        let sum = net.add("sum", Operation::Add, &[a, image]).unwrap();
        net.conv_bn("b", if ends_at_sum { image } else { sum }, (8, 1, 1), Activation::Relu)
            .unwrap();
        net.finish_at(sum)
    };
    for ends_at_sum in [true, false] {
        assert_eq!(
            build(ends_at_sum).unwrap_err().to_string(),
            "layer `b` leads nowhere: the network ends at `sum`, which does not use it"
        );
    }
    let (mut net, image) = NetworkBuilder::new(Shape::new(8, 4, 4));
    let pool = net.add("pool", Operation::GlobalAveragePool, &[image]).unwrap();
    let twice = net.clone();
    assert_eq!(net.finish_at(pool).unwrap(), twice.finish());
}

#[test]
fn sizes_that_cannot_be_counted_are_refused() {
    let convolution = |channels, kernel| {
        Operation::Convolution(Convolution {
            channels,
            kernel,
            stride: 1,
            padding: kernel / 2,
            groups: 1,
            bias: false,
            batch_norm: false,
            activation: Activation::None,
            activation_order: ActivationOrder::After,
        })
    };
    let refusal = |shape: Shape, operation: Operation| {
        let (mut net, image) = NetworkBuilder::new(shape);
        net.add("x", operation, &[image]).map(|_| net.finish()).err().map(|e| e.to_string())
    };
    let ends = |text: Option<String>| {
        text.is_some_and(|text| {
            text.ends_with("it has more than 2^40 values or weights, or 2^48 multiply-accumulates")
        })
    };
    let million = 1_000_000;
    assert!(ends(refusal(
        Shape::new(million, million, million),
        Operation::BatchNormActivation(Activation::Relu)
    )));
    assert!(ends(refusal(Shape::new(million, 1, 1), convolution(million, 3))));
    assert!(ends(refusal(
        Shape::new(1_000, 30_000, 30_000),
        Operation::Linear { features: million }
    )));
    assert!(ends(refusal(Shape::new(1, usize::MAX, usize::MAX), Operation::Zero)));
    assert!(ends(refusal(Shape::new(64, 4_096, 4_096), convolution(1_024, 65))));
    assert_eq!(refusal(Shape::new(64, 4_096, 4_096), convolution(64, 3)), None);
}
