//! Queries of stored trials: `query`, `export` and `rescore`.

use std::process::Command;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::support::Place;

/// An experiment with three metrics, two phases with different rewards, an argument, and rejected and failing
/// pairs.
const RICH: &str = r#"
fn args() { #{ weight: 0.5, name: "plain" } }
fn objectives() { ["accuracy:max", "latency_ms:min"] }
fn space() { #{ x: choice([1, 2, 3, 4, 5, 6, 7, 8]), y: choice([1, 2, 3, 4]) } }
fn evaluate(p) {
    if p.x == 8 && p.y == 4 { throw "too large"; }
    #{ accuracy: p.x / 10.0, latency_ms: p.x * 1.0 + p.y, area_mm2: 10.0 - p.y }
}
fn score(m) { m.accuracy - args::weight * m.latency_ms / 100.0 }
fn reward(m) { if m.latency_ms > 9.0 { reject(-1.0) } else { score(m) } }
fn schedule(run) {
    if run.phases == 0 { return phase("first", #{ steps: 600, controller: random() }); }
    if run.phases == 1 { phase("fast", #{ steps: 300, controller: random(), reward: |m| -m.latency_ms }) }
}
"#;

fn rows(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let text = place.ok(&[arguments, &["--format", "jsonl"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rich() -> Place {
    let place = Place::with(RICH);
    place.ok(&["run", "x.rhai"]);
    place
}

#[test]
fn trials_are_sorted_by_several_keys_and_cut() {
    let place = rich();
    let all = rows(&place, &["query", "true", "--run", "x-1"]);
    assert_eq!(all.len(), 900);
    let sort = ["--sort", "accuracy:max", "--sort", "latency_ms / 2"];
    let found = rows(&place, &[&["query", "!failed", "--run", "x-1"], &sort[..]].concat());
    let mut expected: Vec<&Value> = all.iter().filter(|row| row["reward"].is_f64()).collect();
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    expected.sort_by(|a, b| {
        let by_accuracy = number(b, "accuracy").total_cmp(&number(a, "accuracy"));
        by_accuracy.then(number(a, "latency_ms").total_cmp(&number(b, "latency_ms")))
    });
    let steps = |rows: &[&Value]| rows.iter().map(|row| row["step"].clone()).collect::<Vec<_>>();
    assert_eq!(steps(&found.iter().collect::<Vec<_>>()), steps(&expected));
    let limited =
        rows(&place, &[&["query", "!failed", "--run", "x-1", "--limit", "7"], &sort[..]].concat());
    assert_eq!(limited, found[..7]);
    // In the order of steps, up to the middle of a stretch.
    let first = rows(&place, &["query", "accuracy > 0.3", "--run", "x-1", "--limit", "400"]);
    let of_all: Vec<&Value> =
        all.iter().filter(|row| row["accuracy"].as_f64().is_some_and(|a| a > 0.3)).collect();
    assert_eq!(steps(&first.iter().collect::<Vec<_>>()), steps(&of_all[..400]));
    assert_eq!(rows(&place, &["query", "true", "--limit", "0"]), [Value::Null; 0]);
}

#[test]
fn the_answer_does_not_depend_on_threads() {
    let place = rich();
    let ask = |threads: &str| {
        let arguments = [
            &["query", "valid", "--by", "x", "--agg", "count,mean:reward,q90:latency_ms"][..],
            &["--format", "csv"],
        ];
        let mut command = place.command(&arguments.concat());
        command.env("RAYON_NUM_THREADS", threads).output().unwrap().stdout
    };
    assert_eq!(ask("1"), ask("4"));
    assert!(!ask("1").is_empty());
}

#[test]
fn groups_have_aggregates() {
    let place = rich();
    let all = rows(&place, &["query", "!failed", "--run", "x-1"]);
    let agg = "count,min:latency_ms,max:accuracy,mean:reward,median:latency_ms,share=mean:valid";
    let groups = rows(&place, &["query", "!failed", "--by", "phase", "--agg", agg]);
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0]["phase"], "fast");
    let first: Vec<&Value> = all.iter().filter(|row| row["step"].as_u64() < Some(600)).collect();
    let group = &groups[1];
    assert_eq!(group["count"], first.len());
    let of = |name: &str| {
        let mut values: Vec<f64> = first.iter().map(|row| row[name].as_f64().unwrap()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let latencies = of("latency_ms");
    assert_eq!(group["min_latency_ms"], latencies[0]);
    assert_eq!(group["max_accuracy"], of("accuracy")[first.len() - 1]);
    let mean = of("reward").iter().sum::<f64>() / first.len() as f64;
    assert!((group["mean_reward"].as_f64().unwrap() - mean).abs() < 1e-12);
    let middle = (first.len() - 1) / 2;
    let median = (latencies[middle] + latencies[first.len() / 2]) / 2.0;
    assert_eq!(group["median_latency_ms"], median);
    let valid = first.iter().filter(|row| row["valid"] == true).count();
    let share = valid as f64 / first.len() as f64;
    assert!((group["share"].as_f64().unwrap() - share).abs() < 1e-12);

    let best = rows(
        &place,
        &[
            "query",
            "!failed",
            "--by",
            "point.x",
            "--agg",
            "count,max:reward",
            "--sort",
            "max_reward:max",
            "--limit",
            "3",
        ],
    );
    assert_eq!(best.len(), 3);
    let rewards: Vec<f64> = best.iter().map(|row| row["max_reward"].as_f64().unwrap()).collect();
    assert!(rewards.is_sorted_by(|a, b| a >= b), "{rewards:?}");
    let total = rows(&place, &["query", "failed", "--agg", "count,max:accuracy"]);
    assert_eq!(total.len(), 1);
    assert_eq!(total[0]["max_accuracy"], Value::Null);
    let ran = place.run(&["query", "true", "--by", "phase", "--agg", "max:point.x"]);
    assert!(ran.err.contains("is a text; only numbers have a max"), "{}", ran.err);
    let ran = place.run(&["query", "true", "--agg", "most:accuracy"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("`most:accuracy` is not an aggregate"), "{}", ran.err);
}

#[test]
fn columns_are_expressions() {
    let place = rich();
    let selected = rows(
        &place,
        &[
            "query",
            "on_frontier",
            "--run",
            "x-1",
            "--sort",
            "accuracy",
            "--select",
            "step, density = accuracy / area_mm2, phase, point.x",
        ],
    );
    let keys: Vec<&String> = selected[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["step", "density", "phase", "point.x"]);
    let frontier = rows(&place, &["pareto", "x-1"]);
    let steps = |rows: &[Value]| {
        let mut steps: Vec<u64> = rows.iter().map(|row| row["step"].as_u64().unwrap()).collect();
        steps.sort_unstable();
        steps
    };
    assert_eq!(steps(&selected), steps(&frontier));
    let ran = place.run(&["query", "true", "--select", "a=step,a=reward"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("two columns `a`"), "{}", ran.err);
}

#[test]
fn a_runs_functions_and_settings_are_at_hand() {
    let place = rich();
    place.ok(&["run", "x.rhai", "--set", "weight=0.25"]);
    let count = |arguments: &[&str]| rows(&place, &[&["query"], arguments].concat()).len();
    // The stored script's functions see the run's arguments, whatever the file says by then.
    place.write("x.rhai", "broken(");
    let same = "phase == \"first\" && valid && score(m) == reward";
    let valid = count(&["phase == \"first\" && valid", "--run", "x-2"]);
    assert_eq!(count(&[same, "--run", "x-2"]), valid);
    assert!(valid > 100);
    let ran = place.run(&["query", same]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("there is no function `score`"), "{}", ran.err);
    assert!(ran.err.contains("`--run RUN`"), "{}", ran.err);
    place.write("other.rhai", RICH);
    assert_eq!(count(&[same, "--script", "other.rhai"]), valid_of(&place, "x-1"));
    assert_eq!(count(&["args.weight == 0.25"]), 900);
    assert_eq!(count(&["args.name == \"plain\" && seed == 0"]), 1800);
}

fn valid_of(place: &Place, run: &str) -> usize {
    let same = "phase == \"first\" && valid";
    rows(place, &["query", same, "--run", run]).len()
}

#[test]
fn results_go_to_a_file_whole_or_not_at_all() {
    let place = rich();
    let csv = place.ok(&["query", "true", "--format", "csv"]);
    assert_eq!(place.ok(&["query", "true", "--format", "csv", "--output", "all.csv"]), "");
    assert_eq!(std::fs::read_to_string(place.path().join("all.csv")).unwrap(), csv);
    let ran = place.run(&["query", "true", "--output", "no/such/all.csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no/such/all.csv"), "{}", ran.err);
    // It fails on the way: at the trial that has failed.
    let ran = place.run(&["query", "true", "--select", "accuracy + 1.0", "--output", "all.csv"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert_eq!(std::fs::read_to_string(place.path().join("all.csv")).unwrap(), csv);
    let files = std::fs::read_dir(place.path()).unwrap();
    let left = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".part")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn equal_runs_export_the_same_bytes() {
    let place = rich();
    place.ok(&["run", "x.rhai"]);
    let export = |run: &str, format: &str| {
        let file = format!("{run}.{format}");
        place.ok(&["export", run, "--format", format, "--no-effort", "--output", &file]);
        std::fs::read(place.path().join(file)).unwrap()
    };
    for format in ["csv", "jsonl"] {
        let text = |run| String::from_utf8(export(run, format)).unwrap();
        assert_eq!(text("x-1"), text("x-2").replace("x-2", "x-1"));
    }
    let csv = place.ok(&["export", "x-1"]);
    assert_eq!(
        csv.lines().next().unwrap(),
        "run,step,phase,accuracy,area_mm2,latency_ms,reward,valid,failed,x,y,options,duration_s,\
         from_cache"
    );
    assert_eq!(csv.lines().count(), 901);
    assert!(csv.contains("too large"), "{csv}");
    assert_eq!(export("x-1", "parquet"), export("x-1", "parquet"));
}

#[test]
fn parquet_is_read_back() {
    let place = rich();
    let csv = place.ok(&["export", "x-1", "--no-effort"]);
    place.ok(&["export", "x-1", "--no-effort", "--format", "parquet", "--output", "x.parquet"]);
    let path = place.path().join("x.parquet");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let piped = place.command(&["query", "true", "--format", "parquet"]).output().unwrap();
    assert!(piped.status.success() && piped.stdout.starts_with(b"PAR1"));

    let python = |code: &str| Command::new("python3").args(["-c", code]).output();
    if !python("import duckdb").is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: no duckdb for python3");
        return;
    }
    let code = format!(
        "import duckdb\n\
         q = \"select count(*), count(reward), sum(latency_ms), min(phase) from '{}'\"\n\
         print(*duckdb.sql(q).fetchone())",
        path.display()
    );
    let said = String::from_utf8(python(&code).unwrap().stdout).unwrap();
    let mut reader = csv.lines();
    let head: Vec<&str> = reader.next().unwrap().split(',').collect();
    let place_of = |name| head.iter().position(|column| *column == name).unwrap();
    let column = |name| {
        let at = place_of(name);
        csv.lines().skip(1).filter_map(move |line| line.split(',').nth(at)?.parse::<f64>().ok())
    };
    let sum: f64 = column("latency_ms").sum();
    let expected = format!("900 {} {sum:.1} fast", column("reward").count());
    assert_eq!(said.trim(), expected);
}

/// Checks an export to Parquet against the columns, counts and sums that pandas and DuckDB read
/// (`tests/oracles/parquet.py`).
#[test]
fn parquet_is_what_pandas_and_duckdb_read() {
    let golden = include_str!("../golden/parquet.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let place = Place::with(golden["script"].as_str().unwrap());
    place.ok(&["run", "x.rhai"]);
    let export = ["export", "x-1", "--no-effort", "--format", "parquet", "--output", "x.parquet"];
    place.ok(&export);
    let file = std::fs::File::open(place.path().join("x.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let columns = golden["columns"].as_array().unwrap();
    let mut counts = vec![0; columns.len()];
    let mut sums = vec![0.0; columns.len()];
    let mut rows = 0;
    for row in reader.get_row_iter(None).unwrap() {
        rows += 1;
        let row = row.unwrap();
        assert_eq!(row.len(), columns.len());
        for (index, (name, field)) in row.get_column_iter().enumerate() {
            assert_eq!(columns[index]["name"], name.as_str());
            let kind = match field {
                Field::Null => continue,
                Field::Bool(_) => "BOOLEAN",
                Field::Long(value) => {
                    sums[index] += *value as f64;
                    "BIGINT"
                }
                Field::Double(value) => {
                    sums[index] += value;
                    "DOUBLE"
                }
                Field::Str(_) => "VARCHAR",
                other => panic!("{other:?}"),
            };
            assert_eq!(columns[index]["type"], kind, "{name}");
            counts[index] += 1;
        }
    }
    assert_eq!(golden["rows"], rows);
    for (column, (count, sum)) in columns.iter().zip(counts.into_iter().zip(sums)) {
        assert_eq!(column["count"], count, "{column}");
        let expected = column["sum"].as_f64().unwrap_or(0.0);
        assert!((sum - expected).abs() <= 1e-9 * expected.abs(), "{column}: {sum}");
    }
}

#[test]
fn another_reward_is_applied_without_evaluating() {
    let place = rich();
    // An evaluation would fail.
    let other = RICH.replace("fn evaluate(p) {", "fn evaluate(p) { throw \"evaluated\";").replace(
        "fn reward(m) { if m.latency_ms > 9.0",
        "fn reward(m) { if m.accuracy > 0.75 { throw \"no\"; } if m.latency_ms > 5.0",
    );
    place.write("other.rhai", &other);
    let ran = place.run(&["rescore", "x-1", "--script", "other.rhai", "--format", "jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let top: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(top.len() >= 10);
    let best = top.iter().find(|row| row["rank_after"] == 1).unwrap();
    // The best of all trials by the new reward, by hand.
    let all = rows(&place, &["query", "!failed", "--run", "x-1"]);
    let score = |row: &Value| {
        let (a, l) = (row["accuracy"].as_f64().unwrap(), row["latency_ms"].as_f64().unwrap());
        let first = row["step"].as_u64() < Some(600);
        match first {
            true if a > 0.75 => None,
            true if l > 5.0 => None,
            true => Some(a - 0.5 * l / 100.0),
            false => Some(-l),
        }
    };
    let most = all.iter().filter_map(score).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(best["reward_after"].as_f64().unwrap(), most);
    let fails =
        |row: &&Value| row["step"].as_u64() < Some(600) && row["accuracy"].as_f64() > Some(0.75);
    let failed = all.iter().filter(fails).count();
    assert!(ran.err.contains("no (other.rhai:"), "{}", ran.err);
    assert!(ran.err.contains(&format!(", {failed} times")), "{}", ran.err);
    assert!(ran.err.contains("Spearman's rank correlation"), "{}", ran.err);
    assert!(ran.err.contains("Kendall's tau-b"), "{}", ran.err);

    // The same reward changes nothing.
    let same = place.ok(&["rescore", "x-1"]);
    let correlation = same.lines().find(|line| line.starts_with("Spearman's")).unwrap();
    assert_eq!(correlation.split_whitespace().last(), Some("1"), "{same}");
    place.ok(&["rescore", "x-1", "--set", "weight=0.1", "--output", "top.csv", "--format", "csv"]);
    assert!(place.path().join("top.csv").is_file());
}

#[test]
fn a_metric_that_the_run_lacks_is_named() {
    let place = rich();
    place.write("other.rhai", &RICH.replace("if m.latency_ms > 9.0", "if m.power_w > 9.0"));
    let ran = place.run(&["rescore", "x-1", "--script", "other.rhai"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.starts_with("error: the reward needs the metric `power_w` (other.rhai:"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("hint: it has accuracy, area_mm2, latency_ms"), "{}", ran.err);
    let declared =
        "fn reward() { objective::weighted(#{ energy_mj: 1.0 }, #{ energy_mj: [9.0, 0.0] }) }";
    let start = RICH.find("fn reward").unwrap();
    let end = RICH.find("fn schedule").unwrap();
    place.write("declared.rhai", &format!("{}{declared}\n{}", &RICH[..start], &RICH[end..]));
    let ran = place.run(&["rescore", "x-1", "--script", "declared.rhai"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("needs the metric `energy_mj`"), "{}", ran.err);
}

#[test]
fn a_studys_name_stands_for_its_runs() {
    let place = Place::with(RICH);
    let strategies = "strategies:\n  plain: {}\n  light: { weight: 0.25 }\n";
    place.write("s.yaml", &format!("repeats: 1\nscenarios:\n  only: x.rhai\n{strategies}"));
    place.ok(&["study", "s.yaml"]);
    place.ok(&["run", "x.rhai"]);
    let agg = ["--by", "args.weight", "--agg", "count"];
    let groups = rows(&place, &[&["query", "true", "--run", "s-1"], &agg[..]].concat());
    assert_eq!(groups.len(), 2);
    assert!(groups.iter().all(|group| group["count"] == 900), "{groups:?}");
    let both =
        rows(&place, &[&["query", "true", "--run", "s-1", "--run", "x-1"], &agg[..]].concat());
    assert_eq!(both[1]["count"], 1800);
    let ran = place.run(&["query", "true", "--run", "s-9"]);
    assert_eq!(ran.code, 2);
}
