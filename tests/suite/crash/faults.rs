//! Disks that are full, failing or read-only; torn writes; clocks that are set back.

use std::path::Path;

use rand::Rng;

use super::cases::SEARCH;
use super::draw;
use super::ending::{Ending, assert_same, of_store};
use super::shim::{self, Ended, assert_clear};
use crate::support::Place;

/// A short search that writes to every kind of file.
const RUN: &[&str] = &["run", "x.rhai", "--set", "trials=160"];

fn place() -> Place {
    let place = Place::with(SEARCH);
    // The folder is there: what is tested is what happens below it.
    std::fs::create_dir(place.path().join(".tandem")).unwrap();
    place
}

fn expected() -> Ending {
    let place = place();
    place.ok(RUN);
    of_store(&place)
}

/// Continues a run without faults, and compares its results.
fn go_on(place: &Place, expected: &Ending, what: &str) {
    let known = place.run(&["show", "x-1"]);
    let last = match known.code {
        0 => place.run(&["resume", "x-1"]),
        2 => place.run(RUN),
        _ => panic!("{what}: {}", known.err),
    };
    let done = last.code == 0 || last.err.contains("is finished");
    assert!(done, "{what}: {}", last.err);
    assert_same(&of_store(place), expected, what);
}

/// Runs the search with one kind of fault, each time at another call, and checks the errors and the
/// continuations.
fn fail(kind: &str, op: &str, once: bool, quick: u64) {
    let Some(library) = shim::library() else { return };
    let expected = expected();
    let calls = shim::count(library, &place(), RUN, op);
    assert!(calls > 1, "{op} is called {calls} times");
    let mut rng = draw::random(&format!("{kind} {op}"));
    let mut failed = 0;
    for number in 0..draw::times(quick) {
        // The first and the last are among them.
        let at = match number {
            0 => 1,
            1 => calls,
            _ => rng.random_range(1..=calls),
        };
        let what = format!("{kind} at {op} {at} of {calls}{}", if once { ", once" } else { "" });
        failed += u64::from(fail_at(library, &expected, (kind, op, at, once), &what));
    }
    eprintln!("crash: {kind} at {op}: {failed} commands ended by it");
    assert!(failed > 0, "no {op} was made to fail");
}

/// Runs the search with a fault at one call, and continues it; returns true if the fault ended the command.
fn fail_at(
    library: &Path,
    expected: &Ending,
    (kind, op, at, once): (&str, &str, u64, bool),
    what: &str,
) -> bool {
    let place = place();
    let at = at.to_string();
    let mut faults = vec![("KIND", kind), ("OP", op), ("AT", &at)];
    if once {
        faults.push(("ONCE", "1"));
    }
    let ended: Ended = shim::run(library, &place, RUN, &faults);
    let cut = matches!(kind, "torn" | "kill");
    match ended.code {
        None => assert!(cut, "{what}: {ended:?}"),
        // What is a courtesy may fail, and what is done when all is stored.
        Some(0) => assert!(!ended.err.contains("panicked"), "{what}: {}", ended.err),
        Some(_) => assert_clear(&ended, &shim::store(&place), what),
    }
    go_on(&place, expected, what);
    ended.code != Some(0)
}

#[test]
fn a_full_disk() {
    fail("enospc", "write", false, 4);
}

#[test]
fn a_write_error() {
    fail("eio", "write", true, 4);
}

#[test]
fn a_large_value_that_the_disk_has_no_room_for() {
    fail("enospc", "blob", true, 3);
}

#[test]
fn a_disk_that_does_not_take_what_it_was_given() {
    fail("eio", "sync", true, 4);
}

#[test]
fn a_file_that_cannot_be_made_or_renamed() {
    fail("eio", "change", true, 5);
}

#[test]
fn a_torn_write() {
    fail("torn", "write", true, 5);
}

#[test]
fn a_death_before_any_call_that_changes_a_file() {
    fail("kill", "change", true, 6);
}

/// Checks that a write that hangs is given up after a minute; skipped in quick tests.
#[test]
fn a_disk_that_does_not_answer() {
    let Some(library) = shim::library().filter(|_| draw::is_long()) else { return };
    let (expected, place) = (expected(), place());
    let ended = shim::run(library, &place, RUN, &[("KIND", "hang"), ("AT", "60")]);
    assert_clear(&ended, &shim::store(&place), "no answer");
    assert!(ended.err.contains("has not finished a write for 60 s"), "{}", ended.err);
    go_on(&place, &expected, "a disk that did not answer");
}

#[test]
fn a_folder_that_may_only_be_read() {
    let Some(library) = shim::library() else { return };
    let (expected, place) = (expected(), place());
    let faults = [("KIND", "rofs"), ("OP", "change")];
    let fresh = shim::run(library, &place, RUN, &faults);
    assert_clear(&fresh, &shim::store(&place), "a new store");
    place.ok(&[RUN, &["--steps", "60"]].concat());
    let ended = shim::run(library, &place, &["resume", "x-1", "--steps", "1000"], &faults);
    assert_clear(&ended, &shim::store(&place), "an old store");
    for command in [&["runs"][..], &["query", "true"], &["store", "verify"]] {
        let ended = shim::run(library, &place, command, &faults);
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.err);
    }
    place.ok(&["resume", "x-1", "--steps", "1000"]);
    let trials = |ending: &Ending| ending["trials of x-1"].clone();
    assert_eq!(trials(&of_store(&place)), trials(&expected));
}

#[test]
fn a_clock_that_is_set_back() {
    let Some(library) = shim::library() else { return };
    let expected = expected();
    for at in ["1", "2", "4"] {
        let place = place();
        let back = [("CLOCK", "-86400"), ("AT", at)];
        let ended = shim::run(library, &place, RUN, &back);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert_same(&of_store(&place), &expected, "set back while it runs");
    }
    let place = place();
    let kill = [("KIND", "kill"), ("OP", "write"), ("AT", "60")];
    assert_eq!(shim::run(library, &place, RUN, &kill).code, None);
    // sled knows no time before 1970, which a machine without a battery may think it is.
    let ended = shim::run(library, &place, &["resume", "x-1"], &[("CLOCK", "-4000000000")]);
    assert_clear(&ended, &shim::store(&place), "before 1970");
    let ended = shim::run(library, &place, &["resume", "x-1"], &[("CLOCK", "-86400")]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_same(&of_store(&place), &expected, "set back between a run and its resumption");
}
