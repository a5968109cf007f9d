//! The time and space of the store and of queries: `cargo bench --bench store [-- TRIALS]`.
//!
//! Builds a store of a million trials (or TRIALS) of a NASBench-101 x CHaiDNN space with four metrics in a
//! temporary folder. It measures appending in commits of 64, the bytes on disk per trial, and queries, each
//! in a separate process from its start to its end, with its peak memory.
//!
//! For `benches/stores/run`: `store json TRIALS` prints the figures as JSON, and `store dump TRIALS FILE`
//! writes the trials as JSON lines.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::json;
use tandem::run::Experiment;
use tandem::script::{Script, Settings};
use tandem::space::Space;
use tandem::store::{
    Entry, OpenMode, Outcome, PhaseRecord, Reused, RunRecord, Status, Store, Trial, TrialCost,
};
use tandem::util::rng::{ChaCha12Rng, stream};

const TRIALS: u64 = 1_000_000;
const COMMIT: usize = 64;
/// Commits over which the time of appending at a size is averaged.
const WINDOW: usize = 64;
/// Rounds of each query; the fastest counts.
const ROUNDS: usize = 3;

const SCRIPT: &str = "
fn space() { #{ cnn: nasbench101::space(), hw: chaidnn::space() } }
fn evaluate(point) { #{ accuracy: 0.5 } }
fn reward(m) { m.accuracy }
";

/// Queries by name; the peers run the first one too.
const QUESTIONS: [(&str, &[&str]); 6] = [
    (
        "filter, sort, limit",
        &["query", "accuracy > 0.93 && latency_ms < 100", "--sort", "latency_ms", "--limit", "10"],
    ),
    (
        "the same by the interpreter",
        &[
            "query",
            "accuracy * 1.0 > 0.93 && latency_ms < 100",
            "--sort",
            "latency_ms + 0.0",
            "--limit",
            "10",
        ],
    ),
    (
        "a text of the point",
        &[
            "query",
            "point.cnn.contains(\"maxpool3x3\") && valid",
            "--sort",
            "reward:max",
            "--limit",
            "10",
        ],
    ),
    (
        "groups with a quantile",
        &["query", "!failed", "--by", "phase", "--agg", "count,mean:reward,q90:latency_ms"],
    ),
    ("on_frontier", &["query", "on_frontier", "--sort", "accuracy"]),
    ("runs", &["runs"]),
];

/// An iterator over `of` random trials.
struct Trials {
    space: Space,
    rng: ChaCha12Rng,
    step: u64,
    of: u64,
}

impl Trials {
    fn new(of: u64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("space.rhai");
        fs::write(&path, SCRIPT).expect("a script can be written");
        let script = Script::load(&path, &Settings::default(), dir.path().to_owned());
        let space = script.expect("the script is right").space().clone();
        Self { space, rng: stream(0, "bench", 0), step: 0, of }
    }
}

impl Iterator for Trials {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let point = self.space.draw(&mut self.rng).expect("the space has points");
        let names = self.space.parts().iter().map(|part| part.name.clone());
        let text = names.zip(self.space.texts(&point)).collect();
        let mut draw = |low: f64, high: f64| self.rng.random_range(low..high);
        let (latency_ms, area_mm2) = (draw(5.0, 400.0), draw(60.0, 220.0));
        let accuracy = 0.95 - draw(0.0, 0.4) * draw(0.0, 1.0);
        let img_s_cm2 = 1e5 / latency_ms / area_mm2;
        let metrics = [
            ("accuracy", accuracy),
            ("latency_ms", latency_ms),
            ("area_mm2", area_mm2),
            ("img_s_cm2", img_s_cm2),
        ];
        let metrics = metrics.map(|(name, value)| (name.to_owned(), value)).into();
        let valid = latency_ms < 200.0;
        let reward = if valid { accuracy - 1e-3 * area_mm2 } else { 1.0 - latency_ms / 200.0 };
        let trial = Trial {
            step: self.step,
            phase: u32::from(self.step * 2 >= self.of),
            point: point.0,
            text,
            outcome: Outcome::Done { metrics, reward, valid },
        };
        self.step += 1;
        let micros = self.rng.random_range(20..200);
        Some(Entry { trial, effort: TrialCost { micros, reused: Reused::NOTHING } })
    }
}

fn record(trials: u64) -> RunRecord {
    let phase = |index: u32, name: &str| PhaseRecord {
        index,
        name: name.to_owned(),
        first_step: u64::from(index) * trials / 2,
        steps: None,
        digest: String::new(),
    };
    let objectives = ["accuracy:max", "latency_ms:min", "area_mm2:min"];
    RunRecord {
        settings: json!({}),
        defaults: json!({}),
        steps: Some(trials),
        objectives: objectives.map(|text| text.parse().expect("an objective")).to_vec(),
        status: Status::Finished,
        created_s: 0,
        updated_s: 0,
        phases: vec![phase(0, "first"), phase(1, "second")],
        trials,
        ..RunRecord::new("bench", "bench.rhai")
    }
}

/// Fills a store, and returns the microseconds per trial of appending just before each of the sizes.
fn fill(folder: &Path, trials: u64, sizes: &[u64]) -> Vec<f64> {
    let store = Store::open(folder, OpenMode::ReadWrite).expect("a store");
    let run = store.create_run(record(trials)).expect("a run").name;
    let mut source = Trials::new(trials);
    let (mut commits, mut costs, mut done) = (Vec::new(), Vec::new(), 0);
    while done < trials {
        let count = u64::min(COMMIT as u64, trials - done);
        let entries: Vec<Entry> = source.by_ref().take(count as usize).collect();
        let started = Instant::now();
        store.append(&run, &entries).expect("the trials go on where the journal ends");
        commits.push(started.elapsed().as_secs_f64() * 1e6 / count as f64);
        done += count;
        if sizes.iter().any(|&size| done >= size && done - count < size) {
            // The mean: one commit in eight packs a block.
            let last = &commits[commits.len().saturating_sub(WINDOW)..];
            costs.push(last.iter().sum::<f64>() / last.len() as f64);
        }
    }
    store.sync().expect("the disk takes it");
    costs
}

/// Runs a query in a separate process; returns the milliseconds from its start to its end, and its peak
/// memory in MiB.
fn ask(folder: &Path, question: &[&str]) -> (f64, f64) {
    let mut best = (f64::INFINITY, 0.0);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.arg("--store").arg(folder).args(question).stdout(Stdio::null());
        let mut child = command.spawn().expect("the program runs");
        let mut peak = 0;
        let status = loop {
            peak = peak_kib(child.id()).unwrap_or(peak);
            if let Some(status) = child.try_wait().expect("the program ends") {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let ms = started.elapsed().as_secs_f64() * 1e3;
        assert!(status.success(), "{question:?}");
        let peak = peak as f64;
        if ms < best.0 {
            best = (ms, peak / 1024.0);
        }
    }
    best
}

/// Returns the peak memory of a process so far, in KiB; `None` if the system does not report it or the
/// process has ended.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn bytes_of(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let data = entry.metadata().expect("its size");
        bytes += if data.is_dir() { bytes_of(&entry.path()) } else { data.len() };
    }
    bytes
}

fn measure(trials: u64, as_json: bool) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path().join("store");
    let sizes: Vec<u64> = [10_000, trials].into_iter().filter(|&size| size <= trials).collect();
    let costs = fill(&folder, trials, &sizes);
    let bytes = bytes_of(&folder) as f64 / trials as f64;
    let answers: Vec<(&str, f64, f64)> = QUESTIONS
        .iter()
        .map(|(name, question)| {
            let (ms, mib) = ask(&folder, question);
            (*name, ms, mib)
        })
        .collect();
    if as_json {
        let answers: Vec<_> = answers
            .iter()
            .map(|(name, ms, mib)| json!({ "question": name, "ms": ms, "peak_mib": mib }))
            .collect();
        let append = costs.last();
        println!("{}", json!({ "append_us": append, "bytes": bytes, "answers": answers }));
        return;
    }
    println!("{trials} trials");
    for (size, us) in sizes.iter().zip(&costs) {
        println!("{:30} {us:10.1} us a trial", format!("appending, at {size}"));
    }
    println!("{:30} {bytes:10.1} bytes a trial", "on the disk");
    for (name, ms, mib) in answers {
        println!("{name:30} {ms:10.1} ms {mib:10.1} MiB at most");
    }
}

fn dump(trials: u64, file: &str) {
    let mut out = BufWriter::new(fs::File::create(file).expect("a file"));
    for Entry { trial, .. } in Trials::new(trials).take(trials as usize) {
        let line = json!({
            "point": trial.point,
            "text": trial.text,
            "metrics": trial.outcome.metrics(),
            "reward": trial.outcome.reward(),
        });
        writeln!(out, "{line}").expect("the disk takes it");
    }
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().expect("a number of trials");
    match arguments.as_slice() {
        ["json", trials] => measure(number(trials), true),
        ["dump", trials, file] => dump(number(trials), file),
        [trials] => measure(number(trials), false),
        _ => measure(TRIALS, false),
    }
}
