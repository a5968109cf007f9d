//! Complete training runs on the procedural data set.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::data::{Dataset, open};
use super::{
    Augment, Executor, Job, Model, Recipe, TrainError, TrainProgress, Training, TrainingWatch,
    UpdateRule, fit, training_key,
};
use crate::network::{
    Activation, LayerSink as _, Nasbench101Settings, Network, NetworkBuilder, Operation,
    nasbench101,
};
use crate::space::nasbench101::Cell101;
use tandem_kernels::{KernelError, with_values};

fn data() -> Dataset {
    open(&"procedural".parse().unwrap(), Path::new("")).unwrap()
}

fn network(classes: usize) -> Network {
    let settings = Nasbench101Settings {
        stem_channels: 8,
        stacks: 2,
        cells: 1,
        classes,
        image_size: 16,
        ..Default::default()
    };
    nasbench101(&Cell101::inception_like(), settings).unwrap()
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 3,
        batch: 50,
        augment: Augment { pad: 2, flip: true, cutout: 4 },
        images: Some(500),
        validation: 200,
        clip: Some(5.0),
        smoothing: 0.1,
        ..Recipe::default()
    }
}

/// Trains; `observe` gets every step and returns true to stop there.
fn run(
    recipe: &Recipe,
    threads: usize,
    checkpoint: Option<&Path>,
    mut observe: impl FnMut(&TrainProgress) -> bool,
) -> Result<(Model, Training), TrainError> {
    let (data, network) = (data(), network(10));
    let job = Job { network: &network, data: &data, recipe, seed: 3 };
    let stop = AtomicBool::new(false);
    let mut observe = |progress: &TrainProgress| {
        if observe(progress) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let every = Duration::MAX;
    let mut watch = TrainingWatch { stop: &stop, observe: &mut observe, checkpoint, every };
    fit(&job, &mut Executor::new(threads), &mut watch)
}

fn bits(model: &Model) -> Vec<Vec<u32>> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    model.variables().iter().map(|variable| with_values(variable, bits).unwrap()).collect()
}

#[test]
fn a_short_training_learns() {
    let augment = Augment { pad: 0, flip: false, cutout: 0 };
    let recipe =
        Recipe { images: None, epochs: 12, batch: 25, augment, smoothing: 0.0, ..recipe() };
    let mut seen = Vec::new();
    let (_, training) = run(&recipe, 2, None, |progress| {
        seen.push(*progress);
        false
    })
    .unwrap();
    assert_eq!((training.curve.len(), training.stopped), (12, false));
    // Chance is 0.1.
    assert!(training.test.accuracy > 0.5, "{training:?}");
    let validation = training.curve[11].validation.unwrap();
    assert_eq!(training.accuracy().to_bits(), validation.accuracy.to_bits());
    assert!(training.curve[11].train.loss < training.curve[0].train.loss);
    assert_eq!(seen.len(), 12 * 72);
    let last = seen[seen.len() - 1];
    assert_eq!((last.step, last.steps, last.epochs), (864, 864, 12));
    assert!(last.images_per_s > 0.0 && last.remaining_s == 0.0);
}

#[test]
fn threads_and_interruptions_change_nothing() {
    for rule in [
        UpdateRule::Sgd { momentum: 0.9, nesterov: true },
        UpdateRule::RmsProp { decay: 0.9, momentum: 0.9, epsilon: 1.0 },
        UpdateRule::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    ] {
        let rate = if let UpdateRule::AdamW { .. } = rule { 0.003 } else { 0.1 };
        let recipe = Recipe { rule, rate, ..recipe() };
        let (model, training) = run(&recipe, 1, None, |_| false).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("deep/training");
        // Within an epoch, at its end, right at the start.
        for stop in [14, 20, 21] {
            let ended = run(&recipe, 2, Some(&checkpoint), |progress| progress.step == stop);
            assert!(matches!(ended, Err(TrainError::Interrupted)));
        }
        let mut first = None;
        let resumed = run(&recipe, 3, Some(&checkpoint), |progress| {
            first.get_or_insert(progress.step);
            false
        });
        let (other, again) = resumed.unwrap();
        assert_eq!(first, Some(22));
        assert_eq!(training, again);
        assert_eq!(bits(&model), bits(&other));
    }
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let (recipe, folder) = (recipe(), tempfile::tempdir().unwrap());
    let path = folder.path().join("training");
    let interrupted = run(&recipe, 2, Some(&path), |progress| progress.step == 14);
    assert!(matches!(interrupted, Err(TrainError::Interrupted)));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut first = None;
    let (model, _) = run(&recipe, 2, Some(&path), |progress| {
        first.get_or_insert(progress.step);
        false
    })
    .unwrap();
    assert_eq!(first, Some(1));
    assert_eq!(bits(&model), bits(&run(&recipe, 2, None, |_| false).unwrap().0));
}

#[test]
fn a_training_that_is_behind_is_given_up() {
    let recipe = Recipe { stop_below: vec![0.0, 0.99], ..recipe() };
    let (_, training) = run(&recipe, 2, None, |_| false).unwrap();
    assert_eq!((training.curve.len(), training.stopped), (2, true));
}

#[test]
fn a_training_that_diverges_says_so() {
    let recipe = Recipe { rate: 1e25, warmup_epochs: 0.0, clip: None, ..recipe() };
    let error = run(&recipe, 2, None, |_| false).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("the training diverged at step "), "{message}");
}

#[test]
fn what_cannot_be_trained_is_refused_at_once() {
    let data = data();
    let message = |network: &Network, recipe: Recipe| {
        let error = recipe.check(network, &data).unwrap_err().to_string();
        error.strip_prefix("the training makes no sense: ").unwrap().to_owned()
    };
    let (fits, base) = (network(10), recipe());
    base.check(&fits, &data).unwrap();
    insta::assert_snapshot!(message(&network(100), base.clone()), @"the network tells 100 classes apart, and procedural has 10");
    let settings = Nasbench101Settings { cells: 1, ..Default::default() };
    let larger = nasbench101(&Cell101::resnet_like(), settings).unwrap();
    insta::assert_snapshot!(message(&larger, base.clone()), @"the network reads images of 3x32x32, and those of procedural are 3x16x16 (channels, rows, columns)");
    insta::assert_snapshot!(message(&fits, Recipe { batch: 501, ..base.clone() }), @"a batch of 501 is larger than the 500 images to learn from");
    insta::assert_snapshot!(message(&fits, Recipe { images: Some(1_801), ..base.clone() }), @"1801 training and 200 validation images are asked for, and procedural has 2000");
    insta::assert_snapshot!(message(&fits, Recipe { images: None, validation: 2_000, ..base.clone() }), @"all other training and 2000 validation images are asked for, and procedural has 2000");
    insta::assert_snapshot!(message(&fits, Recipe { validation: 0, stop_below: vec![0.1], ..base.clone() }), @"`stop_below` needs `validation` images to judge by");
    let (mut net, image) = NetworkBuilder::new(data.shape());
    let late = net.conv_bn("late", image, (4, 1, 1), Activation::Gelu).unwrap();
    let pool = net.add("pool", Operation::GlobalAveragePool, &[late]).unwrap();
    net.add("classifier", Operation::Linear { features: 10 }, &[pool]).unwrap();
    let error = base.check(&net.finish(), &data).unwrap_err();
    assert!(matches!(
        &error,
        TrainError::Kernel(KernelError::Activation { layer, activation: Activation::Gelu, .. })
            if layer == "late"
    ));
    insta::assert_snapshot!(error, @"the network cannot be trained: the activation of layer `late` is gelu; training knows none and relu");
    for (expected, recipe) in [
        ("`rate` is 0; it must be above 0", Recipe { rate: 0.0, ..base.clone() }),
        ("`rate` is NaN; it must be above 0", Recipe { rate: f64::NAN, ..base.clone() }),
        ("`rate` is inf; it must be above 0", Recipe { rate: f64::INFINITY, ..base.clone() }),
        (
            "`weight_decay` is -0.5; it must be at least 0",
            Recipe { weight_decay: -0.5, ..base.clone() },
        ),
        (
            "`warmup_epochs` is 3; it must be at least 0 and less than `epochs`",
            Recipe { warmup_epochs: 3.0, ..base.clone() },
        ),
        (
            "`smoothing` is 1; it must be at least 0 and below 1",
            Recipe { smoothing: 1.0, ..base.clone() },
        ),
        ("`clip` is 0; it must be above 0", Recipe { clip: Some(0.0), ..base.clone() }),
        (
            "`norm_momentum` is 0; it must be above 0 and at most 1",
            Recipe { norm_momentum: 0.0, ..base.clone() },
        ),
    ] {
        assert_eq!(message(&fits, recipe), expected);
    }
    let none = Recipe { epochs: 0, warmup_epochs: 0.0, ..base };
    assert_eq!(message(&fits, none), "`epochs` and `batch` must be at least 1");
}

#[test]
fn keys_differ_with_whatever_decides_a_training() {
    let (data, network, base) = (data(), network(10), recipe());
    let mut keys = vec![
        training_key(&network, &data, &base, 0),
        training_key(&network, &data, &base, 1),
        training_key(&network, &data, &Recipe { rate: 0.2, ..base.clone() }, 0),
        training_key(&network, &data, &Recipe { stop_below: vec![0.5], ..base.clone() }, 0),
        training_key(&self::network(11), &data, &base, 0),
    ];
    assert_eq!(keys[0], training_key(&self::network(10), &self::data(), &base, 0));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5);
}
