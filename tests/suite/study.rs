//! Studies: concurrent runs, interruptions, continuations, additions, judgments and reports.

use std::thread::sleep;
use std::time::Duration;

use crate::support::{Place, Ran};

/// NAS-Bench-201 x CHaiDNN with a constraint on latency, and a sweep over all pairs.
const SCRIPT: &str = r#"import "strategies" as strategies;
fn args() { #{ strategy: "combined", trials: 150 } }
fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
fn objectives() { ["accuracy:max", "latency_ms:min"] }
fn fast() { objective::weighted(#{ accuracy: 0.9, area_mm2: 0.1 }).subject_to("latency_ms < 2") }
fn free() { objective::weighted(#{ accuracy: 0.5, latency_ms: 0.5 }) }
fn sweep() {
    #{
        networks: nasbench201::networks(),
        accuracy: accuracy::nasbench201("cifar10"),
        accelerator: chaidnn::accelerator(),
        objectives: #{ fast: fast(), free: free() },
        top: 100,
    }
}
fn evaluate(p) {
    let cost = chaidnn::estimate(nasbench201::network(p.cnn), p.hw);
    #{
        accuracy: accuracy::nasbench201(p.cnn, "cifar10"),
        latency_ms: cost.latency_ms,
        area_mm2: cost.area_mm2,
    }
}
fn reward() { fast() }
fn schedule(run) {
    if args::strategy == "combined" {
        return strategies::combined(run, #{ steps: args::trials });
    }
    if args::strategy == "separate" {
        return strategies::separate(run, #{ cnn_steps: args::trials / 2, hw_steps: args::trials / 2 });
    }
    throw `strategy is ${args::strategy}; it is combined or separate`;
}
"#;

const STUDY: &str = "\
repeats: 3
seed: 4
scenarios:
  fast: x.rhai
  <free>: free.rhai
strategies:
  combined: {}
  separate & last: { strategy: separate }
exact: x.rhai
fractions: [0.5, 0.99]
";

fn place(study: &str) -> Place {
    let place = Place::with(SCRIPT);
    place.write("free.rhai", &SCRIPT.replace("fn reward() { fast() }", "fn reward() { free() }"));
    place.write("s.yaml", study);
    place
}

fn report(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path().join(name)).unwrap()
}

#[test]
fn a_study_compares_and_does_not_depend_on_threads() {
    let one = place(STUDY);
    let out = one.ok(&["study", "s.yaml", "--threads", "1"]);
    for part in [
        "study s-1: 12 runs\n",
        "\nfast: 0.9 accuracy [0, 1] + 0.1 area_mm2 [400, 0] subject to latency_ms < 2\nbest of all ",
        "number 100: ",
        "combined - separate & last",
        "measured  accuracy: NAS-Bench-201",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let page = report(&one, "s-1.html");
    for part in [
        "<title>Study s-1</title>",
        "<h2>&lt;free&gt;</h2>",
        "separate &amp; last",
        "exact frontier (",
        "2 scenarios x 2 strategies x 3 repeats (seeds 4 to 6), 12 runs",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for external in ["http", "src=", "href=", "@import", "url(", "<script", "NaN"] {
        assert!(!page.contains(external), "{external}");
    }
    assert_eq!(page.matches("<svg").count(), 4);

    let two = place(STUDY);
    let ran = two.run(&["study", "s.yaml", "--threads", "3", "--report", "r.html"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, out.as_str()), "{}", ran.err);
    assert!(ran.err.ends_with("wrote r.html\n"), "{}", ran.err);
    assert_eq!(report(&two, "r.html"), page);

    // Each of the runs is an ordinary one.
    two.ok(&["run", "x.rhai", "--seed", "5", "--set", "strategy=separate"]);
    assert_eq!(two.trials("s-1/fast/separate---last/2"), two.trials("x-2"));
    assert!(two.ok(&["show", "s-1/-free-/combined/1"]).contains("finished"));

    // A finished study is reported again, and nothing is run.
    let again = two.run(&["study", "./s.yaml", "--format", "csv"]);
    assert_eq!((again.code, again.err.as_str()), (0, "study s-1: 12 runs\nwrote s-1.html\n"));
    let lines: Vec<&str> = again.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", again.out);
    assert!(lines[0].starts_with("scenario,strategy,runs,valid_runs,best_low,best_median"));
    assert!(lines[0].ends_with("steps_to_0.5,runs_to_0.5,steps_to_0.99,runs_to_0.99"));
    assert!(lines[1].starts_with("fast,combined,3,3,"), "{}", lines[1]);
    assert_eq!(report(&two, "s-1.html"), page);
}

#[test]
fn an_interrupted_study_comes_to_the_same_end() {
    let study = STUDY.replace("combined: {}", "combined: { trials: 1200 }");
    let whole = place(&study);
    let out = whole.ok(&["study", "s.yaml"]);
    let cut = place(&study);
    interrupt(&cut);
    let ran = cut.run(&["study", "s.yaml", "--threads", "2"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, out.as_str()), "{}", ran.err);
    assert_eq!(report(&cut, "s-1.html"), report(&whole, "s-1.html"));
    for run in ["s-1/fast/combined/1", "s-1/-free-/combined/3", "s-1/fast/separate---last/2"] {
        assert_eq!(cut.trials(run), whole.trials(run));
    }
}

/// Interrupts a study with a signal, unless it ends earlier.
#[cfg(unix)]
fn interrupt(place: &Place) {
    let mut command = place.command(&["study", "s.yaml"]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    sleep(Duration::from_millis(400));
    let id = child.id().to_string();
    let _ = std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    if output.status.code() != Some(0) {
        assert_eq!(output.status.code(), Some(130), "{err}");
        assert!(err.contains("interrupted: ") && err.contains("the same command goes on"), "{err}");
    }
}

#[cfg(not(unix))]
fn interrupt(_: &Place) {}

#[test]
fn a_study_can_be_added_to_and_not_changed() {
    let study = STUDY.replace("exact: x.rhai\n", "");
    let place = place(&study.replace("repeats: 3", "repeats: 1"));
    place.ok(&["study", "s.yaml"]);
    let first = place.trials("s-1/fast/combined/1");
    place.write("s.yaml", &study);
    let ran = place.run(&["study", "s.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("study s-1: 12 runs\n"), "{}", ran.out);
    assert!(ran.out.contains("best of any run: "), "{}", ran.out);
    // Four runs were there.
    assert!(ran.err.starts_with("5/12 ") && ran.err.contains("\n12/12 "), "{}", ran.err);
    assert_eq!(place.trials("s-1/fast/combined/1"), first);

    place.write("s.yaml", &study.replace("seed: 4", "seed: 5"));
    let ran = place.run(&["study", "s.yaml"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.err,
        "\
error: study `s-1` cannot go on: `s.yaml` (seed) changed since it started, which affects the runs of \
the study
--- s.yaml (at the start)
+++ s.yaml (now)
@@ -1,5 +1,5 @@
 repeats: 3
-seed: 4
+seed: 5
 scenarios:
   fast: x.rhai
   <free>: free.rhai

hint: undo the change, or `tandem study s.yaml --fork` to start a new study with it; repeats, \
strategies and scenarios may be added to the old one
"
    );
    let forked = place.ok(&["study", "s.yaml", "--fork"]);
    assert!(forked.starts_with("study s-2: 12 runs\n"), "{forked}");
    assert_eq!(place.trials("s-1/fast/combined/1"), first);

    place.write("x.rhai", &SCRIPT.replace("latency_ms < 2", "latency_ms < 3"));
    let ran = place.run(&["study", "s.yaml"]);
    assert_eq!(ran.code, 3);
    let message =
        "error: study `s-2` cannot go on: `x.rhai` changed since it started, which affects ";
    assert!(ran.err.starts_with(message), "{}", ran.err);
}

/// Returns the error of a changed study, after checking that no store was created.
fn refused(from: &str, to: &str) -> String {
    assert!(STUDY.contains(from), "{from}");
    let place = place(&STUDY.replace(from, to));
    let Ran { code, err, .. } = place.run(&["study", "s.yaml"]);
    assert_eq!(code, 3, "{err}");
    assert!(!place.path().join(".tandem").exists(), "{err}");
    err
}

#[test]
fn a_study_that_cannot_be_is_refused_before_the_first_trial() {
    for (from, to, expected) in [
        ("repeats: 3", "repeat: 3", "error: there is no setting `repeat`\n --> s.yaml:1:1\n"),
        (
            "repeats: 3",
            "repeats: [1, { seed: 2, steps: 9 }]",
            "error: the setting `repeats` is a list; it must be a number: repeats differ in their seed",
        ),
        (
            "{ strategy: separate }",
            "{ seed: 9 }",
            "error: `separate & last` sets `seed`: runs of a strategy differ in their seed alone, which the study \
             gives, from its own `seed` on\n --> s.yaml:8:22\n",
        ),
        ("separate & last", "combined", "error: `combined` is there twice\n --> s.yaml:8:3\n"),
        (
            "{ strategy: separate }",
            "{}",
            "error: strategy `separate & last` is the same as strategy `combined`; take one away, and raise \
             `repeats` if more runs are wanted\n --> s.yaml:8:3\n",
        ),
        ("scenarios:\n  fast: x.rhai\n  <free>: free.rhai\n", "", "the study has no scenarios"),
        (
            "free.rhai",
            "missing.rhai",
            "error: scenario `<free>` cannot be used:\nerror: cannot read missing.rhai: ",
        ),
        (
            "strategy: separate",
            "stratagem: separate",
            "error: strategy `separate & last` cannot run on scenario `fast`:\nerror: there is no argument \
             `stratagem`\n --> s.yaml:8:22\n",
        ),
        (
            "strategy: separate",
            "strategy: genetic",
            "error: strategy `separate & last` cannot run on scenario `fast`:\nerror: strategy is genetic; \
             it is combined or separate",
        ),
        (
            "exact: x.rhai",
            "exact: y.rhai",
            "error: `exact` cannot be used:\nerror: cannot read y.rhai: ",
        ),
    ] {
        let err = refused(from, to);
        assert!(err.contains(expected), "{expected}: {err}");
    }
    let other = place(STUDY);
    other.write(
        "free.rhai",
        &SCRIPT.replace("fn reward() { fast() }", "fn reward(m) { m.accuracy }"),
    );
    let ran = other.run(&["study", "s.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("scenario `<free>` has a reward that is a function"), "{}", ran.err);
    other.write("free.rhai", &SCRIPT.replace("latency_ms < 2", "latency_ms < 1"));
    let ran = other.run(&["study", "s.yaml"]);
    assert!(ran.err.contains("which is no objective of sweep() in x.rhai"), "{}", ran.err);
    let ran = other.run(&["study", "none.yaml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: cannot read none.yaml: "), "{}", ran.err);
}
