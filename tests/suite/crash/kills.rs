//! Processes killed at random moments.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tandem::store::Trial;

use super::cases::{Case, IMPORT, RUN, STORE_IMPORT, STUDIED, SWEEP, TRAINED};
use super::draw;
use super::ending::{Ending, assert_same, stored};
use crate::support::Place;

/// The maximum number of kills of a command and its continuations before it may finish.
const MAX: u64 = 12;

/// The maximum time of a command.
const TOO_LONG: Duration = Duration::from_secs(300);

/// The results of an uninterrupted command.
struct Expected {
    ending: Ending,
    out: String,
    trials: BTreeMap<String, (Vec<Trial>, u64)>,
    lasted: Duration,
}

/// The numbers of kills so far, by command, and of those that interrupted a write.
type Tally = BTreeMap<String, (u64, u64)>;

#[test]
fn a_killed_run_comes_to_the_same_end() {
    kill(&RUN, 4);
}

#[test]
fn a_killed_run_with_trainings_comes_to_the_same_end() {
    kill(&TRAINED, 2);
}

#[test]
fn a_killed_sweep_comes_to_the_same_end() {
    kill(&SWEEP, 2);
}

#[test]
fn a_killed_study_comes_to_the_same_end() {
    kill(&STUDIED, 3);
}

#[test]
fn a_killed_import_comes_to_the_same_end() {
    kill(&IMPORT, 3);
}

#[test]
fn a_killed_import_of_a_store_comes_to_the_same_end() {
    kill(&STORE_IMPORT, 3);
}

/// Kills a command and its continuations until there were enough kills, and compares all results.
fn kill(case: &Case, quick: u64) {
    let kills = draw::times(quick);
    let mut rng = draw::random(case.name);
    let expected = uninterrupted(case);
    let (mut tally, mut done, mut ends) = (Tally::new(), 0, 0);
    while done < kills {
        let most = MAX.min(kills - done);
        done += kill_one(case, &expected, most, &mut rng, &mut tally);
        ends += 1;
        if draw::is_long() {
            eprintln!("crash: {}: {done} of {kills} kills, {ends} ends the same", case.name);
        }
    }
    for (command, (kills, within)) in tally {
        eprintln!(
            "crash: {}: `{command}` killed {kills} times, {within} within a write",
            case.name
        );
    }
}

fn uninterrupted(case: &Case) -> Expected {
    let place = Place::new();
    (case.prepare)(&place);
    let started = Instant::now();
    let out = place.ok(case.start);
    let lasted = started.elapsed();
    let trials = stored(&place.path().join(".tandem")).unwrap_or_default();
    Expected { ending: (case.ending)(&place), out, trials, lasted }
}

/// Kills a command and its continuations up to `most` times, lets the last one finish and compares the
/// results; returns the number of kills.
fn kill_one(
    case: &Case,
    expected: &Expected,
    most: u64,
    rng: &mut ChaCha8Rng,
    tally: &mut Tally,
) -> u64 {
    let place = Place::new();
    (case.prepare)(&place);
    let mut command: Vec<String> = case.start.iter().map(|&text| text.to_owned()).collect();
    let (mut kills, mut lived) = (0, Duration::ZERO);
    let mut known = BTreeMap::new();
    let mut moments = Vec::new();
    while kills < most {
        let rest = expected.lasted.saturating_sub(lived).max(expected.lasted / 4);
        let moment = moment(rest, rng);
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut child = place.command(&arguments);
        let started = Instant::now();
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(moment.saturating_sub(started.elapsed()));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        let within = is_within_a_write(&child);
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        lived += moment;
        let count = tally.entry(command[0].clone()).or_default();
        *count = (count.0 + 1, count.1 + u64::from(within));
        moments.push(format!("{} after {:.1} ms", command[0], moment.as_secs_f64() * 1e3));
        if draw::is_long() {
            let within = if within { ", within a write" } else { "" };
            eprintln!("crash: {}: killed {}{within}", case.name, moments[moments.len() - 1]);
        }
        let now = stored(&place.path().join(".tandem")).unwrap_or_default();
        assert_kept(&known, &now, expected, &moments);
        known = now;
        command = (case.go_on)(&place);
    }
    finish(case, &place, expected, &moments);
    kills
}

/// Returns a random moment to kill a process that runs for about `rest`: anywhere, in its first milliseconds,
/// or near its end.
fn moment(rest: Duration, rng: &mut ChaCha8Rng) -> Duration {
    match rng.random_range(0..8) {
        0 | 1 => Duration::from_micros(rng.random_range(0..40_000)),
        2 => rest.mul_f64(rng.random_range(0.9..1.1)),
        _ => rest.mul_f64(rng.random_range(0.0..1.0)),
    }
}

/// Returns true if a thread of a process is in a system call that changes a file.
fn is_within_a_write(child: &Child) -> bool {
    // write, pwrite64, fsync, fdatasync, ftruncate, rename, unlink, sync_file_range
    const CALLS: &[&str] = if cfg!(target_arch = "x86_64") {
        &["1", "18", "74", "75", "77", "82", "87", "277"]
    } else {
        // As on most processors that came later: renameat, unlinkat and renameat2 besides.
        &["64", "68", "82", "83", "46", "38", "276", "35", "84"]
    };
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", child.id())) else { return false };
    threads.flatten().any(|thread| {
        let call = fs::read_to_string(thread.path().join("syscall")).unwrap_or_default();
        call.split(' ').next().is_some_and(|number| CALLS.contains(&number))
    })
}

/// Asserts that all stored trials are the expected ones, and that none of the earlier ones is lost.
fn assert_kept(
    before: &BTreeMap<String, (Vec<Trial>, u64)>,
    now: &BTreeMap<String, (Vec<Trial>, u64)>,
    expected: &Expected,
    moments: &[String],
) {
    for (run, (trials, covered)) in before {
        let (now, covers) = now.get(run).unwrap_or_else(|| panic!("{run} is gone: {moments:?}"));
        let kept = now.len() >= trials.len() && covers >= covered;
        let trials = trials.len();
        assert!(
            kept,
            "{run} had {trials} and {covered}, has {} and {covers}: {moments:?}",
            now.len()
        );
    }
    for (run, (trials, _)) in now {
        assert!(
            expected.trials[run].0.starts_with(trials),
            "a trial of {run} differs: {moments:?}"
        );
    }
}

/// Lets a command finish, and compares its results and its output.
fn finish(case: &Case, place: &Place, expected: &Expected, moments: &[String]) {
    let command = (case.go_on)(place);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let started = Instant::now();
    let last = place.run(&arguments);
    assert!(started.elapsed() < TOO_LONG, "{moments:?}");
    let done = ["is finished", "is already in ", "goes into an empty store"];
    if last.code == 0 {
        let lines = |out: &str| -> Vec<String> {
            out.lines().filter(|line| !(case.timed)(line)).map(str::to_owned).collect()
        };
        assert_eq!(lines(&last.out), lines(&expected.out), "{moments:?}");
    } else {
        assert!(done.iter().any(|done| last.err.contains(done)), "{}: {moments:?}", last.err);
    }
    assert_same(&(case.ending)(place), &expected.ending, &format!("{moments:?}"));
}
