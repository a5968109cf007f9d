//! Thresholds that must hold at the end of an experiment's run.

use crate::support::{Place, SCRIPT};

fn with(thresholds: &str) -> Place {
    Place::with(&format!("{SCRIPT}fn thresholds() {{ {thresholds} }}\n"))
}

#[test]
fn thresholds_that_hold_are_shown() {
    let place =
        with(r#"["best.accuracy >= 0.75", "valid >= 64", "failed_share < 0.01", "trials<=64"]"#);
    let out = place.ok(&["run", "x.rhai"]);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        &["threshold", "value", "holds"][..],
        &["best.accuracy", ">=", "0.75", "0.75", "yes"],
        &["valid", ">=", "64", "64", "yes"],
        &["failed_share", "<", "0.01", "0", "yes"],
        &["trials", "<=", "64", "64", "yes"],
    ] {
        assert!(lines.iter().any(|line| line == row), "{out}");
    }
    assert_eq!(out.replace("run x-1\n", ""), place.ok(&["show", "x-1", "--summary"]));
    let check = place.ok(&["check", "x.rhai"]);
    assert!(check.contains("best.accuracy >= 0.75"), "{check}");
}

#[test]
fn a_threshold_that_does_not_hold_is_exit_code_99() {
    let place = with(r#"["best.accuracy > 0.75", "min.area_mm2 <= 1", "hypervolume > 0.1"]"#);
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 99, "{}", ran.err);
    assert!(
        ran.out.contains("best.accuracy > 0.75") && ran.out.contains("Frontier"),
        "{}",
        ran.out
    );
    // All trials have the same area: the worst, from which nothing is dominated.
    assert!(
        ran.err.ends_with(
            "threshold `best.accuracy > 0.75` does not hold: best.accuracy is 0.75\n\
             threshold `hypervolume > 0.1` does not hold: hypervolume is 0\n"
        ),
        "{}",
        ran.err
    );
    // The run itself is as good as any.
    assert!(place.ok(&["runs"]).contains("finished"));
    place.ok(&["show", "x-1", "--summary"]);
    let csv = place.run(&["run", "x.rhai", "--format", "csv"]);
    assert_eq!(csv.code, 99);
    assert!(!csv.out.contains("threshold") && csv.err.contains("does not hold"), "{}", csv.out);
}

#[test]
fn a_resumed_run_is_judged_at_its_own_end() {
    let place = with(r#"["valid >= 64"]"#);
    let ran = place.run(&["run", "x.rhai", "--steps", "10"]);
    assert_eq!(ran.code, 99);
    assert!(ran.err.ends_with("`valid >= 64` does not hold: valid is 10\n"), "{}", ran.err);
    assert_eq!(place.run(&["resume", "x-1", "--steps", "20"]).code, 99);
    place.ok(&["resume", "x-1", "--steps", "100"]);
}

#[test]
fn settings_add_thresholds() {
    let place = with(r#"["trials >= 1"]"#);
    place.write("x.yaml", "script: x.rhai\nthresholds: [\"failed < 1\", \"max.accuracy > 0.9\"]\n");
    let ran = place.run(&["run", "x.yaml"]);
    assert_eq!(ran.code, 99);
    for threshold in ["trials >= 1", "failed < 1", "max.accuracy > 0.9"] {
        assert!(ran.out.contains(threshold), "{}", ran.out);
    }
    place.write("y.yaml", "script: x.rhai\nthresholds: [max.accuracy > 0.7]\n");
    place.ok(&["run", "y.yaml"]);
    // They are the run's own.
    let ran = place.run(&["run", "x.yaml", "--steps", "10"]);
    assert_eq!(ran.code, 99);
    let ran = place.run(&["resume", "x-2", "--steps", "64"]);
    assert_eq!(ran.code, 99, "{}", ran.err);
    assert!(ran.err.ends_with("does not hold: max.accuracy is 0.75\n"), "{}", ran.err);
}

#[test]
fn wrong_thresholds_are_refused_before_the_first_trial() {
    let refusal = |thresholds: &str| {
        let place = with(thresholds);
        let ran = place.run(&["run", "x.rhai"]);
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert_eq!(place.run(&["runs"]).code, 2, "there is no store");
        ran.err
    };
    assert_eq!(
        refusal(r#"["hypervolum > 0.98"]"#),
        "\
error: threshold `hypervolum > 0.98`: there is no quantity `hypervolum` (is `hypervolume` meant?); \
there are reward, hypervolume, frontier, trials, valid, failed, failed_share, and best.METRIC, \
max.METRIC, min.METRIC
 --> x.rhai:5:20
  |
5 | fn thresholds() { [\"hypervolum > 0.98\"] }
  |                    ^
"
    );
    assert_eq!(
        refusal(r#""valid > 1""#),
        "\
error: thresholds() returned a string; it must return an array of texts
 --> x.rhai:5:4
  |
5 | fn thresholds() { \"valid > 1\" }
  |    ^^^^^^^^^^
  |
  = help: write for example `[\"best.accuracy >= 0.93\", \"valid >= 100\"]`
"
    );
    assert!(refusal("[1]").starts_with("error: thresholds() lists an int, not a text\n"));
    assert!(
        refusal(r#"["valid = 3"]"#)
            .starts_with("error: `valid = 3` is not a threshold; write it like")
    );
    let place = Place::with(SCRIPT);
    place.write("x.yaml", "script: x.rhai\nthresholds: [many > 3]\n");
    let ran = place.run(&["run", "x.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.starts_with("error: the setting `thresholds`: threshold `many > 3`: there is no"),
        "{}",
        ran.err
    );
}

#[test]
fn an_unknown_metric_is_refused_at_the_first_finished_trial() {
    let place = with(r#"["best.acuracy > 0.5"]"#);
    let message = "error: threshold `best.acuracy > 0.5` is about `acuracy`, which evaluate(point) \
                   does not give (is `accuracy` meant?); it gives accuracy, area_mm2\n --> x.rhai:5:20\n";
    for command in ["check", "run"] {
        let ran = place.run(&[command, "x.rhai"]);
        assert_eq!((ran.code, ran.err.contains(message)), (3, true), "{}", ran.err);
    }
}

#[test]
fn what_can_no_longer_hold_is_said_and_may_end_the_run() {
    // Batches of seven: a run ends at the end of one.
    let script = SCRIPT.replace("random()", "evolution(#{ batch: 7 })");
    let thresholds = r#"["max.accuracy < 0.5", "trials <= 20 or stop"]"#;
    let place = Place::with(&format!("{script}fn thresholds() {{ {thresholds} }}\n"));
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 99, "{}", ran.err);
    assert!(
        ran.err.contains("threshold `max.accuracy < 0.5` can no longer hold: max.accuracy is"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("after 21 trials; the run ends"), "{}", ran.err);
    assert_eq!(ran.err.matches("can no longer hold").count(), 2, "{}", ran.err);
    assert!(ran.out.contains("21 trials (21 valid, 0 failed)"), "{}", ran.out);
    assert!(place.ok(&["runs"]).contains("finished"));
    let shown = place.ok(&["show", "x-1"]);
    let reason = "threshold `trials <= 20 or stop` could no longer hold: trials is 21";
    let row = shown.lines().find(|line| line.starts_with("reason ")).unwrap();
    assert_eq!(row.trim_start_matches("reason").trim_start(), reason);
    let again = place.run(&["resume", "x-1"]);
    assert_eq!(again.code, 2);
    assert!(
        again.err.starts_with(
            "error: run `x-1` is finished: its threshold `trials <= 20 or stop` ended it\n"
        ),
        "{}",
        again.err
    );
    // It ended for good: more steps change nothing.
    let more = place.run(&["resume", "x-1", "--steps", "60"]);
    assert_eq!(more.code, 99, "{}", more.err);
    assert!(more.out.contains("21 trials"), "{}", more.out);
}

#[test]
fn a_threshold_that_is_open_to_the_end_stops_nothing() {
    let place = with(r#"["valid >= 20 or stop"]"#);
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("threshold `valid >= 20 or stop` cannot stop a run"), "{}", ran.err);
}
