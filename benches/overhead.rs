//! The overhead of the host per trial, without its evaluation.
//!
//! Every case runs in turn, round after round; the median of the rounds is printed, with its ratio to the
//! first case. One long run follows, in which the last trials are compared with the first. `cargo bench
//! --bench overhead`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tandem::metrics::Metrics;
use tandem::pareto::Objective;
use tandem::run::{
    Event, Experiment, Failure, Observer, Phase, Progress, Reward, RunError, Runner,
};
use tandem::script::{Script, Settings};
use tandem::search::{ControllerSpec, Feedback, ReinforceSettings, SearchSpace};
use tandem::space::{Domain, Part, Point, SingleChoice, Space, Value};
use tandem::store::{OpenMode, Outcome, RunRecord, Store, Trial};
use tandem::util::alloc_meter::CountingAllocator;

/// A counting allocator, as in the program: limits on scripts' memory need it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::ABORTING;

const TRIALS: u64 = 2_000;
const ROUNDS: usize = 9;

/// The number of trials of the long run; [`TIMED`] of them are timed at its start and at its end.
const MANY: u64 = 1_000_000;
const TIMED: u64 = 10_000;

/// A space as large as NAS-Bench-201 with CHaiDNN: 14 choices of 5 options.
struct Free {
    space: Space,
    objectives: Vec<Objective>,
    controller: ControllerSpec,
    steps: u64,
}

impl Free {
    fn new(controller: ControllerSpec, steps: u64) -> Self {
        let part = |index: usize| {
            let options = SingleChoice::new((0..5).map(Value::Int).collect());
            Part { name: format!("part{index}"), domain: Arc::new(options) as Arc<dyn Domain> }
        };
        let space = Space::new((0..14).map(part).collect()).expect("14 parts are a space");
        let objectives = ["accuracy:max", "area_mm2:min"];
        let objectives = objectives.map(|text| text.parse().expect("an objective")).to_vec();
        Self { space, objectives, controller, steps }
    }
}

impl Experiment for Free {
    fn space(&self) -> &Space {
        &self.space
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure> {
        let sum: u16 = point.0.iter().sum();
        Ok([("accuracy".to_owned(), f64::from(sum)), ("area_mm2".to_owned(), 1.0)].into())
    }

    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure> {
        Ok(progress.phases().is_empty().then(|| Phase {
            name: "all".to_owned(),
            search: self.space.parts().iter().map(|part| part.name.clone()).collect(),
            held: None,
            steps: Some(self.steps),
            valid: None,
            controller: self.controller.clone(),
            keep: None,
            reward: Arc::new(|metrics| Ok(Reward { value: metrics["accuracy"], valid: true })),
            screen: None,
            description: String::new(),
        }))
    }
}

/// Asks, evaluates, tells and updates the frontier, without a store.
fn in_memory(experiment: &Free) -> Result<(), RunError> {
    let space = &experiment.space;
    let mut progress = Progress::new(experiment.objectives.clone(), 0);
    let phase = experiment.next_phase(&progress).ok().flatten().expect("a phase");
    let subspace = phase.subspace(experiment)?;
    let failed = |source| RunError::Controller { phase: "all".to_owned(), source };
    let mut controller =
        phase.controller.build(SearchSpace::from(&subspace), 0, "phase 0").map_err(failed)?;
    progress.enter("all");
    for step in 0..TRIALS {
        let point = subspace.point(&controller.ask().map_err(failed)?);
        let outcome = phase.judge(&experiment.evaluate(&point)).outcome;
        controller.tell(Feedback::reward(outcome.reward())).map_err(failed)?;
        let names = space.parts().iter().map(|part| part.name.clone());
        let text = names.zip(space.texts(&point)).collect();
        let trial = Trial { step, phase: 0, point: point.0, text, outcome };
        progress.add(Arc::new(trial)).expect("every trial has its objectives");
    }
    assert!(matches!(progress.trials()[0].outcome, Outcome::Done { .. }));
    Ok(())
}

/// Runs an experiment into a new store.
fn stored(experiment: &dyn Experiment) -> Result<(), RunError> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    run(&dir.path().join("store"), experiment, TRIALS, &mut |_: Event<'_>| {})
}

/// Returns the milliseconds per trial of a long run: of the first trials and of the last ones.
fn long(experiment: &Free) -> Result<(f64, f64), RunError> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let started = Instant::now();
    let mut at: Vec<(u64, f64)> = vec![(0, 0.0)];
    let mut observe = |event: Event<'_>| {
        if let Event::Committed { progress, .. } = event {
            at.push((progress.steps(), started.elapsed().as_secs_f64()));
        }
    };
    run(&dir.path().join("store"), experiment, experiment.steps, &mut observe)?;
    let time_at = |step: u64| at.iter().rfind(|(steps, _)| *steps <= step).copied();
    let between = |from: u64, to: u64| {
        let (a, b) = (time_at(from).expect("a start"), time_at(to).expect("an end"));
        (b.1 - a.1) * 1e3 / (b.0 - a.0) as f64
    };
    Ok((between(0, TIMED), between(experiment.steps - TIMED, experiment.steps)))
}

fn run(
    path: &Path,
    experiment: &dyn Experiment,
    steps: u64,
    observer: &mut dyn Observer,
) -> Result<(), RunError> {
    let store = Store::open(path, OpenMode::ReadWrite)?;
    let run = store.create_run(RunRecord {
        steps: Some(steps),
        created_s: 0,
        updated_s: 0,
        ..RunRecord::new("bench", "")
    })?;
    let stop = AtomicBool::new(false);
    let runner = Runner { experiment, store: &store, run, threads: 1, stop: &stop, observer };
    let (_, progress) = runner.run()?;
    assert_eq!(progress.steps(), steps);
    Ok(())
}

const SCRIPT: &str = r#"
fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
fn evaluate(point) { #{ accuracy: 0.5, area_mm2: 1.0 } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 2000, controller: random() }) } }
"#;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("free.rhai");
    std::fs::write(&path, SCRIPT).expect("a script can be written");
    let script = Script::load(&path, &Settings::default(), dir.path().to_owned());
    let script = script.expect("the script is right");
    let random = Free::new(ControllerSpec::Random, TRIALS);
    let reinforce = Free::new(ControllerSpec::Reinforce(ReinforceSettings::default()), TRIALS);

    type Case<'a> = (&'a str, f64, Box<dyn Fn() -> Result<(), RunError> + 'a>);
    let cases: [Case<'_>; 5] = [
        ("random, in memory", 0.05, Box::new(|| in_memory(&random))),
        ("random, with the store", 0.2, Box::new(|| stored(&random))),
        ("random, script and store", 0.2, Box::new(|| stored(&script))),
        ("reinforce, in memory", 1.0, Box::new(|| in_memory(&reinforce))),
        ("reinforce, with the store", 1.0, Box::new(|| stored(&reinforce))),
    ];
    let mut seconds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, _, case), seconds) in cases.iter().zip(&mut seconds) {
            let started = Instant::now();
            case().expect("a run without failures");
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    println!("{:26} {:>12} {:>8} {:>12}", "case", "ms a trial", "ratio", "limit, ms");
    let mut first = None;
    for ((name, limit, _), mut seconds) in cases.iter().zip(seconds) {
        seconds.sort_by(f64::total_cmp);
        let each_ms = seconds[ROUNDS / 2] * 1e3 / TRIALS as f64;
        let ratio = each_ms / *first.get_or_insert(each_ms);
        println!("{name:26} {each_ms:12.5} {ratio:8.1} {limit:12}");
    }
    let many = Free::new(ControllerSpec::Random, MANY);
    let (start, end) = long(&many).expect("a run without failures");
    println!(
        "{MANY} trials: {start:.5} ms a trial at the start, {end:.5} at the end, {:.2}",
        end / start
    );
}
