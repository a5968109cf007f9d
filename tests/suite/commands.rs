//! The output of the commands.

use crate::support::{Place, SCRIPT, project};

fn quickstart() -> String {
    project().join("experiments/quickstart.rhai").display().to_string()
}

#[test]
fn a_run_prints_its_name_the_frontier_and_where_numbers_come_from() {
    let place = Place::new();
    let out = place.ok(&["run", &quickstart(), "--set", "valid=100"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "run quickstart-1");
    assert!(lines[1].ends_with("of 135,000,000 points"), "{out}");
    assert!(out.contains("\nFrontier (accuracy:max, img_s_cm2:max)\n"), "{out}");
    assert!(out.contains("\nAgainst the ResNet cell\n"), "{out}");
    let base = lines.iter().find(|line| line.starts_with("ResNet cell, best")).unwrap();
    let cells: Vec<&str> = base.split_whitespace().collect();
    assert_eq!(cells[4..], ["70.5", "147.84", "6.1238", "110.45", "0", "0"]);
    assert!(out.ends_with(
        "measured  accuracy: NAS-Bench-201, validation accuracy, mean of up to 3 trainings\n\
         modelled  latency and area: CHaiDNN model\n"
    ));
}

#[test]
fn check_counts_the_space_and_names_the_first_phase() {
    let out = Place::new().ok(&["check", &quickstart(), "--format", "csv"]);
    for line in [
        "part cnn,\"nasbench201: 15,625 points, 6 choices\"",
        "part hw,\"chaidnn: 8,640 points, 8 choices\"",
        "space,\"135,000,000 points\"",
    ] {
        assert!(out.contains(line), "{out}");
    }
    assert!(out.contains("first phase,\"img_s_cm2 >= 50.0: reinforce searches cnn, hw, "), "{out}");
}

#[test]
fn a_pair_is_estimated_by_its_texts() {
    let place = Place::new();
    let cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";
    let (cnn, hw) = (format!("cnn={cell}"), "hw=8x32-i1K-w1K-o1K-m512-nopool-r1");
    let arguments = ["estimate", &quickstart(), "--at", &cnn, "--at", hw];
    let csv = place.ok(&[&arguments[..], &["--format", "csv"]].concat());
    assert!(csv.contains(&format!("cnn,{cell}\n")), "{csv}");
    assert!(csv.contains("\naccuracy,0.705\n"), "{csv}");
    let figure = csv.lines().find_map(|line| line.strip_prefix("img_s_cm2,")).unwrap();
    assert!((figure.parse::<f64>().unwrap() - 147.84).abs() < 0.01, "{csv}");
    let table = place.ok(&arguments);
    assert!(table.contains("\noperation"), "{table}");
    assert!(!table.contains("s3c5.2->3") && table.contains("s3c5.0->1"), "{table}");
    let text = place.ok(&[&arguments[..], &["--network"]].concat());
    assert!(
        text.ends_with(&format!("{} parameters, {} MACs\n", 559_386 + 90 * 65, 78_567_680)),
        "{text}"
    );
    let dot = place.ok(&[&arguments[..], &["--graphviz"]].concat());
    assert!(dot.starts_with("digraph network {\n") && dot.ends_with("}\n"));
    let ran = place.run(&["estimate", &quickstart(), "--at", "hw=fast"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: part `hw`: `fast` is not a configuration; write it like \
         `16x32-i8K-w2K-o2K-m512-pool-r0.5`\n"
    );
}

#[test]
fn tables_come_in_four_formats() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let query = |format| {
        let sort = ["--sort", "reward:max", "--limit", "2", "--format", format];
        place.ok(&[
            &["query", "x == ()", "--run", "x-1"][..0],
            &["query", "accuracy >= 0.75"],
            &sort[..],
        ]
        .concat())
    };
    let csv = query("csv");
    let header = csv.lines().next().unwrap();
    assert_eq!(header, "step,accuracy,area_mm2,reward,valid,hw,x");
    assert_eq!(csv.lines().count(), 3);
    let json: Vec<serde_json::Value> = serde_json::from_str(&query("json")).unwrap();
    assert_eq!(json.len(), 2);
    let jsonl: Vec<serde_json::Value> =
        query("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json, jsonl);
    assert_eq!(json[0]["accuracy"], 0.75);
    assert_eq!(json[0]["valid"], true);
    assert!(query("table").lines().next().unwrap().starts_with("step"));
}

#[test]
fn queries_see_points_phases_and_runs() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    place.ok(&["run", "x.rhai", "--seed", "1"]);
    let count =
        |expression: &str| place.ok(&["query", expression, "--format", "jsonl"]).lines().count();
    assert_eq!(count("true"), 128);
    assert_eq!(count("run == \"x-1\""), 64);
    assert_eq!(count("phase == \"all\" && valid && !failed"), 128);
    assert_eq!(count("step < 3"), 6);
    assert_eq!(count("point.x == \"3\""), count("accuracy == 0.75"));
    place.write("y.rhai", &SCRIPT.replace("accuracy", "speed"));
    place.ok(&["run", "y.rhai"]);
    assert_eq!(count("speed != ()"), 64);
    assert_eq!(count("speed == () && accuracy != ()"), 128);
}

#[test]
fn the_frontier_of_several_runs_has_a_hypervolume() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    place.ok(&["run", "x.rhai", "--seed", "1"]);
    let objectives = ["--objectives", "accuracy:max,area_mm2:min"];
    let ran =
        place.run(&[&["pareto", "x-1", "x-2"], &objectives[..], &["--format", "csv"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    let ran = place.run(&["pareto", "x-1", "--objectives", "accuracy"]);
    assert_eq!(ran.code, 2);
    let ran = place.run(&["pareto", "x-1", "--objectives", "speed:max"]);
    assert_ne!(ran.code, 0);
}

#[test]
fn settings_files_name_a_script_and_its_arguments() {
    let place = Place::new();
    place.write("scripts/x.rhai", &format!("{SCRIPT}fn args() {{ #{{ depth: 1 }} }}\n"));
    place.write("x.yaml", "script: scripts/x.rhai\nseed: 7\nsteps: 12\nargs: { depth: 3 }\n");
    place.ok(&["run", "x.yaml"]);
    assert_eq!(place.trials("x-1").lines().count(), 12);
    let show = place.ok(&["show", "x-1"]);
    assert!(show.contains("args.depth"), "{show}");
    place.ok(&["run", "x.yaml", "--seed", "8", "--set", "steps=5"]);
    assert_eq!(place.trials("x-2").lines().count(), 5);
    assert!(!place.trials("x-1").starts_with(&place.trials("x-2")));
}

#[cfg(unix)]
#[test]
fn results_go_through_links_and_into_pipes() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let csv = place.ok(&["export", "x-1"]);
    let at = |name: &str| place.path().join(name);
    let export = |name: &str| place.ok(&["export", "x-1", "--output", name]);
    place.write("real.csv", "old");
    for (link, to) in [("link.csv", "real.csv"), ("dangling.csv", "later.csv")] {
        std::os::unix::fs::symlink(to, at(link)).unwrap();
        export(link);
        assert_eq!(std::fs::read_to_string(at(to)).unwrap(), csv);
        assert_eq!(std::fs::read_link(at(link)).unwrap(), std::path::Path::new(to));
    }
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let mut child = place.start(&["export", "x-1", "--output", "pipe"]);
    assert_eq!(std::fs::read_to_string(at("pipe")).unwrap(), csv);
    assert!(child.wait().unwrap().success());
    export("/dev/null");
    // Where standard output is a file, others write to it, too.
    let out = std::fs::File::create(at("out.csv")).unwrap();
    std::io::Write::write_all(&mut &out, b"first\n").unwrap();
    let mut command = place.command(&["export", "x-1", "--output", "/dev/stdout"]);
    assert!(command.stdout(out.try_clone().unwrap()).status().unwrap().success());
    std::io::Write::write_all(&mut &out, b"last\n").unwrap();
    let written = std::fs::read_to_string(at("out.csv")).unwrap();
    assert_eq!(written, format!("first\n{csv}last\n"));
}

#[test]
fn runs_are_listed_in_the_order_in_which_they_were_made() {
    let place = Place::with(SCRIPT);
    let names: Vec<String> = (1..=11).map(|number| format!("x-{number}")).collect();
    for _ in &names {
        place.ok(&["run", "x.rhai", "--steps", "1", "--quiet"]);
    }
    let listed = place.ok(&["runs", "--format", "csv"]);
    let listed: Vec<&str> =
        listed.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(listed, names);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let place = Place::with(SCRIPT);
    for arguments in [
        &["run", "x.rhai", "--set", "limit_ms"][..],
        &["run", "x.rhai", "--steps", "0"],
        &["run", "x.rhai", "--steps", "some"],
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_failure() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 5000"));
    place.ok(&["run", "x.rhai"]);
    for format in ["table", "csv", "json", "jsonl"] {
        let mut command = place.command(&["query", "true", "--format", format]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{format}");
    }
}
