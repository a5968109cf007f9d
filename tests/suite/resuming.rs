//! Runs that are stopped, changed and resumed.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Place, SCRIPT, project};

const QUICKSTART: [&str; 2] = ["--set", "valid=1500"];

fn quickstart() -> String {
    project().join("experiments/quickstart.rhai").display().to_string()
}

/// Waits until the run has created its store.
fn wait_for_store(place: &Place) {
    let started = Instant::now();
    while !place.path().join(".tandem/db").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no store is made");
        sleep(Duration::from_millis(5));
    }
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Returns the trials and the summary of an uninterrupted run of the quickstart, with few trials.
fn expected() -> (String, String) {
    let place = Place::new();
    let out = place.ok(&[&["run", &quickstart()], &QUICKSTART[..]].concat());
    (place.trials("quickstart-1"), out)
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_stops_cleanly_and_goes_on() {
    let (trials, summary) = expected();
    let place = Place::new();
    let mut child = place.start(&[&["run", &quickstart()], &QUICKSTART[..]].concat());
    wait_for_store(&place);
    sleep(Duration::from_millis(150));
    interrupt(&child);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let runs = place.ok(&["runs", "--format", "jsonl"]);
    assert!(runs.contains("\"status\":\"interrupted\""), "{runs}");
    let before = place.trials("quickstart-1");
    assert!(trials.starts_with(&before) && before.len() < trials.len());
    assert_eq!(place.ok(&["resume", "quickstart-1"]), summary);
    assert_eq!(place.trials("quickstart-1"), trials);
    let again = place.run(&["resume", "quickstart-1"]);
    assert_eq!(again.code, 2);
    assert_eq!(
        again.err,
        "error: run `quickstart-1` is finished: its schedule has no more phases\nhint: `tandem show \
         quickstart-1` shows it; for more trials raise `steps` of a phase in its script, then `tandem \
         resume quickstart-1 --fork` starts a new run with it\n"
    );
}

#[test]
fn a_limit_of_steps_can_be_raised() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    place.ok(&["run", "x.rhai", "--steps", "10"]);
    assert_eq!(place.trials("x-2").lines().count(), 10);
    place.ok(&["resume", "x-2", "--steps", "30"]);
    assert_eq!(place.trials("x-2").lines().count(), 30);
    place.ok(&["resume", "x-2", "--steps", "1000"]);
    assert_eq!(place.trials("x-2"), place.trials("x-1"));
}

#[test]
fn what_ended_a_run_is_said_where_it_cannot_go_on() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai", "--steps", "10"]);
    let refusal = |arguments: &[&str]| {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        ran.err
    };
    let limit = "error: run `x-1` is finished: its limit of 10 trials ended it\nhint: `tandem show x-1` \
                 shows it; `tandem resume x-1 --steps N` goes on to N trials\n";
    assert_eq!(refusal(&["resume", "x-1"]), limit);
    assert_eq!(refusal(&["resume", "x-1", "--steps", "9"]), limit);
    // The limit is where the only phase ends.
    place.ok(&["resume", "x-1", "--steps", "64"]);
    let phases = refusal(&["resume", "x-1", "--steps", "100"]);
    assert!(
        phases.starts_with(
            "error: run `x-1` is finished: its schedule has no more phases, which `--steps 100` does \
             not change\n"
        ) && phases.contains("`tandem resume x-1 --fork`")
            && !phases.contains("--steps N"),
        "{phases}"
    );
    assert!(refusal(&["resume", "x-1", "--steps", "0"]).contains("it must be at least 1"));
    place.write("x.rhai", &SCRIPT.replace("steps: 64", "steps: 80"));
    place.ok(&["resume", "x-1", "--fork", "--steps", "100"]);
    assert_eq!(place.trials("x-2").lines().count(), 80);
}

#[test]
fn a_changed_script_is_shown_and_refused_and_can_be_forked() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai", "--steps", "10", "--seed", "3"]);
    let trials = place.trials("x-1");
    place.write("x.rhai", &SCRIPT.replace("{ m.accuracy }", "{ m.accuracy + 1 }"));
    let ran = place.run(&["resume", "x-1", "--steps", "20"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.err,
        "\
error: run `x-1` cannot go on: `x.rhai` changed since it started, which affects every reward, and by \
it the points that controllers propose (reward)
--- x.rhai (at the start)
+++ x.rhai (now)
@@ -1,4 +1,4 @@
 fn space() { #{ x: choice([1, 2, 3]), hw: chaidnn::space() } }
 fn evaluate(p) { #{ accuracy: p.x / 4.0, area_mm2: 1.0 } }
-fn reward(m) { m.accuracy }
+fn reward(m) { m.accuracy + 1 }
 fn schedule(run) { if run.phases == 0 { phase(\"all\", #{ steps: 64, controller: random() }) } }

hint: undo the change, or `tandem resume x-1 --fork` to start a new run with it
"
    );
    let out = place.ok(&["resume", "x-1", "--fork"]);
    assert!(out.starts_with("run x-2\n"), "{out}");
    assert_eq!(place.trials("x-1"), trials);
    assert_eq!(place.trials("x-2").lines().count(), 10);
    let runs = place.ok(&["runs", "--format", "csv"]);
    assert!(runs.lines().nth(2).unwrap().ends_with(",x-1"), "{runs}");
    let before = place.ok(&["show", "x-1", "--script"]);
    assert_eq!(before, format!("// x.rhai\n{SCRIPT}"));
}

#[test]
fn all_that_changed_is_shown_with_what_it_affects() {
    let place = Place::with(&SCRIPT.replace(
        "fn space",
        "import \"own\" as own;\nfn args() { #{ at: 1.0, low: 2 } }\nfn space",
    ));
    place.write("own.rhai", "fn half(x) { x / 2 }\n");
    let settings = "script: x.rhai\nsteps: 10\nthreads: 1\nargs: { at: 0.5, low: 3 }\n";
    place.write("s.yaml", settings);
    place.ok(&["run", "s.yaml", "--set", "low=4"]);
    // What decides nothing: comments, layout, threads, and what the command line overrode.
    let script = std::fs::read_to_string(place.path().join("x.rhai")).unwrap();
    place.write("x.rhai", &format!("// A remark.\n\n{}", script.replace("; fn", ";\nfn")));
    place.write("s.yaml", "script: x.rhai\nsteps: 10\nthreads: 2\nargs: { at: 0.5, low: 5 }\n");
    place.ok(&["resume", "s-1", "--steps", "12"]);
    place.write("own.rhai", "fn half(x) { x / 3 }\n");
    place.write("x.rhai", &script.replace("area_mm2: 1.0", "area_mm2: 2.0"));
    place.write("s.yaml", "script: x.rhai\nsteps: 20\nargs: { at: 0.75, low: 3 }\n");
    let ran = place.run(&["resume", "s-1", "--steps", "14"]);
    assert_eq!(ran.code, 3);
    let said: Vec<&str> =
        ran.err.lines().filter(|line| !line.starts_with([' ', '@']) && *line != "+").collect();
    assert_eq!(
        said.join("\n"),
        "\
error: run `s-1` cannot go on: `own.rhai` changed since it started, which affects the metrics of every \
trial (evaluate)
--- own.rhai (at the start)
+++ own.rhai (now)
-fn half(x) { x / 2 }
+fn half(x) { x / 3 }

`x.rhai` changed since it started, which affects the metrics of every trial (evaluate)
--- x.rhai (at the start)
+++ x.rhai (now)
-fn evaluate(p) { #{ accuracy: p.x / 4.0, area_mm2: 1.0 } }
+fn evaluate(p) { #{ accuracy: p.x / 4.0, area_mm2: 2.0 } }

the settings in `s.yaml` changed since it started, which affects whatever uses this argument (args.at)
-args.at: 0.5
+args.at: 0.75

hint: undo the change, or `tandem resume s-1 --fork` to start a new run with it"
    );
    // A fork has the file's settings, and keeps what the command line said.
    place.ok(&["resume", "s-1", "--fork"]);
    let shown = place.ok(&["show", "s-2"]);
    assert!(shown.contains("args.at") && shown.contains("0.75"), "{shown}");
    assert!(shown.lines().any(|line| line.contains("args.low") && line.ends_with(" 4")), "{shown}");
    assert_eq!(place.trials("s-2").lines().count(), 12);
}

/// Checks that runs share the estimates behind the best accelerator of a network.
#[test]
fn a_new_pair_costs_only_its_new_half() {
    let place = Place::with(
        r#"
fn args() { #{ weight: 1.0 } }
fn space() { #{ x: choice([1, 2, 3, 4, 5, 6, 7, 8]) } }
fn evaluate(p) {
    let cell = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|";
    let best = chaidnn::best(nasbench201::network(nasbench201::cell(cell), #{ classes: 10 }));
    #{ area_mm2: best.estimate.area_mm2, value: p.x * args::weight, best: 1.0 }
}
fn objectives() { ["value:max", "area_mm2:min"] }
fn reward(m) { m.value }
fn schedule(run) {
    if run.phases == 0 { phase("all", #{ steps: 8, controller: random() }) }
}
"#,
    );
    let from_cache = |run: &str| -> Vec<String> {
        let text = |step: usize| place.ok(&["show", run, &step.to_string(), "--format", "jsonl"]);
        let known = (0..place.trials(run).lines().count()).map(|step| {
            let shown: serde_json::Value = serde_json::from_str(&text(step)).unwrap();
            shown["from_cache"].as_str().unwrap_or_default().to_owned()
        });
        known.collect()
    };
    place.ok(&["run", "x.rhai"]);
    let first = from_cache("x-1");
    assert_eq!(first.iter().filter(|known| known.is_empty()).count(), 1, "{first:?}");
    // Another run, in which the script gives other metrics.
    place.ok(&["run", "x.rhai", "--set", "weight=2.0"]);
    let second = from_cache("x-2");
    assert!(second.iter().all(|known| known == "estimate" || known == "metrics"), "{second:?}");
    let shown = place.ok(&["show", "x-2", "--format", "jsonl"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let estimates = second.iter().filter(|known| *known == "estimate").count();
    let metrics = match 8 - estimates {
        0 => String::new(),
        again => format!(", metrics of {again}"),
    };
    assert_eq!(shown["from_cache"], format!("estimate of {estimates}{metrics} trials"));
}

#[test]
fn seeds_and_threads() {
    let place = Place::with(SCRIPT);
    for arguments in
        [&["--seed", "1"][..], &["--seed", "1", "--set", "threads=1"], &["--seed", "2"]]
    {
        place.ok(&[&["run", "x.rhai"], arguments].concat());
    }
    assert_eq!(place.trials("x-1"), place.trials("x-2"));
    assert_ne!(place.trials("x-1"), place.trials("x-3"));
}
