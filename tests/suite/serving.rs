//! Stores that are read while another process writes to them.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Place, Ran, SCRIPT};

/// An experiment with slow evaluations, so that its run is still active when it is queried.
const SLOW: &str = r#"
fn space() { #{ x: choice([1, 2, 3, 4, 5, 6, 7, 8]), y: choice([1, 2, 3, 4]), hw: chaidnn::space() } }
fn evaluate(p) {
    let sum = 0;
    for i in range(0, 20000) { sum += i % 7; }
    #{ accuracy: p.x / 9.0 + sum * 0.0, area_mm2: 60.0 + 12.0 * p.x * p.x / p.y }
}
fn objectives() { ["accuracy:max", "area_mm2:min"] }
fn reward(m) { if m.area_mm2 > 150.0 { reject(-1.0) } else { m.accuracy } }
fn schedule(run) {
    if run.phases == 0 { phase("first", #{ steps: 600, controller: random() }) }
    else if run.phases == 1 { phase("second", #{ steps: 1000000, controller: random() }) }
}
"#;

/// A sweep over all pairs of NAS-Bench-201 and CHaiDNN.
const SWEEP: &str = r#"
fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
fn sweep() {
    #{
        networks: nasbench201::networks(),
        accuracy: accuracy::nasbench201("cifar10"),
        accelerator: chaidnn::accelerator(),
        objectives: #{ accurate: objective::weighted(#{ accuracy: 1.0 }).subject_to("latency_ms <= 5") },
        top: 3,
    }
}
"#;

/// A background process that is killed when the test ends.
struct Working(Child);

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Working {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

fn holder(place: &Path) -> Option<Value> {
    let text = fs::read_to_string(place.join(".tandem/holder")).ok()?;
    serde_json::from_str(&text).ok()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Starts a command, and waits until it holds the store and has a socket.
fn working(place: &Place, arguments: &[&str]) -> Working {
    let child = Working(place.start(arguments));
    wait_until("it answers", || {
        holder(place.path())
            .is_some_and(|h| h["process"] == u64::from(child.id()) && h["socket"].is_string())
    });
    child
}

fn trials(place: &Place) -> u64 {
    let runs = place.ok(&["runs", "--format", "jsonl"]);
    runs.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["trials"].as_u64().unwrap())
        .sum()
}

fn show(place: &Place, run: &str) -> Value {
    serde_json::from_str::<Value>(&place.ok(&["show", run, "--format", "json"])).unwrap()[0].clone()
}

#[test]
fn a_run_is_read_while_it_goes_on() {
    let place = Place::with(SLOW);
    let run = working(&place, &["run", "x.rhai", "--steps", "20000"]);
    wait_until("there are trials", || trials(&place) > 700);

    // The socket is nobody else's.
    let noted = holder(place.path()).unwrap();
    let socket = Path::new(noted["socket"].as_str().unwrap());
    assert_eq!(fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);

    let shown = show(&place, "x-1");
    assert_eq!(shown["status"], "running");
    let held_by = format!(
        "process {} on {} (`tandem run x.rhai --steps 20000`)",
        run.id(),
        noted["host"].as_str().unwrap()
    );
    assert!(shown["held_by"].as_str().unwrap().starts_with(&held_by), "{shown}");
    assert!(shown["heartbeat"].as_str().unwrap().ends_with(" s ago"), "{shown}");
    let (done, left) = (shown["trials"].as_u64().unwrap(), shown["remaining"].as_u64().unwrap());
    assert_eq!((done + left, left > 0), (20_000, true));
    assert!(trials(&place) >= done);

    // What is read now is what there will be.
    let first = ["query", "step < 640", "--run", "x-1", "--format", "jsonl"];
    let best = ["query", "step < 640 && accuracy > 0.8", "--sort", "area_mm2", "--limit", "5"];
    let step = ["show", "x-1", "12"];
    let script = ["show", "x-1", "--script"];
    let during = [&first[..], &best, &step, &script].map(|arguments| place.ok(arguments));
    assert_eq!(during[0].lines().count(), 640);
    assert!(place.ok(&["pareto", "x-1"]).contains("hypervolume"));
    assert_eq!(place.run(&["trainings"]).code, 0);
    let wrong = place.run(&["show", "x-2"]);

    // A second writer is refused, whatever it wants to write.
    for arguments in [&["run", "x.rhai"][..], &["resume", "x-1"], &["show", "x-1", "--summary"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 4, "{}", ran.err);
        let begin = format!("error: the store at .tandem is in use by {held_by} for ");
        assert!(ran.err.starts_with(&begin), "{}", ran.err);
        assert!(
            ran.err.contains(" s ago; wait for it to end, or use another store"),
            "{}",
            ran.err
        );
    }

    let before = trials(&place);
    wait_until("it has gone on", || trials(&place) > before);
    run.signal("-INT");
    let mut run = run;
    assert_eq!(run.0.wait().unwrap().code(), Some(130));
    assert!(holder(place.path()).is_none() && !socket.exists());
    let after = [&first[..], &best, &step, &script].map(|arguments| place.ok(arguments));
    assert_eq!(during, after);
    let wrong_after = place.run(&["show", "x-2"]);
    assert_eq!((wrong.code, wrong.err), (wrong_after.code, wrong_after.err));
    assert_eq!(wrong.code, 2);
    let shown = show(&place, "x-1");
    assert_eq!((&shown["status"], &shown["held_by"]), (&Value::from("interrupted"), &Value::Null));
}

/// Starts `tandem watch`, and returns a thread that collects its events.
fn watch(place: &Place, run: &str) -> thread::JoinHandle<(Vec<Value>, Ran)> {
    let mut command = place.command(&["watch", run, "--interval", "0.05", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::spawn(move || {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let events = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let code = child.wait().unwrap().code().unwrap();
        (events, Ran { code, out: String::new(), err })
    })
}

/// Asserts that no count decreases from one event to the next.
fn assert_goes_on(events: &[Value]) {
    for field in ["trials", "failed"] {
        let values: Vec<u64> = events.iter().map(|event| event[field].as_u64().unwrap()).collect();
        assert!(values.is_sorted(), "{field}: {values:?}");
    }
}

#[test]
fn a_watcher_sees_a_run_to_its_end() {
    let place = Place::with(SLOW);
    let mut run = working(&place, &["run", "x.rhai", "--steps", "3000"]);
    wait_until("the run is there", || place.run(&["show", "x-1"]).code == 0);
    let watching = watch(&place, "x-1");
    assert!(run.0.wait().unwrap().success());
    let (events, ran) = watching.join().unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_goes_on(&events);
    let running = events.iter().filter(|event| event["status"] == "running").count();
    assert!(running > 2, "{events:?}");
    assert_eq!(events[0]["process"], u64::from(run.id()));
    let last = events.last().unwrap();
    assert_eq!((&last["status"], &last["process"]), (&Value::from("finished"), &Value::Null));
    assert_eq!((&last["trials"], &last["steps"]), (&Value::from(3_000), &Value::from(3_000)));
    assert_eq!(last["phase"], "second");
    // What it says of the end is what the trials say.
    let trials = place.trials("x-1");
    let trials: Vec<Value> = trials.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let valid = trials.iter().filter(|trial| trial["valid"] == true).count();
    assert_eq!(last["valid"], valid as u64);
    let second = trials.iter().filter(|trial| trial["step"].as_u64().unwrap() >= 600);
    let best = second.map(|trial| trial["reward"].as_f64().unwrap());
    assert_eq!(last["best_reward"].as_f64().unwrap(), best.fold(f64::MIN, f64::max));
    let frontier = place.ok(&["pareto", "x-1", "--format", "jsonl"]);
    assert_eq!(last["frontier"], frontier.lines().count() as u64);

    // Of a run that nobody works on it prints the state, and ends.
    let text = place.ok(&["watch", "x-1"]);
    assert!(text.starts_with("x-1: finished, phase second, 3000/3000 trials ("), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(place.run(&["watch", "x-7"]).code, 2);
    assert_eq!(place.run(&["watch", "x-1", "--format", "csv"]).code, 2);
    assert_eq!(place.run(&["watch", "x-1", "--interval", "0"]).code, 2);
}

#[test]
fn after_the_holder_was_killed_all_is_as_if_it_had_ended() {
    let place = Place::with(SLOW);
    let run = working(&place, &["run", "x.rhai", "--steps", "100000"]);
    wait_until("there are trials", || trials(&place) > 100);
    let watching = watch(&place, "x-1");
    sleep(Duration::from_millis(300));
    let id = run.id();
    drop(run);
    // The watcher opens the store itself then, and says what it found.
    let (events, ran) = watching.join().unwrap();
    assert_goes_on(&events);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.starts_with(&format!("process {id} on ")), "{}", ran.err);
    assert!(ran.err.ends_with(" died; `tandem resume x-1` goes on\n"), "{}", ran.err);

    let mut run = working(&place, &["resume", "x-1"]);
    wait_until("it goes on", || show(&place, "x-1")["status"] == "running");
    // Nobody reads between this death and what follows.
    run.signal("-KILL");
    run.0.wait().unwrap();
    assert!(holder(place.path()).is_some(), "it could not clean up");
    let shown = show(&place, "x-1");
    assert_eq!((&shown["status"], &shown["held_by"]), (&Value::from("interrupted"), &Value::Null));
    // Who reads leaves it as it is.
    assert!(holder(place.path()).is_some());
    let watched = place.run(&["watch", "x-1"]);
    assert_eq!(watched.code, 130, "{}", watched.err);
    let run = working(&place, &["resume", "x-1"]);
    wait_until("it goes on", || show(&place, "x-1")["status"] == "running");
    drop(run);
}

/// Checks a copy of a store in use: the file that names the holder is copied too, the lock is not.
#[test]
fn a_copy_of_a_store_in_use_is_read_itself() {
    let place = Place::with(SLOW);
    let run = working(&place, &["run", "x.rhai", "--steps", "100000"]);
    wait_until("there are trials", || trials(&place) > 50);
    let copy = place.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["synced", "db", "conf", "lock", "tandem-store", "holder"] {
        fs::copy(place.path().join(".tandem").join(name), copy.join(name)).unwrap();
    }
    fs::create_dir(copy.join("blobs")).unwrap();
    let count =
        || place.ok(&["query", "true", "--agg", "count", "--format", "csv", "--store", "copy"]);
    let before = count();
    wait_until("there are more trials", || trials(&place) > 200);
    assert_eq!(count(), before);
    let shown = place.ok(&["show", "x-1", "--store", "copy", "--format", "jsonl"]);
    assert!(shown.contains("\"status\":\"interrupted\""), "{shown}");
    fs::remove_file(copy.join("db")).unwrap();
    assert_eq!(place.run(&["runs", "--store", "copy"]).code, 4);
    drop(run);
}

#[test]
fn a_sweep_is_read_while_it_goes_on() {
    let place = Place::with(SWEEP);
    let mut sweep = working(&place, &["sweep", "x.rhai", "--set", "threads=1"]);
    wait_until("it runs", || {
        let runs = place.ok(&["runs", "--format", "jsonl"]);
        runs.lines().any(|line| line.contains("\"status\":\"running\""))
    });
    let watching = watch(&place, "x-1");
    let shown = show(&place, "x-1");
    assert_eq!(shown["status"], "running");
    assert_eq!(shown["networks"], 15_625);
    assert_eq!(place.ok(&["query", "true", "--format", "jsonl"]), "");
    assert!(sweep.0.wait().unwrap().success());
    let (events, ran) = watching.join().unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(events[0]["process"], u64::from(sweep.id()));
    let last = events.last().unwrap();
    assert_eq!((&last["status"], &last["networks_done"]), (&"finished".into(), &15_625.into()));
    assert!(last["frontier"].as_u64().unwrap() > 10);
}

#[test]
fn readers_at_once_do_not_mind_each_other() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let expected = place.trials("x-1");
    thread::scope(|scope| {
        let reads: Vec<_> = (0..6).map(|_| scope.spawn(|| place.trials("x-1"))).collect();
        for read in reads {
            assert_eq!(read.join().unwrap(), expected);
        }
    });
}
