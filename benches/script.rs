//! The overhead of the script host, compared with native code and with a plain Rhai engine.
//!
//! Every case runs in turn, round after round; medians are printed. A plain engine calls the same function
//! with the same argument, without anything of this program: no limits, no host, no checks of the result.
//! `cargo bench --bench script`; `-- rewards`, `-- evaluations` or `-- calls` runs one of its parts.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rhai::{AST, Engine, Map, Scope};
use tandem::accel::chaidnn::{Configuration, Platform, Program, lower};
use tandem::accuracy::nasbench201::{Nasbench201Dataset, Nasbench201Table};
use tandem::metrics::Metrics;
use tandem::network::{Nasbench201Settings, nasbench201};
use tandem::run::Experiment;
use tandem::script::{Script, Settings};
use tandem::space::Point;
use tandem::space::nasbench201::Cell201;
use tandem::util::alloc_meter::CountingAllocator;

/// A counting allocator, as in the program: limits on scripts' memory need it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::ABORTING;

const ROUNDS: usize = 31;

/// Calls that are timed together.
const CALLS: usize = 2_000;

/// Iterations of a loop in a script.
const PASSES: usize = 1_000;

/// Rewards by name, from the simplest to one of the paper's.
const REWARDS: [(&str, &str); 3] = [
    ("a metric", "m.accuracy"),
    (
        "two weights and a limit",
        "if m.latency_ms > 100.0 { return reject(-m.latency_ms); } 0.9 * m.accuracy - 0.001 * m.area_mm2",
    ),
    ("weighted by scripts/rewards.rhai", "rewards::weighted(m, #{ area_mm2: 0.1, accuracy: 0.9 })"),
];

/// Expressions by name that an iteration of a loop evaluates, compared with an empty iteration.
const NATIVE: [(&str, &str); 7] = [
    ("chaidnn::estimate", "chaidnn::estimate(net, hw)"),
    ("accuracy::nasbench201", "accuracy::nasbench201(cnn, \"cifar100\")"),
    ("nasbench201::network", "nasbench201::network(cnn)"),
    ("point.hw", "point.hw"),
    ("net.macs", "net.macs"),
    ("hw.filter_par", "hw.filter_par"),
    ("a script's function", "own(i)"),
];

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn script(&self, evaluate: &str, reward: &str) -> Script {
        let text = format!(
            "import \"rewards\" as rewards;\n\
             fn space() {{ #{{ cnn: nasbench201::space(), hw: chaidnn::space() }} }}\n\
             fn own(x) {{ x }}\n\
             fn evaluate(point) {{ {evaluate} }}\n\
             fn reward(m) {{ {reward} }}\n"
        );
        let path = self.folder.path().join("x.rhai");
        std::fs::write(&path, text).expect("a script can be written");
        let mut settings = Settings::default();
        settings.limits.operations = 1_000_000_000;
        Script::load(&path, &settings, self.folder.path().to_owned()).expect("the script is right")
    }
}

/// Returns the median time of each case, in microseconds.
fn medians(cases: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut seconds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for (case, seconds) in cases.iter_mut().zip(&mut seconds) {
            let started = Instant::now();
            case();
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2] * 1e6
    };
    seconds.into_iter().map(median).collect()
}

/// Returns an engine with the functions of Rhai and of the script, without anything of this program.
fn plain(reward: &str) -> (Engine, AST) {
    let mut engine = Engine::new();
    engine.register_fn("reject", |reward: f64| reward);
    engine.set_module_resolver(rhai::module_resolvers::FileModuleResolver::new_with_path(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts"),
    ));
    let text = format!("import \"rewards\" as rewards;\nfn reward(m) {{ {reward} }}\n");
    let ast = engine.compile(text).expect("the script is right");
    (engine, ast)
}

fn rewards(bench: &Bench) {
    let metrics: Metrics =
        [("accuracy", 0.93), ("latency_ms", 42.0), ("area_mm2", 186.0)].map(named).into();
    println!("\n{:36} {:>9} {:>10} {:>7}", "reward", "us a call", "plain, us", "ratio");
    for (name, reward) in REWARDS {
        let script = bench.script("#{ accuracy: 0.5 }", reward);
        let (engine, ast) = plain(reward);
        let imports_first = ast.clone();
        let functions = ast.clone_functions_only();
        let uses_import = reward.contains("::");
        let mut hosted = || {
            for _ in 0..CALLS {
                black_box(script.reward(&metrics).expect("a reward"));
            }
        };
        let mut bare = || {
            let mut scope = Scope::new();
            for _ in 0..CALLS {
                let map: Map =
                    metrics.iter().map(|(k, &v)| (k.as_str().into(), v.into())).collect();
                // A plain engine sees imports only where it runs the statements that make them.
                let ast = if uses_import { &imports_first } else { &functions };
                black_box(
                    engine.call_fn::<f64>(&mut scope, ast, "reward", (map,)).expect("a number"),
                );
                scope.clear();
            }
        };
        let each = medians(&mut [&mut hosted, &mut bare]);
        let (hosted, bare) = (each[0] / CALLS as f64, each[1] / CALLS as f64);
        println!("{name:36} {hosted:9.3} {bare:10.3} {:7.2}", hosted / bare);
    }
}

fn named((name, value): (&str, f64)) -> (String, f64) {
    (name.to_owned(), value)
}

fn points(script: &Script) -> Vec<Point> {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    (0..64).map(|_| script.space().draw(&mut rng).expect("a legal point")).collect()
}

/// Measures a trial's evaluation in a script and in Rust; networks are cached after the first round in both.
fn evaluations(bench: &Bench) {
    let script = bench.script(
        "let net = nasbench201::network(point.cnn, #{ classes: 100 });
         let cost = chaidnn::estimate(net, point.hw);
         #{ accuracy: accuracy::nasbench201(point.cnn, \"cifar100\"), latency_ms: cost.latency_ms,
            area_mm2: cost.area_mm2 }",
        "m.accuracy",
    );
    let points = points(&script);
    let pairs: Vec<(Cell201, Program, Configuration)> = points
        .iter()
        .map(|point| {
            let texts = script.space().texts(point);
            let cell: Cell201 = texts[0].parse().expect("a cell");
            let settings = Nasbench201Settings { classes: 100, ..Nasbench201Settings::default() };
            let network = nasbench201(cell, settings).expect("a network");
            let configuration = texts[1].parse().expect("a configuration");
            (cell, lower(&network).expect("a program"), configuration)
        })
        .collect();
    let table = Nasbench201Table::embedded().expect("a table");
    let platform = Platform::codesign_nas();
    let mut scripted = || {
        for point in points.iter().cycle().take(CALLS) {
            black_box(script.evaluate(point).expect("metrics"));
        }
    };
    let mut native = || {
        for (cell, program, configuration) in pairs.iter().cycle().take(CALLS) {
            let cost = program.estimate(configuration, &platform).expect("an estimate");
            let metrics: Metrics = [
                ("accuracy", table.accuracy(*cell, Nasbench201Dataset::Cifar100)),
                ("latency_ms", cost.latency_ms),
                ("area_mm2", cost.area.area_mm2),
            ]
            .map(named)
            .into();
            black_box(metrics);
        }
    };
    let each = medians(&mut [&mut scripted, &mut native]);
    let (scripted, native) = (each[0] / CALLS as f64, each[1] / CALLS as f64);
    println!("\n{:36} {:>9} {:>10} {:>9}", "evaluation", "us a call", "native, us", "added, us");
    println!(
        "{:36} {scripted:9.3} {native:10.3} {:9.3}",
        "network, estimate, accuracy",
        scripted - native
    );
}

/// Measures calls of native functions in a script, with and without the time of the function itself.
fn calls(bench: &Bench) {
    let looped = |body: &str| {
        bench.script(
            &format!(
                "let cnn = point.cnn; let hw = point.hw; let net = nasbench201::network(cnn);
                 for i in 0..{PASSES} {{ {body} }}
                 #{{ accuracy: 0.5 }}"
            ),
            "m.accuracy",
        )
    };
    let scripts: Vec<Script> = [""]
        .into_iter()
        .chain(NATIVE.map(|(_, call)| call))
        .map(|call| looped(&if call.is_empty() { String::new() } else { format!("{call};") }))
        .collect();
    let point = points(&scripts[0]).remove(0);
    let mut runs: Vec<Box<dyn FnMut()>> = scripts
        .iter()
        .map(|script| {
            let point = point.clone();
            Box::new(move || {
                black_box(script.evaluate(&point).expect("metrics"));
            }) as Box<dyn FnMut()>
        })
        .collect();
    let texts = scripts[0].space().texts(&point);
    let cell: Cell201 = texts[0].parse().expect("a cell");
    let network = nasbench201(cell, Nasbench201Settings::default()).expect("a network");
    let program = lower(&network).expect("a program");
    let configuration: Configuration = texts[1].parse().expect("a configuration");
    let platform = Platform::codesign_nas();
    runs.push(Box::new(move || {
        for _ in 0..PASSES {
            black_box(program.estimate(black_box(&configuration), &platform).expect("an estimate"));
        }
    }));
    let mut cases: Vec<&mut dyn FnMut()> = runs.iter_mut().map(|run| run.as_mut() as _).collect();
    let each: Vec<f64> =
        medians(&mut cases).into_iter().map(|us| us * 1e3 / PASSES as f64).collect();
    let (empty, estimate) = (each[0], each[each.len() - 1]);
    println!("\n{:36} {:>9} {:>10} {:>9}", "call in a script", "ns", "native, ns", "added, ns");
    for ((name, _), ns) in NATIVE.iter().zip(&each[1..]) {
        let native = if *name == "chaidnn::estimate" { estimate } else { 0.0 };
        println!("{name:36} {:9.0} {native:10.0} {:9.0}", ns - empty, ns - empty - native);
    }
}

fn main() {
    // As in the program, scripts are called on a thread with a stack that suffices.
    let run = tandem::util::deep_stack::builder().spawn(run).expect("a thread can be started");
    run.join().expect("the benchmark ran");
}

fn run() {
    let bench = Bench { folder: tempfile::tempdir().expect("a temporary folder") };
    // Cargo passes `--bench` to every benchmark.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("medians of {ROUNDS} rounds");
    type Part = fn(&Bench);
    let parts: [(&str, Part); 3] =
        [("rewards", rewards), ("evaluations", evaluations), ("calls", calls)];
    for (name, part) in parts {
        if only.as_deref().is_none_or(|only| only == name) {
            part(&bench);
        }
    }
}
