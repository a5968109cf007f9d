//! Tests of the loop with a small experiment: interruption, resumption, divergence.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::metrics::Metrics;
use crate::pareto::Objective;
use crate::search::{ControllerSpec, Local, ReinforceSettings};
use crate::space::{Part, Point, SingleChoice, Space, Value};
use crate::store::{Entry, OpenMode, Outcome, Reader, Reused, RunRecord, Status, Store, Trial};

/// A made-up problem on two parts of a few options; one combination in seven fails.
struct Toy {
    space: Space,
    objectives: Vec<Objective>,
    phases: Vec<(ControllerSpec, Option<&'static str>)>,
    /// Trials of each phase.
    steps: u64,
    evaluated: AtomicU64,
}

impl Toy {
    fn new(phases: Vec<(ControllerSpec, Option<&'static str>)>, steps: u64) -> Self {
        let part = |name: &str, options: i64| Part {
            name: name.to_owned(),
            domain: Arc::new(SingleChoice::new((0..options).map(Value::Int).collect())),
        };
        Self {
            space: Space::new(vec![part("cnn", 9), part("hw", 12)]).unwrap(),
            objectives: vec!["accuracy:max".parse().unwrap(), "area_mm2:min".parse().unwrap()],
            phases,
            steps,
            evaluated: AtomicU64::new(0),
        }
    }

    /// Two controllers that learn, one of them in turns, and one that does not.
    fn mixed() -> Self {
        let batch = |batch| {
            ControllerSpec::Reinforce(ReinforceSettings { batch, hidden: 8, ..Default::default() })
        };
        let phases = vec![
            (batch(7), Some("learner")),
            (ControllerSpec::Random, None),
            (batch(7), Some("learner")),
            (batch(16), None),
        ];
        Self::new(phases, 150)
    }
}

impl Experiment for Toy {
    fn space(&self) -> &Space {
        &self.space
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure> {
        self.evaluated.fetch_add(1, Ordering::Relaxed);
        let (cnn, hw) = (f64::from(point.0[0]), f64::from(point.0[1]));
        if (3.0 * cnn + hw) % 7.0 == 0.0 {
            return Err(Failure::new(format!("{cnn} does not go with {hw}")));
        }
        let metrics = [("accuracy", (cnn * 0.7).sin() + 0.01 * hw), ("area_mm2", cnn + hw * hw)];
        Ok(metrics.map(|(name, value)| (name.to_owned(), value)).into())
    }

    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure> {
        let index = progress.phases().len();
        let Some((controller, keep)) = self.phases.get(index) else { return Ok(None) };
        let limit = 10.0 * index as f64 + 40.0;
        Ok(Some(Phase {
            name: format!("turn {index}"),
            search: vec!["cnn".to_owned(), "hw".to_owned()],
            held: None,
            steps: Some(self.steps),
            valid: Some(self.steps - 20),
            controller: controller.clone(),
            keep: keep.map(str::to_owned),
            reward: Arc::new(move |metrics| {
                let valid = metrics["area_mm2"] <= limit;
                Ok(Reward { value: metrics["accuracy"] - f64::from(u8::from(!valid)), valid })
            }),
            screen: None,
            description: format!("{index} {limit}"),
        }))
    }
}

fn record(seed: u64, steps: Option<u64>) -> RunRecord {
    RunRecord { seed, steps, ..RunRecord::new("toy", "toy.rhai") }
}

fn open(path: &Path) -> Store {
    Store::open(path, OpenMode::ReadWrite).unwrap()
}

/// Runs until `stop_after` trials are committed in this call.
fn go(
    toy: &Toy,
    store: &Store,
    run: RunRecord,
    threads: usize,
    stop_after: u64,
) -> Result<(RunEnd, Progress), RunError> {
    let stop = AtomicBool::new(false);
    let mut committed = 0;
    let mut observer = |event: Event<'_>| {
        if let Event::Committed { trials, .. } = event {
            committed += trials.len() as u64;
            stop.store(committed >= stop_after, Ordering::Relaxed);
        }
    };
    Runner { experiment: toy, store, run, threads, stop: &stop, observer: &mut observer }.run()
}

fn stored(store: &Store) -> Vec<Trial> {
    store.trials("toy-1").unwrap().map(Result::unwrap).collect()
}

fn uninterrupted(seed: u64, steps: Option<u64>, threads: usize) -> (Vec<Trial>, RunRecord) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let run = store.create_run(record(seed, steps)).unwrap();
    let (end, progress) = go(&Toy::mixed(), &store, run, threads, u64::MAX).unwrap();
    assert_eq!(end, RunEnd::Finished);
    let trials = stored(&store);
    assert_eq!(trials.len() as u64, progress.steps());
    (trials, store.run("toy-1").unwrap())
}

#[test]
fn a_run_goes_through_its_phases_and_learns() {
    let (trials, run) = uninterrupted(1, None, 2);
    assert_eq!(run.status, Status::Finished);
    assert_eq!(run.phases.len(), 4);
    assert_eq!(run.trials, trials.len() as u64);
    let failed = trials.iter().filter(|trial| trial.outcome.reward().is_none()).count();
    assert_eq!(run.failed, failed as u64);
    assert!(failed > 0);
    for phase in &run.phases {
        let of_phase = trials.iter().filter(|trial| trial.phase == phase.index);
        let (count, valid) = of_phase.fold((0, 0), |(count, valid), trial| {
            let is_valid = matches!(trial.outcome, Outcome::Done { valid: true, .. });
            (count + 1, valid + u64::from(is_valid))
        });
        // A phase ends with the batch that brings its last valid trial.
        assert!(count == 150 || valid >= 130, "{phase:?}: {count} trials, {valid} valid");
    }
}

#[test]
fn threads_do_not_change_a_run() {
    let one = uninterrupted(2, None, 1).0;
    assert_eq!(one, uninterrupted(2, None, 2).0);
    assert_eq!(one, uninterrupted(2, None, 5).0);
    assert_ne!(one, uninterrupted(3, None, 1).0);
}

#[test]
fn a_limit_cuts_a_run_short_and_can_be_raised() {
    let whole = uninterrupted(4, None, 2).0;
    for limit in [1, 40, 151] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let run = store.create_run(record(4, Some(limit))).unwrap();
        go(&Toy::mixed(), &store, run, 2, u64::MAX).unwrap();
        assert_eq!(stored(&store), whole[..limit as usize]);
        let mut run = store.run("toy-1").unwrap();
        assert_eq!(run.status, Status::Finished);
        run.steps = None;
        go(&Toy::mixed(), &store, run, 2, u64::MAX).unwrap();
        assert_eq!(stored(&store), whole);
    }
}

#[test]
fn the_same_points_are_evaluated_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let toy = Toy::mixed();
    let run = store.create_run(record(5, None)).unwrap();
    go(&toy, &store, run, 1, u64::MAX).unwrap();
    let points: std::collections::HashSet<Vec<u16>> =
        stored(&store).into_iter().map(|trial| trial.point).collect();
    assert_eq!(toy.evaluated.load(Ordering::Relaxed), points.len() as u64);
    let reader: &dyn Reader = &store;
    let efforts = reader.entries("toy-1").unwrap().map(|entry| entry.unwrap().effort);
    let known = efforts.filter(|effort| effort.reused == Reused::METRICS).count();
    assert_eq!(known, stored(&store).len() - points.len());
}

#[test]
fn another_seed_or_schedule_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let run = store.create_run(record(6, None)).unwrap();
    go(&Toy::mixed(), &store, run, 2, 60).unwrap();
    let mut run = store.run("toy-1").unwrap();
    // Without its checkpoint, the journal is replayed from the start.
    let before = stored(&store);
    run.seed = 7;
    let fresh = tempfile::tempdir().unwrap();
    let copy = open(fresh.path());
    run.name = "toy".to_owned();
    copy.create_run(run).unwrap();
    let entries: Vec<Entry> = before.iter().cloned().map(Entry::from).collect();
    copy.append("toy-1", &entries).unwrap();
    let error = go(&Toy::mixed(), &copy, copy.run("toy-1").unwrap(), 2, u64::MAX).unwrap_err();
    assert!(
        error.to_string().starts_with("the journal of run `toy-1` differs at step 0: stored is ["),
        "{error}"
    );
    assert_eq!(stored(&copy), before);

    let mut other = Toy::mixed();
    other.phases[0].1 = None;
    other.phases.truncate(1);
    other.steps = 30;
    let error = go(&other, &store, store.run("toy-1").unwrap(), 2, u64::MAX).unwrap_err();
    assert!(matches!(error, RunError::Diverged { .. } | RunError::Checkpoint { .. }), "{error}");
    assert_eq!(stored(&store), before);
}

#[test]
fn a_run_in_which_nothing_works_stops() {
    struct Broken(Toy);
    impl Experiment for Broken {
        fn space(&self) -> &Space {
            &self.0.space
        }
        fn objectives(&self) -> &[Objective] {
            &self.0.objectives
        }
        fn evaluate(&self, _: &Point) -> Result<Metrics, Failure> {
            Ok([("accuracy".to_owned(), f64::NAN)].into())
        }
        fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure> {
            self.0.next_phase(progress)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let run = store.create_run(record(1, None)).unwrap();
    let stop = AtomicBool::new(false);
    let experiment = &Broken(Toy::mixed());
    let observer = &mut |_: Event<'_>| {};
    let runner = Runner { experiment, store: &store, run, threads: 1, stop: &stop, observer };
    let error = runner.run().unwrap_err().to_string();
    let (_, reason) = error.split_once("; ").unwrap();
    assert_eq!(reason, "the first with: metric `accuracy` is NaN");
    let trials = stored(&store);
    assert_eq!(trials.len(), 32);
    assert!(trials.iter().all(|trial| trial.outcome.reward().is_none()));
    assert!(matches!(store.run("toy-1").unwrap().status, Status::Failed { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A run has the same trials however often and wherever it is stopped, with a checkpoint or with the
    /// journal alone.
    #[test]
    fn an_interrupted_run_is_the_same_run(
        seed in 0..3u64,
        stops in prop::collection::vec((1..120u64, 1..4usize), 1..6),
    ) {
        let (expected, record_expected) = uninterrupted(seed, None, 2);
        let dir = tempfile::tempdir().unwrap();
        let created = open(dir.path()).create_run(record(seed, None)).unwrap();
        let mut run = created;
        for (stop_after, threads) in stops {
            let store = open(dir.path());
            let (_, progress) = go(&Toy::mixed(), &store, run, threads, stop_after).unwrap();
            let trials = stored(&store);
            prop_assert_eq!(progress.steps() as usize, trials.len());
            prop_assert_eq!(&trials[..], &expected[..trials.len()]);
            run = store.run("toy-1").unwrap();
            if run.status == Status::Finished {
                break;
            }
        }
        let store = open(dir.path());
        if run.status != Status::Finished {
            go(&Toy::mixed(), &store, run, 2, u64::MAX).unwrap();
        }
        prop_assert_eq!(stored(&store), expected);
        let run = store.run("toy-1").unwrap();
        prop_assert_eq!(run.phases, record_expected.phases);
        prop_assert_eq!((run.trials, run.failed), (record_expected.trials, record_expected.failed));
    }
}

/// A problem of which each trial takes more than a second.
struct Slow(Toy);

impl Experiment for Slow {
    fn space(&self) -> &Space {
        self.0.space()
    }

    fn objectives(&self) -> &[Objective] {
        self.0.objectives()
    }

    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure> {
        std::thread::sleep(std::time::Duration::from_millis(1_050));
        self.0.evaluate(point)
    }

    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure> {
        self.0.next_phase(progress)
    }
}

#[test]
fn a_checkpoint_follows_each_expensive_trial() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let run = store.create_run(record(1, Some(2))).unwrap();
    let one = ControllerSpec::Local(Local { batch: 1 });
    let experiment = &Slow(Toy::new(vec![(one, None)], 150));
    let mut checkpoints = Vec::new();
    let mut observer = |event: Event<'_>| {
        if let Event::Checkpoint { step } = event {
            checkpoints.push(step);
        }
    };
    let stop = &AtomicBool::new(false);
    let runner =
        Runner { experiment, store: &store, run, threads: 1, stop, observer: &mut observer };
    assert_eq!(runner.run().unwrap().0, RunEnd::Finished);
    assert_eq!(checkpoints, [1, 2]);
}
