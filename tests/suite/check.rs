//! `tandem check`: its findings, and its estimates of the cost of a run.

use crate::data_folder::data_dir;
use crate::support::{Place, Ran, SCRIPT, project};

fn check(script: &str, arguments: &[&str]) -> Ran {
    Place::with(script).run(&[&["check", "x.rhai"], arguments].concat())
}

/// Returns the warnings of a script, each of which is on a separate line.
fn warnings(script: &str) -> Vec<String> {
    let ran = check(script, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warnings = ran.err.lines().filter_map(|line| line.strip_prefix("warning: "));
    warnings.map(str::to_owned).collect()
}

#[test]
fn what_nothing_uses_is_shown_where_it_is_written() {
    let script = format!(
        "import \"rewards\" as rewards;\n{SCRIPT}fn args() {{ #{{ depth: 3, wide: true }} }}\n\
         fn twice(x) {{ 2 * x }}\nfn four(x) {{ twice(twice(x)) }}\n"
    )
    .replace("p.x / 4.0", "p.x / 4.0 * if args::wide { 1.0 } else { 0.5 }");
    let ran = check(&script, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let said = "\
warning: nothing uses the import `rewards`
 --> x.rhai:1:1
  |
1 | import \"rewards\" as rewards;
  | ^^^^^^
  |
  = help: its functions are called as `rewards::name(...)`
warning: evaluate(point) does not read the part `hw` of the space
 --> x.rhai:2:39
  |
2 | fn space() { #{ x: choice([1, 2, 3]), hw: chaidnn::space() } }
  |                                       ^^
  |
  = help: points that differ only in `hw` come to the same metrics
warning: nothing reads the argument `depth`
 --> x.rhai:6:16
  |
6 | fn args() { #{ depth: 3, wide: true } }
  |                ^^^^^
  |
  = help: read it as `args::depth`, or take it out of args()
warning: nobody calls the script's function `twice`
 --> x.rhai:7:4
  |
7 | fn twice(x) { 2 * x }
  |    ^^^^^
warning: nobody calls the script's function `four`
 --> x.rhai:8:4
  |
8 | fn four(x) { twice(twice(x)) }
  |    ^^^^
";
    assert_eq!(ran.err, said);
    assert!(ran.out.ends_with("x.rhai is ready to run\n"), "{}", ran.out);
    assert_eq!(check(&script, &["--quiet"]).err, "");
    let strict = check(&script, &["--strict"]);
    assert_eq!((strict.code, strict.err), (3, said.replace("warning: ", "error: ")));
    assert!(!strict.out.contains("is ready to"), "{}", strict.out);
    let json = check(&script, &["--json"]);
    let first: serde_json::Value = serde_json::from_str(json.err.lines().next().unwrap()).unwrap();
    assert_eq!(first["warning"], "nothing uses the import `rewards`");
    assert_eq!((&first["line"], &first["column"]), (&1.into(), &1.into()));
}

#[test]
fn what_is_used_in_a_roundabout_way_is_no_remark() {
    let quiet = |body: &str| {
        let script = SCRIPT.replace("{ #{ accuracy: p.x / 4.0, area_mm2: 1.0 } }", body);
        assert_ne!(script, SCRIPT);
        assert_eq!(warnings(&script), [""; 0], "{body}");
    };
    // By index, by a computed name, in a text, in a closure, in functions of one's own and of a module.
    quiet("{ #{ accuracy: p[\"x\"] / 4.0 + 0.0 * `${p[\"hw\"]}`.len } }");
    quiet("{ let name = \"x\"; #{ accuracy: p[name] / 4.0 } }");
    quiet("{ #{ accuracy: 1.0 / `${p}`.len } }");
    quiet("{ let read = || p.x + `${p.hw}`.len; #{ accuracy: read.call() / 100.0 } }");
    quiet(
        "{ own(p) } fn own(q) { #{ accuracy: [1].map(|n| n * q.x)[0] / 4.0, size: `${q.hw}`.len } }",
    );
    quiet(
        "{ let f = Fn(\"own\"); f.call(p) } fn own(q) { #{ accuracy: q.x / 4.0, size: `${q.hw}`.len } }",
    );
    let place = Place::with(
        &format!("import \"own\" as own;\n{SCRIPT}")
            .replace("#{ accuracy: p.x / 4.0, area_mm2: 1.0 }", "own::judge(p)"),
    );
    place.write(
        "own.rhai",
        "fn judge(p) { #{ accuracy: p.x / 4.0, size: `${p.hw}`.len } }\nfn more() { 1 }\n",
    );
    let ran = place.run(&["check", "x.rhai"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_misspelt_argument_is_shown_beside_what_is_read() {
    let place = Place::with(&format!("{SCRIPT}fn args() {{ #{{ depht: 3 }} }}\n").replace(
        "fn reward(m) { m.accuracy }",
        "fn reward(m) { if m.accuracy > 9.0 { args::depth } else { m.accuracy } }",
    ));
    let ran = place.run(&["check", "x.rhai", "--set", "depht=4"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("warning: argument `depht` is set, and nothing reads it\n"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("help: the script reads `args::depth`"), "{}", ran.err);
}

#[test]
fn later_phases_and_the_summary_are_tried_out() {
    let schedule = "fn schedule(run) {\n    if run.phases == 0 { return phase(\"all\", #{ steps: 5000, controller: random() }); }\n    \
                    if run.phases == 1 { return phase(\"x\", #{ search: [\"x\"], fixed: run.best.point, steps: 100, valid: 40 }); }\n    \
                    if run.phases == 2 { SECOND }\n}\n";
    let script = |second: &str, summary: &str| {
        let start = SCRIPT.find("fn schedule").unwrap();
        let hw = SCRIPT[..start].replace("area_mm2: 1.0", "area_mm2: `${p.hw}`.len");
        format!("{hw}{}{summary}", schedule.replace("SECOND", second))
    };
    let ran = check(
        &script("", "fn summary(run) { table(\"n\", [\"n\"], [[run.steps]]) }\n"),
        &["--format", "csv"],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for line in [
        "first phase,\"all: random searches hw, x, 5000 trials at most\"",
        "phase 2,\"x: reinforce searches x, 100 trials at most or 40 valid\"",
        "all phases,\"2 phases, 5,040 trials if all goes on as it was tried out\"",
        "repeats,\"",
    ] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
    let later = check(&script("7", ""), &[]);
    assert!(
        later
            .err
            .starts_with("warning: as it was tried out, schedule(run) fails after phase `x`: "),
        "{}",
        later.err
    );
    let summary = check(&script("", "fn summary(run) { run.bset }\n"), &[]);
    assert!(
        summary.err.starts_with("warning: as it was tried out, summary(run) fails: "),
        "{}",
        summary.err
    );
    assert!(summary.err.contains("x.rhai:9:"), "{}", summary.err);
    let limited = check(&script("", ""), &["--set", "steps=300", "--format", "csv"]);
    assert!(
        limited.out.contains("all phases,\"300 trials, the limit `steps`, in 1 phase\""),
        "{}",
        limited.out
    );
}

#[test]
fn points_that_fail_and_objectives_that_never_differ_are_warned_of() {
    let script = format!("{SCRIPT}fn objectives() {{ [\"accuracy:max\", \"area_mm2:min\"] }}\n")
        .replace("#{ accuracy: p.x", "if p.x == 2 { throw `no ${p.hw}` } #{ accuracy: p.x");
    let warnings = warnings(&script);
    assert!(warnings[0].contains(" of 8 points fail, the first with: no "), "{warnings:?}");
    assert_eq!(warnings[1], "the objective `area_mm2` is 1 at every point that was tried");
    assert_eq!(warnings.len(), 2);
}

#[test]
fn the_price_of_a_run_is_told_before_it() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 20000"));
    let out = place.ok(&["check", "x.rhai", "--format", "csv"]);
    let row = |name: &str| {
        let line = out.lines().find_map(|line| line.strip_prefix(&format!("{name},"))).unwrap();
        line.trim_matches('"').to_owned()
    };
    assert!(row("evaluation").contains(" a point, most from "), "{out}");
    assert!(row("controller").ends_with("s a trial"), "{out}");
    assert!(row("first phase takes").starts_with("about "), "{out}");
    // 20,000 draws of 3 x 8,640 points are 13,938 different ones, on average.
    assert!(row("repeats").starts_with("30.3 % of the first phase's trials"), "{out}");
    let bytes: f64 = row("store").split(' ').nth(1).unwrap().parse().unwrap();
    assert!((5.0..200.0).contains(&bytes), "{out}");
    if cfg!(target_os = "linux") {
        assert!(row("memory").ends_with(" MB so far"), "{out}");
    }
}

#[test]
fn slow_points_are_no_tables_and_few_of_them_tell_the_time() {
    let spin = "fn spin() { let n = 0; for i in 0..1500000 { n += i } n }\n";
    let script = format!("{spin}{SCRIPT}").replace("fn evaluate(p) {", "fn evaluate(p) { spin();");
    assert!(script.contains("spin();"));
    let out = Place::with(&script).ok(&["check", "x.rhai", "--format", "csv"]);
    assert!(!out.contains("first point"), "{out}");
    let line = out.lines().find(|line| line.starts_with("evaluation,")).unwrap();
    assert!(line.contains(" ms a point") || line.contains(" s a point"), "{out}");
    assert!(out.contains("first phase takes,about "), "{out}");
}

#[test]
fn trainings_are_counted_measured_and_found_in_the_store() {
    let place = Place::new();
    place.ok(&["new", "x", "--template", "train"]);
    let set = ["--set", "images=64", "--set", "validation=16", "--set", "epochs=1"];
    let checked =
        |place: &Place| place.ok(&[&["check", "x.rhai", "--format", "csv"], &set[..]].concat());
    let out = checked(&place);
    assert!(out.contains("metric accuracy,\"by training, which is left out here\""), "{out}");
    assert!(out.contains("metric latency_ms,") && !out.contains("latency_ms,by"), "{out}");
    assert!(out.contains("\ntraining,\"8 of 8 points need one, up to "), "{out}");
    assert!(!out.contains("in the store"), "{out}");
    // A search for the cells that the check draws, which is then known.
    place.ok(&[&["run", "x.rhai", "--steps", "30", "--quiet"], &set[..]].concat());
    let out = checked(&place);
    assert!(out.contains("that were asked for are in the store"), "{out}");
}

#[test]
fn there_is_nothing_to_remark_of_the_shipped_experiments() {
    let data = data_dir().map(|data| std::fs::canonicalize(data).unwrap());
    let mut checked = 0;
    for folder in
        ["experiments", "experiments/cifar10", "experiments/cifar100", "experiments/cookbook"]
    {
        let Ok(files) = std::fs::read_dir(project().join(folder)) else { continue };
        for file in files.map(|file| file.unwrap().path()) {
            let name = file.display().to_string();
            let is_script = name.ends_with(".rhai") && !name.ends_with("problem.rhai");
            // The table of NASBench-101 is among the data.
            let has_data = data.is_some() || folder != "experiments/cifar10";
            if !is_script || !has_data {
                continue;
            }
            // A table that is imported, which tests of accelerators and of the cookbook do.
            if name.ends_with("measured_devices.rhai") {
                continue;
            }
            let place = Place::new();
            let mut command = place.command(&["check", &name, "--strict"]);
            if let Some(data) = &data {
                command.env("TANDEM_DATA", data);
            }
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // Images that nobody fetched end a check before it looks for remarks.
            if said.contains("is not there: looked for") {
                continue;
            }
            assert!(output.status.success(), "{name}: {said}");
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked}");
}
