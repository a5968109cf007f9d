//! The commands that are killed: each takes about a second and writes files.

use std::fs;

use super::ending::{self, Ending};
use crate::support::{Place, project};

/// A command, its continuation and its results.
pub struct Case {
    /// The name in messages.
    pub name: &'static str,
    /// Creates the files that the command needs.
    pub prepare: fn(&Place),
    /// The arguments of the command.
    pub start: &'static [&'static str],
    /// Returns the arguments of the command that continues after an interruption.
    pub go_on: fn(&Place) -> Vec<String>,
    /// Returns the results at the end, for comparison.
    pub ending: fn(&Place) -> Ending,
    /// Returns true for the lines of the last command's output that may differ between two runs.
    pub timed: fn(&str) -> bool,
}

/// A search with two controllers, one of which is used again in a later phase. The state of one is so large
/// that sled stores it in a file beside its database.
pub const SEARCH: &str = r#"fn args() { #{ trials: 1000 } }
fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
fn objectives() { ["accuracy:max", "latency_ms:min"] }
fn evaluate(p) {
    let cost = chaidnn::estimate(nasbench201::network(p.cnn), p.hw);
    #{
        accuracy: accuracy::nasbench201(p.cnn, "cifar10"),
        latency_ms: cost.latency_ms,
        area_mm2: cost.area_mm2,
    }
}
fn reward(m) { if m.latency_ms > 20.0 { reject(-1.0) } else { m.accuracy - 0.01 * m.latency_ms } }
fn schedule(run) {
    let steps = args::trials / 4;
    switch run.phases {
        0 => phase("policy", #{ steps: steps, controller: reinforce(), keep: "policy" }),
        1 => phase("evolution", #{ steps: 2 * steps, controller: evolution(#{ population: 40, sample: 8 }) }),
        2 => phase("policy again", #{ steps: steps, controller: reinforce(), keep: "policy" }),
        _ => (),
    }
}
"#;

/// A search whose accuracies come from training runs on the procedural dataset.
const TRAINING: &str = r#"fn space() { #{ cnn: nasbench201::space(), hw: choice([1, 2]) } }
fn evaluate(p) {
    let net = nasbench201::network(p.cnn, #{ stem_channels: 4, cells: 1, image_size: 16, classes: 10 });
    let plan = train::plan(net, #{ data: "procedural", epochs: 2, images: 256, validation: 100 });
    #{ accuracy: train::fit(plan).accuracy, area_mm2: p.hw * 1.0 }
}
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 3, controller: random() }) } }
"#;

const STUDY: &str = "repeats: 2\nscenarios: { search: x.rhai }\nstrategies:\n  few: { trials: 400 }\n  \
                     many: { trials: 800 }\nfractions: [0.5]\n";

/// Returns a search for a study: its reward is a weighted objective.
fn judged() -> String {
    let start = SEARCH.find("fn reward").unwrap();
    let end = SEARCH.find("fn schedule").unwrap();
    let reward = "fn reward() {\n    objective::weighted(#{ accuracy: 0.5, latency_ms: 0.5 })\n}\n";
    format!("{}{reward}{}", &SEARCH[..start], &SEARCH[end..])
}

const NEVER: fn(&str) -> bool = |_| false;

/// `tandem run` and `tandem resume`.
pub const RUN: Case = Case {
    name: "run",
    prepare: |place| place.write("x.rhai", SEARCH),
    start: &["run", "x.rhai"],
    go_on: |place| resume(place, "x-1", &["run", "x.rhai"]),
    ending: ending::of_store,
    timed: NEVER,
};

/// `tandem run` and `tandem resume`, with training runs.
pub const TRAINED: Case = Case {
    name: "run with trainings",
    prepare: |place| place.write("x.rhai", TRAINING),
    start: &["run", "x.rhai"],
    go_on: |place| resume(place, "x-1", &["run", "x.rhai"]),
    ending: ending::of_store,
    timed: NEVER,
};

/// `tandem sweep` and `tandem resume`.
pub const SWEEP: Case = Case {
    name: "sweep",
    prepare: |place| {
        let script = fs::read_to_string(project().join("experiments/cifar100/sweep.rhai")).unwrap();
        place.write("x.rhai", &script);
    },
    start: &["sweep", "x.rhai"],
    go_on: |place| resume(place, "x-1", &["sweep", "x.rhai"]),
    ending: ending::of_store,
    timed: |line| line.contains(" pairs in "),
};

/// `tandem study`, which the same command continues.
pub const STUDIED: Case = Case {
    name: "study",
    prepare: |place| {
        place.write("x.rhai", &judged());
        place.write("s.yaml", STUDY);
    },
    start: &["study", "s.yaml"],
    go_on: |_| owned(&["study", "s.yaml"]),
    ending: |place| {
        let mut ending = ending::of_store(place);
        let page = fs::read_to_string(place.path().join("s-1.html")).unwrap();
        ending.insert("page".to_owned(), page);
        ending
    },
    timed: NEVER,
};

/// `tandem data import`, which starts again unless the dataset is complete.
pub const IMPORT: Case = Case {
    name: "import",
    prepare: |place| {
        let mut batch = vec![0; 1_500 * 3_073];
        for (number, byte) in batch.iter_mut().enumerate() {
            *byte = if number % 3_073 == 0 { (number / 3_073 % 10) as u8 } else { number as u8 };
        }
        let folder = place.path().join("cifar-10-batches-bin");
        fs::create_dir(&folder).unwrap();
        for name in [
            "data_batch_1",
            "data_batch_2",
            "data_batch_3",
            "data_batch_4",
            "data_batch_5",
            "test_batch",
        ] {
            fs::write(folder.join(format!("{name}.bin")), &batch).unwrap();
        }
    },
    start: &["data", "import", "cifar10", "cifar-10-batches-bin"],
    go_on: |_| owned(&["data", "import", "cifar10", "cifar-10-batches-bin"]),
    ending: |place| {
        place.ok(&["data", "verify", "cifar10"]);
        ending::of_folder(&place.path().join("data"))
            .into_iter()
            .map(|(path, hash)| (path.replace(&place.path().display().to_string(), ""), hash))
            .collect()
    },
    timed: NEVER,
};

/// `tandem store import`, which starts again unless the store is complete.
pub const STORE_IMPORT: Case = Case {
    name: "store import",
    prepare: |place| {
        place.write("x.rhai", SEARCH);
        place.ok(&["run", "x.rhai", "--store", "exported"]);
        place.ok(&["store", "export", "a.tar.zst", "--store", "exported"]);
    },
    start: &["store", "import", "a.tar.zst"],
    go_on: |_| owned(&["store", "import", "a.tar.zst"]),
    ending: ending::of_store,
    timed: NEVER,
};

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

/// Returns the arguments that resume a run, or `start` if the store does not have it.
fn resume(place: &Place, run: &str, start: &[&str]) -> Vec<String> {
    let known = place.run(&["show", run]);
    match known.code {
        0 => owned(&["resume", run]),
        2 => owned(start),
        code => panic!("show {run} ends with {code}: {}", known.err),
    }
}
