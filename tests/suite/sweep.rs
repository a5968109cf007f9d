//! Sweeps over all pairs of a space: stored, compared, explained, drawn.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::data_folder::data_dir;
use crate::support::{Place, project};

/// NAS-Bench-201 x CHaiDNN, with an objective whose constraint some pairs satisfy and one whose constraint
/// none does.
const SWEEP: &str = r#"fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
fn objectives() { ["accuracy:max", "img_s_cm2:max"] }
fn sweep() {
    #{
        networks: nasbench201::networks(),
        accuracy: accuracy::nasbench201("cifar10"),
        accelerator: chaidnn::accelerator(),
        objectives: #{
            accurate: objective::weighted(#{ accuracy: 1.0 }).subject_to("latency_ms <= 5"),
            never: objective::weighted(#{ area_mm2: 1.0 }).subject_to("latency_ms < 0.01"),
        },
        top: 7,
    }
}
"#;

/// The functions that make the script runnable.
const EVALUATE: &str = r#"fn evaluate(p) {
    let cost = chaidnn::estimate(nasbench201::network(p.cnn), p.hw);
    #{
        accuracy: accuracy::nasbench201(p.cnn, "cifar10"),
        latency_ms: cost.latency_ms,
        area_mm2: cost.area_mm2,
        img_s_cm2: cost.img_s_cm2,
        dsp: cost.dsp,
    }
}
fn reward(m) { if m.dsp > 1000.0 { reject(-1.0) } else { 2.0 * m.accuracy } }
fn schedule(run) {
    if run.phases == 0 { phase("all", #{ steps: 200, controller: random() }) }
}
"#;

fn cifar100() -> String {
    project().join("experiments/cifar100/sweep.rhai").display().to_string()
}

/// Returns the numbers in a field of JSON lines.
fn field(lines: &str, name: &str) -> Vec<f64> {
    let number = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row[name].as_f64().unwrap()
    };
    lines.lines().map(number).collect()
}

#[test]
fn a_sweep_counts_stores_and_agrees_with_single_pairs() {
    let place = Place::with(&format!("{SWEEP}{EVALUATE}"));
    let out = place.ok(&["sweep", "x.rhai"]);
    for line in [
        "run x-1\n",
        "135,000,000 pairs: 15,625 networks x 8,640 accelerators (672 with latencies of their own)\n",
        "Frontier (accuracy:max, img_s_cm2:max): ",
        "never: 1 area_mm2 [400, 0] subject to latency_ms < 0.01\nno pair keeps the limits; the nearest \
         of the frontier misses them by 99.859 % in all (step ",
        "the best 5 of 7; all: tandem query 'phase == \"accurate\"' --run x-1\n",
        "measured  accuracy: NAS-Bench-201",
        "modelled  latency and area: CHaiDNN model",
        "135,000,000 pairs in ",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let rows = out.lines().skip_while(|line| !line.starts_with("Frontier"));
    let rows: Vec<&str> =
        rows.skip(1).take_while(|line| !line.contains(" points; all: ")).collect();
    assert_eq!(rows.len(), 11, "{out}");
    assert!(rows.iter().all(|line| line.chars().count() <= 100), "{out}");
    // The script's own metrics and reward are there, and its frontier is found in the stored one.
    let frontier = place.ok(&["query", "phase == 'frontier'", "--run", "x-1", "--format", "jsonl"]
        .map(|text| if text == "phase == 'frontier'" { "phase == \"frontier\"" } else { text }));
    let (accuracies, rewards) = (field(&frontier, "accuracy"), field(&frontier, "reward"));
    assert!(accuracies.is_sorted_by(|a, b| a >= b));
    assert!(field(&frontier, "dsp").iter().zip(accuracies.iter().zip(&rewards)).all(
        |(&dsp, (&accuracy, &reward))| {
            reward == if dsp > 1000.0 { -1.0 } else { 2.0 * accuracy }
        }
    ));
    let pareto = place.ok(&["pareto", "x-1", "--format", "jsonl"]);
    let swept: u64 = out
        .lines()
        .find_map(|line| line.strip_prefix("Frontier (accuracy:max, img_s_cm2:max): "))
        .and_then(|rest| rest.split(' ').next())
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(pareto.lines().count() as u64, swept);
    let best = ["query", "phase == \"accurate\"", "--run", "x-1", "--format", "jsonl"];
    let best = place.ok(&best);
    assert_eq!(best.lines().count(), 7);
    assert!(field(&best, "latency_ms").iter().all(|&latency| latency <= 5.0));
    assert!(field(&best, "reward").is_sorted_by(|a, b| a >= b));
    assert_eq!(field(&best, "own_reward").len(), 7);

    // A run of the same script falls short of the sweep, and no metric of it goes beyond.
    place.ok(&["run", "x.rhai"]);
    let compared = place.ok(&["pareto", "x-2", "--sweep", "x-1"]);
    let row = |name: &str| -> Vec<f64> {
        let line = compared.lines().find(|line| line.starts_with(name)).expect(name);
        line[name.len()..].split_whitespace().map(|number| number.parse().unwrap()).collect()
    };
    let hypervolume = row("hypervolume   ");
    assert!(hypervolume[2] > 0.0 && hypervolume[2] < 1.0, "{compared}");
    assert!((hypervolume[0] / hypervolume[1] - hypervolume[2]).abs() < 1e-3);
    assert!(row("best accuracy")[2] >= 0.0 && row("objective accurate")[2] >= 0.0);
    let itself = place.ok(&["pareto", "x-1", "--sweep", "x-1"]);
    let line = itself.lines().find(|line| line.starts_with("points of the frontier")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(4).collect();
    assert_eq!(numbers, [&swept.to_string(), &swept.to_string(), "1"]);

    let explained = place.ok(&["explain", "x-1", "0"]);
    for part in ["bound by", "memory interfaces", "ratio_conv_engines", "verdict", "longest of"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    let others = place.ok(&["explain", "x-1", "0", "--format", "jsonl"]);
    // 21 other options of the accelerator, 24 of the cell, less those that change nothing.
    assert!((21..=45).contains(&others.lines().count()), "{others}");

    place.ok(&["figure", "x-1", "x-2", "--out", "f.svg"]);
    let figure = std::fs::read_to_string(place.path().join("f.svg")).unwrap();
    assert!(figure.contains("area (mm\u{b2})") && figure.contains("x-2 ("));
    let ran = place.run(&["figure", "x-1", "--out", "f.svg", "--x", "power_mw"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("has no metric `power_mw`\nhint: its metrics are accuracy, "));
}

#[test]
fn threads_and_interruptions_change_nothing() {
    let place = Place::new();
    place.ok(&["sweep", &cifar100(), "--set", "threads=1"]);
    let expected = place.trials("sweep-1");
    place.ok(&["sweep", &cifar100(), "--set", "threads=3"]);
    assert_eq!(place.trials("sweep-2"), expected);

    let place = Place::new();
    let mut interrupted = 0;
    let mut arguments = vec!["sweep".to_owned(), cifar100()];
    for delay in [250, 300] {
        let arguments_now: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = place.start(&arguments_now);
        sleep(Duration::from_millis(delay));
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let status = child.wait().unwrap();
        interrupted += u32::from(sent.success() && !status.success());
        if place.run(&["show", "sweep-1"]).code == 0 {
            arguments = vec!["resume".to_owned(), "sweep-1".to_owned()];
        }
    }
    assert!(interrupted > 0, "the sweep is over too soon to be interrupted");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let last = place.run(&arguments);
    if last.code != 0 {
        assert_eq!(last.err.lines().next(), Some("error: run `sweep-1` is finished"));
    }
    assert_eq!(place.trials("sweep-1"), expected);
}

#[test]
fn wrong_sweeps_say_what_is_wrong() {
    let refusal = |change: &dyn Fn(&str) -> String| {
        let script = change(&format!("{SWEEP}{EVALUATE}"));
        let place = Place::with(&script);
        let ran = place.run(&["sweep", "x.rhai"]);
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert!(!place.path().join(".tandem/db").exists() || ran.err.contains("contradicts"));
        ran.err.lines().next().unwrap().to_owned()
    };
    let with = |from: &'static str, to: &'static str| {
        move |script: &str| {
            assert!(script.contains(from));
            script.replacen(from, to, 1)
        }
    };
    for (from, to, message) in [
        (
            "hw: chaidnn::space()",
            "hw: chaidnn::space(), x: choice([1, 2])",
            "error: the space is not the product that sweep() describes, a part of nasbench201 and one \
             of chaidnn: it has `cnn` (nasbench201), `hw` (chaidnn), `x` (choice)",
        ),
        (
            "hw: chaidnn::space()",
            "hw: choice([1, 2])",
            "error: the space is not the product that sweep() describes, a part of nasbench201 and one \
             of chaidnn: it has `cnn` (nasbench201), `hw` (choice)",
        ),
        (
            "#{ area_mm2: 1.0 }",
            "#{ energy_mj: 1.0 }, #{ energy_mj: [5.0, 0.0] }",
            "error: objective `never` is about `energy_mj`, which the sweep does not produce; it \
             produces accuracy, latency_ms, area_mm2, img_s_cm2",
        ),
        (
            "#{ area_mm2: 1.0 }",
            "#{ energy_mj: 1.0 }",
            "error: objective::weighted needs the range of energy_mj: give `#{ energy_mj: [worst, \
             best] }` as the second argument",
        ),
        (
            "latency_ms < 0.01",
            "latency_ms < fast",
            "error: subject_to: `latency_ms < fast` is not a limit; write it like `latency_ms <= 100` \
             (<, <=, >, >=)",
        ),
        (
            "latency_ms < 0.01",
            "accuracy < 0.5",
            "error: objective `never` has the limit `accuracy < 0.5`; a sweep takes limits that forbid \
             the bad end: the least of accuracy",
        ),
        ("top: 7", "top: -7", "error: `top` of sweep() is -7; it must be from 0 to 100000"),
        (
            "top: 7",
            "best: 7",
            "error: sweep() returned `best`; it takes networks, accuracy, accelerator, objectives, top",
        ),
        ("accelerator: chaidnn::accelerator(),", "", "error: sweep() returned no `accelerator`"),
        (
            "accuracy::nasbench201(\"cifar10\"),",
            "accuracy::nasbench101(),",
            "error: `accuracy` of sweep() does not know the networks of nasbench201",
        ),
        (
            "nasbench201::networks()",
            "nasbench201::networks(#{ clases: 10 })",
            "error: nasbench201::networks has no option `clases`; it takes stem_channels, cells, \
             classes, image_size, image_channels",
        ),
        ("fn sweep()", "fn all_pairs()", "error: the script defines no function `sweep()`"),
        ("fn sweep()", "fn swept()", "error: nobody calls the script's function `swept`"),
        (
            "[\"accuracy:max\", \"img_s_cm2:max\"]",
            "[\"accuracy:max\", \"speed:max\"]",
            "error: objectives() names `speed:max`, of which a sweep does not find the frontier; it \
             finds that of accuracy:max, latency_ms:min, area_mm2:min, img_s_cm2:max",
        ),
        (
            "[\"accuracy:max\", \"img_s_cm2:max\"]",
            "[\"latency_ms:max\"]",
            "error: objectives() names `latency_ms:max`, of which a sweep does not find the frontier; \
             it finds that of accuracy:max, latency_ms:min, area_mm2:min, img_s_cm2:max",
        ),
        (
            "nasbench201::network(p.cnn)",
            "nasbench201::network(p.cnn, #{ stem_channels: 32 })",
            "error: the experiment contradicts its sweep at ",
        ),
    ] {
        let found = refusal(&with(from, to));
        if message.ends_with(' ') {
            assert!(found.starts_with(message), "{found}");
        } else {
            assert_eq!(found, message);
        }
    }
    // What can be swept but not run says so.
    let place = Place::with(SWEEP);
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 3);
    let message = "error: the script defines no function `evaluate(point)`\n";
    assert!(ran.err.starts_with(message), "{}", ran.err);
    let checked = place.ok(&["check", "x.rhai"]);
    assert!(checked.contains("x.rhai is ready to sweep\n"), "{checked}");
    place.ok(&["sweep", "x.rhai"]);
    let explained = place.run(&["explain", "x-1", "0"]);
    assert_eq!(explained.code, 2, "{}", explained.err);
    assert!(explained.err.contains("\nhint: define `evaluate(point)` in its script"));
    assert!(place.ok(&["show", "x-1", "0"]).contains("latency_ms"));
    let again = place.run(&["resume", "x-1", "--steps", "5000"]);
    assert_eq!(again.code, 2);
    assert_eq!(
        again.err,
        "error: run `x-1` is finished\nhint: `tandem show x-1` shows it, `tandem query true --run x-1` \
         its pairs\n"
    );
    // With it, nothing is swept again.
    place.write("x.rhai", &format!("{SWEEP}{EVALUATE}"));
    assert!(place.ok(&["explain", "x-1", "0"]).contains("What every single other option"));
}

#[test]
fn a_table_that_lacks_cells_is_counted() {
    let Some(data) = data_dir() else { return };
    let whole = std::fs::read(data.join("nasbench101/nb101.bin.zst")).unwrap();
    let whole = zstd::decode_all(whole.as_slice()).unwrap();
    let (kept, all) = (400, 423_624);
    let mut table = whole[..8].to_vec();
    table.extend(u32::to_le_bytes(kept as u32));
    table.extend(&whole[12..12 + 4 * kept]);
    table.extend(&whole[12 + 4 * all..12 + 4 * all + 2 * kept]);
    let place = Place::new();
    let folder = place.path().join("data/nasbench101");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("nb101.bin"), table).unwrap();
    let experiment = project().join("experiments/cifar10/sweep.rhai").display().to_string();
    let out = place.ok(&["sweep", &experiment]);
    assert!(out.contains("3,456,000 pairs: 400 networks x 8,640 accelerators"), "{out}");
    assert!(out.contains("left out: 423,224 networks that the table does not have\n"), "{out}");
    assert!(out.contains("measured  accuracy: NASBench-101"), "{out}");
    assert!(!out.contains("predicted"), "{out}");
}

#[test]
fn without_the_table_accuracies_are_predicted_and_say_so() {
    let place = Place::new();
    let script = r#"fn space() { #{ cnn: nasbench101::space(), hw: chaidnn::space() } }
fn objectives() { ["accuracy:max", "latency_ms:min"] }
fn evaluate(p) {
    let cost = chaidnn::estimate(nasbench101::network(p.cnn), p.hw);
    #{
        accuracy: accuracy::nasbench101(p.cnn, #{ missing: "predict" }),
        latency_ms: cost.latency_ms,
    }
}
fn reward() { objective::weighted(#{ accuracy: 1.0 }).subject_to("latency_ms < 100") }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 50, controller: random() }) } }
"#;
    place.write("x.rhai", script);
    let out = place.ok(&["run", "x.rhai"]);
    assert!(out.contains("predicted accuracy: predictor trained on 10 % of NASBench-101"), "{out}");
    let table = place.ok(&["query", "true", "--limit", "1"]);
    assert!(table.contains("accuracy (predicted)"), "{table}");
    let ran = place.run(&["query", "true", "--limit", "1", "--format", "csv"]);
    assert!(ran.out.starts_with("step,accuracy,"), "{}", ran.out);
    assert_eq!(ran.err, "note: the accuracies of x-1 are predicted\n");
    // The reward is the objective's.
    let rows = place.ok(&["query", "valid", "--format", "jsonl"]);
    assert_eq!(field(&rows, "accuracy"), field(&rows, "reward"));
    assert!(field(&rows, "latency_ms").iter().all(|&latency| latency < 100.0));
    let strict = script.replace(", #{ missing: \"predict\" }", "");
    let place = Place::with(&strict);
    assert!(place.run(&["run", "x.rhai"]).err.contains("the NASBench-101 table is not in data"));
}

#[test]
fn a_sweep_of_points_goes_past_those_that_fail() {
    let script = r#"
fn space() { #{ p: space::part().choice("mode", ["off", "on"]).int("x", 0, 4999) } }
fn objectives() { ["cost:min"] }
fn evaluate(point) {
    if point.p.mode == "off" { throw "cannot run"; }
    #{ cost: point.p.x, pairs: 3.0 }
}
fn sweep() {
    #{ top: 3, objectives: #{ typo: objective::weighted(#{ csot: 1.0 }, #{ csot: [10, 0] }) } }
}
"#;
    let place = Place::with(script);
    let out = place.ok(&["sweep", "x.rhai"]);
    for part in [
        "5000 pairs cannot run, the first mode=off x=0: cannot run",
        "no pair has csot, which `typo` of sweep() is about",
        "mode=on x=0",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    // As many as are too many are refused before there is a run.
    place.write(
        "x.rhai",
        &script.replace("4999", "60000").replace(".int(", ".int(\"y\", 0, 9999).int("),
    );
    let ran = place.run(&["sweep", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert_eq!(place.ok(&["runs", "--format", "csv"]).lines().count(), 2);
}

/// Checks that a sweep covers exactly the points that the rules allow, however many they forbid.
#[test]
fn a_sweep_of_points_is_as_large_as_its_space() {
    let script = r#"
fn space() {
    let part = space::part().choice("mode", ["off", "on"]);
    for name in ["a", "b", "c", "d"] {
        part = part.int(name, 0, 99).when(|c| c.mode == "on");
    }
    #{ p: part }
}
"#;
    let rest = r#"
fn objectives() { ["cost:min"] }
fn evaluate(point) {
    let p = point.p;
    #{ cost: if p.mode == "off" { 1000.0 } else { p.a + p.b } }
}
fn sweep() { #{ top: 1 } }
"#;
    let small = script.replace("part = part.int(name, 0, 99)", "part = part.int(name, 0, 9)");
    let forbidden = r#".forbid(|c| c.mode == "on" && (c.c != c.d || c.a > 4))"#;
    let small = small.replace("p: part }", &format!("p: part{forbidden} }}"));
    let place = Place::with(&(small + rest));
    // 5 * 10 * 10 and one of 20,000 combinations.
    let out = place.ok(&["sweep", "x.rhai"]);
    assert!(out.contains("501 pairs in "), "{out}");
    let checked = place.ok(&["check", "x.rhai"]);
    assert!(checked.contains("sweep takes"), "{checked}");

    place.write("x.rhai", &format!("{script}{rest}"));
    for command in ["sweep", "check"] {
        let ran = place.run(&[command, "x.rhai"]);
        assert_eq!(ran.code, 3, "{}", ran.err);
        let expected = "error: the space has 100000001 pairs, and at most 100000000 are evaluated one by \
                        one; hold some choices, or search it with `tandem run`\n";
        assert_eq!(ran.err, expected);
    }
}
