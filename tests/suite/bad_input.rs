//! Invalid scripts, settings and stores: each gives one message and an exit code, and loses nothing.

use crate::support::{Place, SCRIPT};

/// Returns the error of `tandem run x.rhai`, after checking that it has the exit code of a script's error.
fn refusal(script: &str) -> String {
    let place = Place::with(script);
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let start = ran.err.find("error: ").unwrap_or_else(|| panic!("{}", ran.err));
    ran.err[start..].to_owned()
}

fn changed(from: &str, to: &str) -> String {
    assert!(SCRIPT.contains(from), "{from}");
    SCRIPT.replace(from, to)
}

#[test]
fn a_missing_or_misspelt_function() {
    assert_eq!(
        refusal(&changed("fn evaluate", "fn evalute")),
        "\
error: the script defines no function `evaluate(point)`
 --> x.rhai:2:4
  |
2 | fn evalute(p) { #{ accuracy: p.x / 4.0, area_mm2: 1.0 } }
  |    ^^^^^^^
  |
  = help: is `evalute` meant to be `evaluate`?
"
    );
    assert_eq!(
        refusal("fn evaluate(p) { #{} }"),
        "error: the script defines no function `space()`\n |\n = help: write for example `fn \
         space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }`\n"
    );
    assert_eq!(
        refusal(&changed("fn reward(m)", "fn reward(m, n)")),
        "\
error: `reward` takes 2 parameters, but is called as `reward(metrics)`
 --> x.rhai:3:4
  |
3 | fn reward(m, n) { m.accuracy }
  |    ^^^^^^
  |
  = help: write for example `fn reward(metrics) { metrics.accuracy }`
"
    );
}

#[test]
fn a_function_that_only_nearly_has_a_name_of_the_contract() {
    assert_eq!(
        refusal(&changed("fn schedule", "fn shedule")),
        "\
error: nobody calls the script's function `shedule`
 --> x.rhai:4:4
  |
4 | fn shedule(run) { if run.phases == 0 { phase(\"all\", #{ steps: 64, controller: random() }) } }
  |    ^^^^^^^
  |
  = help: is it meant to be `schedule`?
"
    );
    // A helper that the script calls may have any name.
    let script = format!("{SCRIPT}fn sumary(run) {{ 1 }}\nfn half(run) {{ sumary(run) }}\n");
    assert_eq!(Place::with(&script).run(&["run", "x.rhai"]).code, 0);
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_caret() {
    assert_eq!(
        refusal(&changed("p.x / 4.0,", "p.x / 4.0")),
        "\
error: a `,` is missing here between the items of this map
 --> x.rhai:2:40
  |
2 | fn evaluate(p) { #{ accuracy: p.x / 4.0 area_mm2: 1.0 } }
  |                                        ^
"
    );
    assert_eq!(
        refusal(&changed("chaidnn::space()", "chaidnn::spaces()")),
        "\
error: there is no function `chaidnn::spaces`
 --> x.rhai:1:52
  |
1 | fn space() { #{ x: choice([1, 2, 3]), hw: chaidnn::spaces() } }
  |                                                    ^^^^^^
  |
  = note: there is chaidnn::space() -> SpacePart
  = help: is `chaidnn::space` meant?
"
    );
    assert_eq!(
        refusal(&changed("p.x / 4.0", "p.y / 4.0")),
        "\
error: each of the first 32 trials failed, the first with:
error: the point has no part `y`; it has `hw`, `x`
 --> x.rhai:2:32
  |
2 | fn evaluate(p) { #{ accuracy: p.y / 4.0, area_mm2: 1.0 } }
  |                                ^
"
    );
    assert_eq!(
        refusal(&changed("m.accuracy", "m.acuracy")),
        "\
error: each of the first 32 trials failed, the first with:
error: the map has no entry `acuracy`
 --> x.rhai:3:18
  |
3 | fn reward(m) { m.acuracy }
  |                  ^^^^^^^
  |
  = help: is `accuracy` meant? evaluate(point) gives `accuracy` and `area_mm2`
"
    );
}

#[test]
fn an_error_of_a_native_function_is_shown_where_it_was_called() {
    let call = r#"nasbench201::network(nasbench201::cell("bad")); #{ accuracy"#;
    assert_eq!(
        refusal(&changed("#{ accuracy", call)).lines().skip(1).take(2).collect::<Vec<_>>(),
        [
            "error: a NAS-Bench-201 cell has 3 nodes joined by `+`, but this text has 1; write it \
             like `|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|`",
            " --> x.rhai:2:52",
        ]
    );
}

/// Returns the error of the first trial of a run whose trials all fail.
fn first_failure(script: &str) -> String {
    let said = refusal(script);
    let first = said.strip_prefix("error: each of the first 32 trials failed, the first with:\n");
    first.unwrap_or_else(|| panic!("{said}")).lines().take(2).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_reward_that_is_no_number() {
    assert_eq!(
        first_failure(&changed("{ m.accuracy }", r#"{ "high" }"#)),
        "error: the reward is a string, not a number\n --> x.rhai:3:4"
    );
    assert_eq!(
        first_failure(&changed("{ m.accuracy }", "{ 0.0 / 0.0 }")),
        "error: the reward is NaN\n --> x.rhai:3:4"
    );
    assert_eq!(
        first_failure(&changed("{ m.accuracy }", "{ 1.0 / 0.0 }")),
        "error: the reward is inf\n --> x.rhai:3:4"
    );
}

#[test]
fn a_metric_that_is_no_number() {
    assert_eq!(
        first_failure(&changed("area_mm2: 1.0", "area_mm2: 0.0 / 0.0")),
        "error: metric `area_mm2` is NaN\n --> x.rhai:2:42"
    );
    assert_eq!(
        first_failure(&changed("area_mm2: 1.0", r#"area_mm2: "big""#)),
        "error: metric `area_mm2` is a string; a metric is a number\n --> x.rhai:2:42"
    );
    assert_eq!(
        first_failure(&changed("p.x / 4.0", "p.x + 92.0")),
        "error: metric `accuracy` is 94, and an accuracy is a fraction from 0 to 1\n --> x.rhai:2:21"
    );
}

#[test]
fn a_failed_trial_is_recorded_and_the_run_goes_on() {
    let place = Place::with(&changed(
        "#{ accuracy: p.x / 4.0, area_mm2: 1.0 }",
        "if p.x == 2 { throw `no ${p.x}` } #{ accuracy: p.x / 4.0, area_mm2: 1.0 }",
    ));
    let out = place.ok(&["run", "x.rhai"]);
    assert!(out.contains("64 trials ("), "{out}");
    let failed = place.ok(&["query", "failed", "--format", "csv", "--limit", "1"]);
    assert!(failed.contains("no 2 (x.rhai:2:32)"), "{failed}");
    let all = place.ok(&["query", "accuracy > 0.5", "--format", "jsonl"]);
    assert!(all.lines().count() > 10 && all.lines().all(|line| line.contains("0.75")), "{all}");
}

#[test]
fn an_empty_space() {
    let start = |script: &str| refusal(script).lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(
        start(&changed("#{ x: choice([1, 2, 3]), hw: chaidnn::space() }", "#{}")),
        "error: the space has no parts\n --> x.rhai:1:4"
    );
    assert_eq!(
        start(&changed("[1, 2, 3]", "[]")),
        "error: choice() has no options; it needs at least one\n --> x.rhai:1:20"
    );
    assert_eq!(
        start(&changed("choice([1, 2, 3])", "7")),
        "error: part `x` of the space is an int, not a space\n --> x.rhai:1:17"
    );
}

#[test]
fn an_unknown_setting() {
    let place = Place::with(SCRIPT);
    place.write("x.yaml", "script: x.rhai\nstpes: 3\n");
    let ran = place.run(&["run", "x.yaml"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            3,
            "\
error: there is no setting `stpes`
 --> x.yaml:2:1
  |
2 | stpes: 3
  | ^^^^^
  |
  = help: is `steps` meant?
"
        )
    );
    let ran = place.run(&["run", "x.rhai", "--set", "depth=3"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            3,
            "error: there is no setting or argument `depth`\n |\n = help: the script declares no \
             arguments; `fn args() { #{ name: default } }` would\n"
        )
    );
    let ran = place.run(&["run", "x.rhai", "--set", "limits.operatons=3"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            3,
            "error: there is no setting `limits.operatons`\n |\n = help: is `limits.operations` meant?\n"
        )
    );
    for (setting, message) in [
        ("steps=0", "setting `steps` is 0; it must be at least 1"),
        ("threads=0", "setting `threads` is 0; it must be at least 1"),
        ("threads=100000", "setting `threads` is 100000; it must be at most 1024"),
        ("top=1000000", "setting `top` is 1000000; it must be at most 100000"),
        ("limits.operations=0", "setting `limits.operations` is 0; it must be at least 1"),
        (
            "limits.seconds=-1",
            "setting `limits.seconds` is -1; it must be a number of seconds, or 0 for no limit",
        ),
    ] {
        let ran = place.run(&["run", "x.rhai", "--set", setting]);
        assert_eq!((ran.code, ran.err), (3, format!("error: {message}\n")));
    }
    assert!(!place.path().join(".tandem").exists());
}

#[test]
fn an_argument_of_the_wrong_kind() {
    let place = Place::with(&format!("{SCRIPT}fn args() {{ #{{ trials: 64 }} }}\n"));
    let ran = place.run(&["run", "x.rhai", "--set", "trials=many"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            3,
            "\
error: argument `trials` is \"many\", a string; it takes an int
 --> x.rhai:5:16
  |
5 | fn args() { #{ trials: 64 } }
  |                ^^^^^^
"
        )
    );
    assert_eq!(
        refusal(&format!("{SCRIPT}fn args() {{ #{{ seed: 64 }} }}\n")),
        "\
error: argument `seed` has the name of a setting
 --> x.rhai:5:16
  |
5 | fn args() { #{ seed: 64 } }
  |                ^^^^
  |
  = help: rename it in args(), so that `--set` and YAML can tell them apart
"
    );
}

#[test]
fn a_phase_that_cannot_be() {
    assert_eq!(
        refusal(&changed("steps: 64", "stepz: 64, steps: 64")).lines().next().unwrap(),
        "error: phase() has no option `stepz`; it takes search, fixed, steps, valid, controller, \
         keep, reward, screen"
    );
    assert_eq!(
        refusal(&changed("steps: 64, ", "")).lines().next().unwrap(),
        "error: phase() needs the option `steps`, the most trials"
    );
    assert_eq!(
        refusal(&changed("random()", "reinforce(#{ learning_rate: -0.1 })")).lines().next(),
        Some(
            "error: reinforce(): `learning_rate` is -0.1: the step size must be above 0 and at most 1"
        )
    );
    assert_eq!(
        refusal(&changed("steps: 64", r#"steps: 64, search: ["cnn"]"#)).lines().next().unwrap(),
        "error: phase `all` cannot be searched: the space has no part `cnn`; its parts are `hw`, `x`"
    );
    assert_eq!(
        refusal(&changed("steps: 64", r#"steps: 64, search: ["x"]"#)).lines().next().unwrap(),
        "error: phase `all` cannot be searched: it does not search every part and has no `fixed` \
         point for the others"
    );
}

#[test]
fn an_objective_that_no_trial_has() {
    let script = format!("{SCRIPT}fn objectives() {{ [\"speed:max\"] }}\n");
    let message = "\
error: an objective of the experiment is about `speed`, which evaluate(point) does not give
 --> x.rhai:5:20
  |
5 | fn objectives() { [\"speed:max\"] }
  |                    ^
  |
  = help: it gives `accuracy` and `area_mm2`
";
    assert_eq!(
        refusal(&script),
        format!("error: each of the first 32 trials failed, the first with:\n{message}")
    );
    let place = Place::with(&script);
    let ran = place.run(&["check", "x.rhai"]);
    assert_eq!((ran.code, ran.err.as_str()), (3, message));
}

#[test]
fn check_finds_what_a_run_would() {
    for (from, to, message) in [
        ("{ m.accuracy }", "{ 0.0 / 0.0 }", "the reward is NaN"),
        ("area_mm2: 1.0", "area_mm2: 0.0 / 0.0", "metric `area_mm2` is NaN"),
        (
            "steps: 64",
            "steps: 64, search: [\"cnn\"]",
            "phase `all` cannot be searched: the space has no part `cnn`; its parts are `hw`, `x`",
        ),
        (
            "steps: 64",
            "steps: 64, search: []",
            "phase `all` cannot be searched: `search` names no part; the space has hw, x",
        ),
        ("m.accuracy", "m.acuracy", "the map has no entry `acuracy`"),
    ] {
        let ran = Place::with(&changed(from, to)).run(&["check", "x.rhai"]);
        assert_eq!(ran.code, 3);
        assert_eq!(ran.err.lines().next(), Some(format!("error: {message}").as_str()));
    }
}

#[test]
fn files_and_runs_that_are_not_there() {
    let place = Place::with(SCRIPT);
    let missing = place.run(&["run", "y.rhai"]);
    assert_eq!(missing.code, 2);
    assert_eq!(missing.err, "error: cannot read y.rhai: No such file or directory (os error 2)\n");
    let text = place.run(&["run", "x.txt"]);
    assert_eq!(text.code, 2);
    assert_eq!(
        text.err,
        "error: x.txt is not an experiment\nhint: an experiment is a .rhai script, or a .yaml file \
         that names one\n"
    );
    let runs = place.run(&["runs"]);
    assert_eq!(runs.code, 2);
    assert_eq!(
        runs.err,
        "error: there is no store at .tandem; `tandem run` makes one, `--store` names another\n"
    );
    place.ok(&["run", "x.rhai"]);
    let run = place.run(&["show", "x-2"]);
    assert_eq!(run.code, 2);
    assert_eq!(run.err, "error: .tandem has no run `x-2`; did you mean x-1?\n");
    let step = place.run(&["show", "x-1", "64"]);
    assert_eq!(step.code, 2);
    assert_eq!(step.err, "error: run `x-1` has no step 64\nhint: its steps are 0 to 63\n");
    let usage = place.run(&["run"]);
    assert_eq!(usage.code, 2);
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_left_alone() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let path = place.path().join(".tandem");
    let set_format = |format: u32| {
        let db = sled::open(&path).unwrap();
        db.open_tree("meta").unwrap().insert("format", &format.to_be_bytes()).unwrap();
        db.flush().unwrap();
    };
    set_format(3);
    for command in [&["run", "x.rhai"][..], &["resume", "x-1"], &["runs"]] {
        let ran = place.run(command);
        assert_eq!(ran.code, 4);
        assert_eq!(
            ran.err,
            "error: the store at .tandem has format 3, and this program knows formats up to 2; use \
             a newer tandem. Nothing was changed\n"
        );
    }
    set_format(2);
    assert_eq!(place.trials("x-1").lines().count(), 64);
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let place = Place::with(SCRIPT);
    let ran = place.run(&["run", "x.rhai", "--store", "."]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: . holds other files than a store's; name a new or empty folder with `--store`\n"
    );
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_store_that_is_cut_short_or_cannot_be_made() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let db = place.path().join(".tandem/db");
    let length = std::fs::metadata(&db).unwrap().len();
    std::fs::File::options().write(true).open(&db).unwrap().set_len(length / 50).unwrap();
    let ran = place.run(&["runs"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert_eq!(
        ran.err,
        "error: the store at .tandem is damaged: `db`: it has lost what was written last; `tandem \
         store salvage .tandem --to NEW` reads what can be read into a new store, and `tandem store \
         import` makes one of an archive\n"
    );

    let ran = place.run(&["run", "x.rhai", "--store", "x.rhai/store"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: x.rhai is no folder; name a store, or a new or empty folder, with `--store`\n")
    );
}

#[test]
fn a_wrong_query() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let ran = place.run(&["query", "accuracy >"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("--> query:1:11"), "{}", ran.err);
    let ran = place.run(&["query", "acuracy > 0.5"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.starts_with("error: there is no variable `acuracy`\n --> query:1:1"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("help: is `accuracy` meant?"), "{}", ran.err);
    let ran = place.run(&["query", "true", "--sort", "zzz"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.starts_with("error: there is no variable `zzz`\n --> --sort:1:1"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("help: there are accuracy, area_mm2, step, phase"), "{}", ran.err);
}
