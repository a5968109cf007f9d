//! Tests of scripts in a run with a store.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::*;
use crate::run::{Event, Experiment, RunEnd, Runner};
use crate::space::Point;
use crate::store::{OpenMode, Outcome, RunRecord, Status, Store, Trial};

const FAULTY: &str = r#"
fn space() { #{ x: int(0, 9), y: int(0, 9) } }
fn evaluate(point) {
    if point.x == 3 { bug(); }
    #{ accuracy: point.x / 10.0 }
}
fn reward(m) { m.accuracy }
fn schedule(run) {
    if run.phases == 0 { phase("all", #{ steps: 200, controller: random() }) }
}
"#;

/// Returns a script whose function `bug` is native and panics.
fn faulty() -> Script {
    let (path, settings) = (Path::new("faulty.rhai"), Settings::default());
    let mut script = Script::of_text(path, FAULTY, &settings, PathBuf::new()).unwrap();
    script.with_engine(|engine| {
        engine.register_fn("bug", || -> i64 { panic!("found") });
    });
    script
}

#[test]
fn panics_in_calls_are_failed_trials_of_an_intact_store() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(dir.path(), OpenMode::ReadWrite).unwrap();
    let (script, store) = (faulty(), open());
    let run = store.create_run(RunRecord::new("faulty", "faulty.rhai")).unwrap();
    let (stop, mut observer) = (AtomicBool::new(false), |_: Event<'_>| {});
    let runner = Runner {
        experiment: &script,
        store: &store,
        run,
        threads: 2,
        stop: &stop,
        observer: &mut observer,
    };
    let (end, progress) = runner.run().unwrap();
    assert_eq!((end, progress.steps()), (RunEnd::Finished, 200));
    drop(store);

    let store = open();
    assert_eq!(store.verify().damages, 0, "{:?}", store.verify());
    assert_eq!(store.run("faulty-1").unwrap().status, Status::Finished);
    let trials: Vec<Trial> = store.trials("faulty-1").unwrap().map(Result::unwrap).collect();
    assert_eq!(trials.len(), 200);
    let failed = trials.iter().filter(|trial| match &trial.outcome {
        Outcome::Done { .. } => false,
        Outcome::Failed { reason, .. } => {
            assert!(
                reason.contains("this is a bug of tandem, not of the script: found"),
                "{reason}"
            );
            true
        }
    });
    assert_eq!(failed.count(), trials.iter().filter(|trial| trial.point[0] == 3).count());
    assert!(progress.failed() > 5);
}

#[test]
fn a_module_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let module = dir.path().join("own.rhai");
    std::fs::write(&module, "fn worth(x) { x / 10.0 }").unwrap();
    let text = r#"
fn space() { #{ x: int(0, 9) } }
fn evaluate(point) {
    import "own" as own;
    #{ accuracy: own::worth(point.x) }
}
fn reward(m) { m.accuracy }
"#;
    let path = dir.path().join("x.rhai");
    let script = Script::of_text(&path, text, &Settings::default(), PathBuf::new()).unwrap();
    let accuracy = |x| script.evaluate(&Point(vec![x])).unwrap()["accuracy"];
    assert_eq!(accuracy(3), 0.3);
    std::fs::remove_file(module).unwrap();
    assert_eq!(accuracy(7), 0.7);
}
