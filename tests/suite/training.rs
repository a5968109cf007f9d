//! Accuracies from training runs: in a search, alone, interrupted, cached, refused.

use std::fs;

use crate::support::Place;

/// A search whose accuracies come from short training runs on the procedural dataset.
const SCRIPT: &str = r#"fn args() { #{ dataset: "procedural", classes: 10, rate: 0.05, epochs: 2 } }
fn space() { #{ cnn: nasbench201::space(), hw: choice([1, 2]) } }
fn network(cell) {
    nasbench201::network(cell, #{ stem_channels: 4, cells: 1, image_size: 16, classes: args::classes })
}
fn training(p) {
    train::plan(network(p.cnn), #{
        data: args::dataset, epochs: args::epochs, images: 640, validation: 200, learning_rate: args::rate,
    })
}
fn evaluate(p) { #{ accuracy: train::fit(training(p)).accuracy, area_mm2: p.hw * 1.0 } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 5, controller: random() }) } }
"#;

const RESNET: &str =
    "cnn=|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";

/// Counts the training runs in the store.
fn trainings(place: &Place) -> usize {
    place.ok(&["trainings", "--format", "jsonl"]).lines().count()
}

#[test]
fn a_network_is_paid_for_once() {
    let place = Place::with(SCRIPT);
    let summary = place.ok(&["run", "x.rhai"]);
    assert!(summary.contains("measured  accuracy: trained here"), "{summary}");
    let trials = place.trials("x-1");
    assert_eq!(trials.lines().count(), 5);
    // Another run with the same networks pays for none of them.
    let paid = trainings(&place);
    place.ok(&["run", "x.rhai"]);
    assert_eq!((place.trials("x-2").replace("x-2", "x-1"), trainings(&place)), (trials, paid));
    let left = fs::read_dir(place.path().join(".tandem/trainings"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "checkpoints are left behind");
}

#[test]
fn one_network_is_trained_remembered_and_its_weights_kept() {
    let place = Place::with(SCRIPT);
    let command = ["train", "x.rhai", "--at", RESNET, "--seeds", "2", "--out", "w.safetensors"];
    let first = place.run(&command);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.err.contains("seed 0, epoch 1/2: loss "), "{}", first.err);
    assert!(first.out.contains("validation accuracy") && first.out.contains("train_loss"));
    for seed in ["0", "1"] {
        assert!(
            place.path().join(format!("w-{seed}.safetensors")).metadata().unwrap().len() > 10_000
        );
    }
    let again = place.run(&command);
    assert_eq!((again.code, again.out), (0, first.out));
    assert!(!again.err.contains("epoch"), "it was trained again: {}", again.err);
    let curve = place.ok(&["train", "x.rhai", "--at", RESNET, "--seeds", "1", "--format", "csv"]);
    let lines: Vec<&str> = curve.lines().collect();
    assert_eq!(
        lines[0],
        "seed,epoch,train_loss,train_accuracy,validation_loss,validation_accuracy"
    );
    assert_eq!(lines.len(), 3);
    assert_eq!(trainings(&place), 2);
    let list = place.ok(&["trainings", "--format", "csv"]);
    let key = list.lines().nth(1).unwrap().split(',').next().unwrap();
    let shown = place.ok(&["trainings", key, "--format", "csv"]);
    assert_eq!(shown.lines().count(), 3);
    let unknown = place.run(&["trainings", "xyz"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.starts_with("error: the store has no training `xyz`\n"), "{}", unknown.err);
}

#[test]
fn a_dry_run_does_not_train() {
    let place = Place::with(SCRIPT);
    let out = place.ok(&["check", "x.rhai", "--set", "epochs=2000"]);
    assert!(out.contains("8 of 8 points need one, up to "), "{out}");
    assert!(out.contains("x.rhai is ready to run"), "{out}");
    assert!(!place.path().join(".tandem").exists());
}

/// Returns the error of a run, after checking that no trial of it is recorded.
fn refusal(set: &[&str]) -> String {
    let place = Place::with(SCRIPT);
    let mut command = vec!["run", "x.rhai"];
    set.iter().for_each(|set| command.extend(["--set", set]));
    let ran = place.run(&command);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let start = ran.err.find("error: ").unwrap_or_else(|| panic!("{}", ran.err));
    let message = ran.err[start..].lines().next().unwrap().to_owned();
    assert_eq!(place.trials("x-1"), "", "{message}");
    message
}

#[test]
fn images_that_are_not_there_end_the_run_at_once() {
    assert_eq!(
        refusal(&["dataset=cifar100"]),
        "error: cifar100 is not there: looked for data/cifar-100-binary and data/cifar100; `tandem data \
         fetch cifar100` downloads it, `tandem data import cifar100 FILE` takes an archive, `--data` \
         names another folder of data"
    );
    assert_eq!(
        refusal(&["dataset=images/../x"]),
        "error: `images/../x` leaves the folder of data; name a folder directly below it"
    );
    assert!(refusal(&["dataset=imagenet"]).starts_with("error: there is no data set `imagenet`"));
}

#[test]
fn a_training_that_makes_no_sense_or_diverges_is_a_recorded_failure() {
    let place = Place::with(SCRIPT);
    let reason = |set: &str| {
        let run = place.run(&["run", "x.rhai", "--set", set, "--steps", "2", "--format", "csv"]);
        // Each of the trials fails.
        assert_eq!(run.code, 3, "{}", run.err);
        let name = run.err.lines().find_map(|line| line.strip_prefix("run ")).unwrap().to_owned();
        place.ok(&["show", &name, "0"])
    };
    let diverged = reason("rate=1e30");
    assert!(diverged.contains("the training diverged at step "), "{diverged}");
    let classes = reason("classes=7");
    assert!(
        classes.contains("the network tells 7 classes apart, and procedural has 10"),
        "{classes}"
    );
}
