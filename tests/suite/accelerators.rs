//! Networks built in scripts, accelerators that scripts define, and measured devices.

use std::collections::BTreeMap;

use crate::data_folder::data_dir;
use crate::support::{Place, project};

const SCHEDULE: &str = r#"
fn reward(m) { -m.latency_ms }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 40, controller: random() }) } }
"#;

/// A custom network on a custom accelerator, with a sweep over all points.
const OWN: &str = r#"
fn npu() {
    accelerator::define("npu", #{
        space: || space::part().choice("lanes", [4, 8, 16]).choice("wide", [false, true])
            .forbid("wide 16", |c| c.lanes == 16 && c.wide),
        estimate: |net, hw| {
            if hw.lanes == 4 && hw.wide { throw "four lanes cannot be wide"; }
            let layers = net.layers.filter(|l| l.kind != "input").map(|l| #{
                name: l.name,
                latency_ms: (l.macs + 1) / (hw.lanes * 1e3),
                bound: if l.kind == "conv" { "multipliers" } else { "memory" },
                energy_mj: l.values / 1e3,
            });
            #{
                latency_ms: layers.reduce(|sum, l| sum + l.latency_ms, 0.0),
                area_mm2: hw.lanes * if hw.wide { 2 } else { 1 },
                layers: layers,
                parts: [#{ name: "lanes", area_mm2: hw.lanes }],
            }
        },
    })
}
fn build(depth, width) {
    let net = network::builder(#{ channels: 3, height: 16, width: 16 });
    let x = net.conv(net.input(), #{ channels: width, kernel: 3, name: "stem" });
    for block in 0..depth {
        let a = net.conv(x, #{ channels: width, kernel: 3, groups: width });
        let b = net.max_pool(x, #{ kernel: 3, padding: "same" });
        x = net.truncate(net.concat([net.add([a, b]), x]), #{ channels: width });
    }
    let y = net.batch_norm_relu(net.avg_pool(x, #{ kernel: 2, stride: 2 }));
    net.finish(net.linear(net.global_avg_pool(y), #{ features: 10, name: "classifier" }))
}
fn space() {
    #{ cnn: space::part().choice("depth", [1, 2]).choice("width", [4, 8]), hw: accelerator::space(npu()) }
}
fn objectives() { ["width:max", "latency_ms:min", "area_mm2:min"] }
fn evaluate(p) {
    let m = accelerator::estimate(npu(), build(p.cnn.depth, p.cnn.width), p.hw);
    m.width = p.cnn.width;
    m
}
fn fast() { objective::weighted(#{ width: 1.0 }, #{ width: [0.0, 8.0] }).subject_to("latency_ms <= 20") }
fn sweep() { #{ objectives: #{ fast: fast() }, top: 3 } }
"#;

fn own() -> String {
    format!("{OWN}{SCHEDULE}")
}

/// Parses the rows of a table in JSON lines.
fn rows(lines: &str) -> Vec<BTreeMap<String, serde_json::Value>> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_accelerator_of_a_script_runs_sweeps_and_explains() {
    let place = Place::with(&own());
    let out = place.ok(&["run", "x.rhai", "--steps", "30"]);
    assert!(out.contains("modelled  costs: accelerator `npu` of the script"), "{out}");
    let shown = place.ok(&["estimate", "x.rhai", "--at", "cnn=depth=1 width=4", "--network"]);
    for part in
        ["stem ", "classifier ", "conv 3x3 (4 groups) + bn + relu", "truncate", "concatenate"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let out = place.ok(&["sweep", "x.rhai", "--set", "threads=1"]);
    // 4 networks on 5 configurations, of which each network fails on one.
    assert!(out.contains("\n20 points\n"), "{out}");
    assert!(out.contains("4 pairs cannot run, the first "), "{out}");
    assert!(out.contains("four lanes cannot be wide"), "{out}");
    assert!(out.contains("modelled  costs: accelerator `npu` of the script"), "{out}");
    let swept = place.trials("x-2");
    place.ok(&["sweep", "x.rhai", "--set", "threads=3"]);
    assert_eq!(place.trials("x-3"), swept);

    // Against brute force over the run's own metrics.
    let all: Vec<[f64; 3]> = {
        let every = "fn schedule(run) { if run.phases == 0 { phase(\"all\", #{ steps: 400, controller: \
                     random() }) } }";
        let first = SCHEDULE.lines().nth(1).unwrap();
        place.write("all.rhai", &format!("{OWN}{first}\n{every}\n"));
        place.ok(&["run", "all.rhai"]);
        let trials = rows(&place.ok(&["query", "valid", "--run", "all-1", "--format", "jsonl"]));
        let costs = |row: &BTreeMap<String, serde_json::Value>| {
            ["width", "latency_ms", "area_mm2"].map(|name| row[name].as_f64().unwrap())
        };
        let mut all: Vec<[f64; 3]> = trials.iter().map(costs).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.dedup();
        all
    };
    assert_eq!(all.len(), 16);
    let better =
        |a: &[f64; 3], b: &[f64; 3]| a != b && a[0] >= b[0] && a[1] <= b[1] && a[2] <= b[2];
    let frontier: Vec<&[f64; 3]> =
        all.iter().filter(|point| !all.iter().any(|other| better(other, point))).collect();
    let found =
        rows(&place.ok(&["query", "phase == \"frontier\"", "--run", "x-2", "--format", "jsonl"]));
    assert_eq!(found.len(), frontier.len());
    for point in frontier {
        let same = |row: &&BTreeMap<String, serde_json::Value>| {
            row["latency_ms"].as_f64() == Some(point[1])
                && row["area_mm2"].as_f64() == Some(point[2])
        };
        assert_eq!(found.iter().filter(same).count(), 1, "{point:?}");
    }
    let best =
        rows(&place.ok(&["query", "phase == \"fast\"", "--run", "x-2", "--format", "jsonl"]));
    assert!(!best.is_empty() && best.len() <= 3);
    assert!(best.iter().all(|row| row["latency_ms"].as_f64().unwrap() <= 20.0));

    let narrow = r#"phase == "frontier" && point.hw.contains("lanes=4 ")"#;
    let narrow = rows(&place.ok(&["query", narrow, "--run", "x-2", "--format", "jsonl"]));
    let explained = place.ok(&["explain", "x-2", &narrow[0]["step"].to_string()]);
    for part in [
        "What the time is spent on, in % of the latency",
        "multipliers",
        "energy_mj",
        "classifier",
        "Parts of the accelerator",
        "area_mm2 change",
        "four lanes cannot be wide",
        "verdict",
    ] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
}

#[test]
fn the_npu_that_is_shipped_runs_and_explains() {
    let place = Place::new();
    let npu = project().join("experiments/devices/npu.rhai").display().to_string();
    place.ok(&["check", &npu, "--strict"]);
    place.ok(&["run", &npu, "--steps", "20"]);
    let explained = place.ok(&["explain", "npu-1", "0"]);
    for part in ["bound by", "memory channels", "longest of", "multipliers"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
}

#[test]
fn networks_of_scripts_go_where_others_go() {
    let script = r#"
fn space() { #{ width: choice([16, 32]), hw: chaidnn::space() } }
fn evaluate(p) {
    let net = network::builder([3, 32, 32]);
    let x = net.conv(net.input(), #{ channels: p.width, kernel: 3 });
    let y = net.add([net.conv(x, #{ channels: p.width, kernel: 3 }), x]);
    let net = net.finish(net.linear(net.global_avg_pool(y), #{ features: 4 }));
    let cost = accelerator::estimate(chaidnn::accelerator(), net, p.hw);
    if cost.latency_ms != chaidnn::estimate(net, p.hw).latency_ms { throw "they differ"; }
    #{ latency_ms: cost.latency_ms, parameters: net.parameters }
}
"#;
    let place = Place::with(&format!("{script}{SCHEDULE}"));
    let ran = place.ok(&["run", "x.rhai"]);
    assert!(ran.contains("40 trials (40 valid, 0 failed)"), "{ran}");
    let shown = place.ok(&["estimate", "x.rhai", "--at", "width=16"]);
    // 3x3 convolutions of 3 and 16 channels to 16 with batch normalization, and a classifier.
    let parameters = 9 * 3 * 16 + 32 + 9 * 16 * 16 + 32 + 17 * 4;
    let line = shown.lines().find(|line| line.starts_with("parameters ")).unwrap_or_default();
    assert!(line.ends_with(&format!(" {parameters}")), "{shown}");
    assert!(shown.contains("add3") && shown.contains("bound by"), "{shown}");

    let training = r#"
fn space() { #{ width: choice([4]) } }
fn evaluate(p) {
    let net = network::builder([3, 16, 16]);
    let x = net.conv(net.input(), #{ channels: p.width, kernel: 3, stride: 2 });
    let net = net.finish(net.linear(net.global_avg_pool(x), #{ features: 10 }));
    let trained = train::fit(net, #{ data: "procedural", epochs: 1, images: 64, batch: 32 });
    #{ accuracy: trained.accuracy, latency_ms: 1.0 }
}
"#;
    let place = Place::with(&format!("{training}{SCHEDULE}"));
    let ran = place.ok(&["run", "x.rhai", "--steps", "1"]);
    assert!(ran.contains("1 trials (1 valid, 0 failed)"), "{ran}");
}

/// Returns the error message of a script's evaluation, and the place in the source that it names.
fn refusal(body: &str) -> (String, String) {
    let script = format!("fn space() {{ #{{ x: choice([1]) }} }}\nfn evaluate(p) {{\n{body}\n}}\n");
    let place = Place::with(&format!("{script}{SCHEDULE}"));
    let ran = place.run(&["check", "x.rhai"]);
    assert_eq!(ran.code, 3, "{body}: {}{}", ran.out, ran.err);
    let place_of_it =
        ran.err.lines().find_map(|line| line.trim_start().strip_prefix("--> ")).unwrap_or_default();
    (
        ran.err.lines().next().unwrap().trim_start_matches("error: ").to_owned(),
        place_of_it.to_owned(),
    )
}

#[test]
fn wrong_networks_are_shown_where_they_are_built() {
    let start = "let net = network::builder([3, 8, 8]); let x = net.input();";
    for (body, message) in [
        (
            "net.add([x, net.conv(x, #{ channels: 4, kernel: 3 })]);",
            "layer `add2`: shapes 3x8x8 and 4x8x8 do not fit; a sum takes equal shapes",
        ),
        (
            "net.conv(x, #{ channels: 4, kernel: 3, groups: 2, name: \"a\" });",
            "layer `a` (conv 3x3 (2 groups) + bn + relu) cannot be applied to 3x8x8: the groups do not \
             divide the channels",
        ),
        ("net.conv(x, #{ channels: 4 });", "conv needs the option `kernel`"),
        (
            "net.conv(x, #{ channels: 4, kernel: 2 });",
            "option `padding` of conv is \"same\" (string); it takes a number where the kernel is even, as 2 is",
        ),
        (
            "net.conv(x, #{ channels: 4, kernel: 3, relu: \"no\" });",
            "option `relu` of conv is \"no\" (string); it takes \"after\", \"before\" or \"none\"",
        ),
        (
            "net.conv(x, #{ channels: 4, kernel: 3, activation: \"swish\" });",
            "option `activation` of conv is \"swish\" (string); it takes \"none\", \"relu\", \"relu6\", \
             \"hard_swish\", \"silu\" or \"gelu\"",
        ),
        (
            "net.conv(x, #{ channels: 4, kernel: 3, activation_order: \"none\" });",
            "option `activation_order` of conv is \"none\" (string); it takes \"after\" or \"before\"",
        ),
        (
            "net.conv(x, #{ channels: 4, kernel: 3, activation: \"relu6\", relu: \"before\" });",
            "conv takes `relu` or `activation` with `activation_order`, not both",
        ),
        (
            "net.batch_norm(x, #{ activation: 6 });",
            "option `activation` of batch_norm is 6 (int); it takes \"none\", \"relu\", \"relu6\", \
             \"hard_swish\", \"silu\" or \"gelu\"",
        ),
        (
            "train::plan(net.finish(net.conv(x, #{ channels: 10, kernel: 8, padding: 0, activation: \
             \"gelu\", name: \"a\" })), #{ data: \"procedural\" });",
            "the network cannot be trained: the activation of layer `a` is gelu; training knows none and relu",
        ),
        (
            "net.max_pool(x, #{ kernel: 9 });",
            "layer `max_pool1` (max pool 9x9 /1) cannot be applied to 3x8x8: the window is larger than \
             the padded input",
        ),
        ("net.linear(x, #{ units: 3 });", "linear needs the option `features`"),
        ("net.add([x]);", "layer `add1` (add) has 1 inputs; it takes two or more"),
        ("net.add([x, 3]);", "add takes tensors, not 3 (int)"),
        ("net.zero(x, #{ name: \"input\" });", "layer `input` is named twice"),
        (
            "let dead = net.zero(x); net.finish(net.global_avg_pool(x));",
            "layer `zero1` leads nowhere: the network ends at `global_avg_pool2`, which does not use it",
        ),
        (
            "network::builder([3, 8, 8]).zero(x);",
            "the input is a layer of another network than the one it is added to",
        ),
        (
            "net.conv(x, #{ channels: 1_000_000, kernel: 1_000_001 });",
            "option `kernel` of conv is 1000001 (int); it takes at most a million",
        ),
        (
            "net.linear(net.conv(x, #{ channels: 1_000_000, kernel: 1 }), #{ features: 1_000_000 });",
            "layer `linear2` (linear) cannot be applied to 1000000x8x8: it has more than 2^40 values or \
             weights, or 2^48 multiply-accumulates",
        ),
        ("for i in 0..10_001 { net.zero(x); }", "the network has 10000 layers, the most"),
        (
            "network::builder([3, 8]);",
            "network::builder takes [channels, height, width] or a map of these, not an array",
        ),
    ] {
        let (found, at) = refusal(&format!("{start}\n    {body}\n    #{{ latency_ms: 1.0 }}"));
        assert_eq!(found, message, "{body}");
        assert!(at.starts_with("x.rhai:4:"), "{body}: {at}");
    }
}

#[test]
fn wrong_accelerators_say_what_is_wrong() {
    let define = |estimate: &str| {
        format!(
            "let a = accelerator::define(\"npu\", #{{ space: choice([1]), estimate: {estimate} }});\n    \
             accelerator::estimate(a, 1, 2)"
        )
    };
    let gives = |map: &str| define(&format!("|net, hw| {map}"));
    for (body, message) in [
        (gives("3"), "the estimate of accelerator `npu` is an int, not a map of metrics"),
        (
            gives("#{}"),
            "the estimate of accelerator `npu` has no metrics; it gives for example #{ latency_ms: 1.0 }",
        ),
        (
            gives("#{ latency: 1.0 }"),
            "the estimate of accelerator `npu` is wrong: metric `latency` is to be given in ms, as \
             `latency_ms`",
        ),
        (
            gives("#{ latency_ms: 1.0 / 0.0 }"),
            "the estimate of accelerator `npu` has latency_ms = inf (float); a metric is a finite number",
        ),
        (
            gives("#{ latency_ms: \"fast\" }"),
            "the estimate of accelerator `npu` has latency_ms = fast (string); a metric is a finite number",
        ),
        (
            gives("#{ accuracy: 0.5 }"),
            "the estimate of accelerator `npu` is wrong: `accuracy` is of the network; an accelerator \
             gives what running it costs",
        ),
        (
            define("|net| #{ latency_ms: 1.0 }"),
            "`estimate` of accelerator `npu` must be a function of a network and a configuration, such as \
             |net, config| #{ latency_ms: 1.0 }",
        ),
        (
            define("3"),
            "option `estimate` of accelerator::define is 3 (int); it takes a function of a network and a \
             configuration, such as |net, config| #{ latency_ms: 1.0 }",
        ),
        (
            "accelerator::define(\"npu\", #{ estimate: |net, hw| #{} })".to_owned(),
            "accelerator::define needs the option `space`",
        ),
        (
            "accelerator::define(\"npu\", #{ space: 3, estimate: |net, hw| #{} })".to_owned(),
            "option `space` of accelerator::define is 3 (int); it takes a part of a space, such as \
             space::part().choice(\"lanes\", [8, 16])",
        ),
        (
            "accelerator::estimate(chaidnn::accelerator(), 1, 2)".to_owned(),
            "chaidnn estimates a network, and was given 1 (int)",
        ),
        (
            "accelerator::table(\"../secret\")".to_owned(),
            "`../secret` is no name of a table: it takes a-z, 0-9, _ and -",
        ),
        (
            "accelerator::table(\"mine\")".to_owned(),
            "the table `mine` is not in data; `tandem data import table FILE.csv --name mine --key COLUMN` \
             brings it there",
        ),
    ] {
        let (found, at) = refusal(&format!("    {body}"));
        assert_eq!(found, message, "{body}");
        assert!(at.starts_with("x.rhai:"), "{body}: {at}");
    }
    // What is wrong with the layers is only seen by who looks at them.
    let place = Place::with(&own().replace("bound: if", "bound: 1, kind: if"));
    let ran = place.run(&["estimate", "x.rhai", "--at", "hw=lanes=8 wide=no"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    let message = "error: the estimate of accelerator `npu` is wrong at layers[0]: it has `bound` that is \
                   an int, not a text\n";
    assert_eq!(ran.err, message);
    // A sweep asks for what it needs.
    let swept = |from: &str, to: &str| {
        let script = own();
        assert!(script.contains(from));
        let ran = Place::with(&script.replace(from, to)).run(&["sweep", "x.rhai"]);
        assert_eq!(ran.code, 3, "{}", ran.err);
        ran.err.lines().next().unwrap().to_owned()
    };
    assert_eq!(
        swept("fn objectives()", "fn wanted()"),
        "error: a sweep of this accelerator needs objectives()"
    );
    let all_fail = swept("if hw.lanes == 4 && hw.wide {", "if true {");
    assert!(all_fail.starts_with("error: each of the first 20 pairs fails, depth="), "{all_fail}");
    let networks = "#{ networks: nasbench201::networks(), accuracy: accuracy::nasbench201(\"cifar10\"), \
                    accelerator: npu(), objectives";
    assert_eq!(
        swept("fn sweep() { #{ objectives", &format!("fn sweep() {{ {networks}")),
        "error: the space is not the product that sweep() describes, a part of nasbench201 and one of npu: \
         it has `cnn` (choices), `hw` (choices)"
    );
}

/// A table of measured devices, with missing energies.
const PHONES: &str = "\
net,t_px3,old.energy_mj,note
|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|,1.5,3,x
|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|,0.25,,y
";

#[test]
fn tables_are_imported_listed_verified_and_noticed_when_they_change() {
    let script = r#"
fn phones() { accelerator::table("phones") }
fn space() { #{ net: choice(["|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"]), device: accelerator::space(phones()) } }
fn evaluate(p) {
    let m = accelerator::estimate(phones(), nasbench201::cell(p.net), p.device);
    if !("latency_ms" in m) { m.latency_ms = 9.0; }
    m
}
"#;
    let place = Place::with(&format!("{script}{SCHEDULE}"));
    place.write("phones.csv", PHONES);
    let import = [
        "data",
        "import",
        "table",
        "phones.csv",
        "--name",
        "phones",
        "--key",
        "net",
        "--column",
        "new.latency_ms=t_px3",
        "--column",
        "old.energy_mj=old.energy_mj",
    ];
    let missing = place.run(&["run", "x.rhai"]);
    assert_eq!(missing.code, 3);
    assert!(missing.err.contains("the table `phones` is not in data"), "{}", missing.err);
    let ran = place.run(&import);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (0, "2 networks with 2 measurements each imported into data/tables/phones.table\n",)
    );
    let line = |command: &str| {
        let out = place.ok(&["data", command, "--format", "csv"]);
        out.lines().find(|line| line.starts_with("phones,")).map(str::to_owned)
    };
    assert_eq!(line("list").unwrap(), "phones,2,,,data");
    assert_eq!(line("verify").unwrap(), "phones,2,,,ok");
    assert_eq!(place.run(&["data", "import", "nasbench101", "x", "--key", "y"]).code, 2);
    assert_eq!(place.run(&["data", "import", "table", "phones.csv"]).code, 2);

    let out = place.ok(&["run", "x.rhai", "--steps", "20"]);
    assert!(out.contains("measured  energy_mj, latency_ms: imported table phones"), "{out}");
    let trials = rows(&place.trials("x-1"));
    let failed: Vec<_> = trials.iter().filter(|row| !row["failed"].is_null()).collect();
    assert!(!failed.is_empty() && failed.len() < trials.len());
    for row in failed {
        let text = row["failed"].as_str().unwrap();
        assert!(text.starts_with("the table `phones` has no measurement of `|none~0|"), "{text}");
    }

    // The same table with other numbers is another one.
    place.write("phones.csv", &PHONES.replace("1.5", "1.75"));
    assert_eq!(place.run(&import).code, 0);
    let ran = place.run(&["resume", "x-1"]);
    assert_ne!(ran.code, 0, "{}", ran.out);
    let file = place.path().join("data/tables/phones.table");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let verified = place.run(&["data", "verify", "phones"]);
    assert_eq!(verified.code, 1);
    assert!(verified.out.contains("its hash does not hold; import it anew"), "{}", verified.out);
}

#[test]
fn the_six_devices_run_sweep_and_explain() {
    let Some(data) = data_dir() else { return };
    let place = Place::new();
    let file = data.join("nasbench201/nb201.csv.zst").display().to_string();
    let ran = place.run(&["data", "import", "hw_nas_bench", &file]);
    assert!(
        ran.err.starts_with("15,625 networks with 27 measurements each imported into "),
        "{}",
        ran.err
    );
    let experiment = project().join("experiments/devices/hw_nas_bench.rhai").display().to_string();
    place.ok(&["check", &experiment, "--strict"]);
    let out = place.ok(&["run", &experiment, "--steps", "200"]);
    assert!(out.contains("measured  energy_mj, latency_ms: imported table hw_nas_bench"), "{out}");
    assert!(out.contains("measured  accuracy: NAS-Bench-201"), "{out}");

    let out = place.ok(&["sweep", &experiment]);
    for line in [
        "93,750 pairs: 15,625 networks x 6 accelerators\n",
        "4699 pairs cannot run, the first ",
        "has no measurement of",
        "Frontier (accuracy:max, latency_ms:min): ",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    // Against brute force over the file.
    let bytes = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let heads = reader.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let devices = ["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"];
    let columns = devices.map(|device| column(&format!("c10_{device}_latency")));
    let mut least = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let latencies = columns.iter().map(|&at| row[at].parse::<f64>().unwrap());
        let latency = latencies.filter(|&latency| latency >= 0.0).fold(f64::INFINITY, f64::min);
        least.insert(row[column("arch")].to_owned(), latency);
    }
    let rows = rows(&place.ok(&[
        "query",
        "phase == \"frontier\"",
        "--run",
        "hw_nas_bench-2",
        "--format",
        "jsonl",
    ]));
    assert!(rows.len() > 10);
    let number =
        |row: &BTreeMap<String, serde_json::Value>, name: &str| row[name].as_f64().unwrap();
    for (row, next) in rows.iter().zip(rows.iter().skip(1)) {
        assert!(number(row, "accuracy") > number(next, "accuracy"));
        assert!(number(row, "latency_ms") > number(next, "latency_ms"));
    }
    for row in &rows {
        assert_eq!(number(row, "latency_ms"), least[row["cnn"].as_str().unwrap()]);
    }
    let fastest = least.values().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(number(&rows[rows.len() - 1], "latency_ms"), fastest);
    let explained = place.ok(&["explain", "hw_nas_bench-2", "0"]);
    for part in ["it was measured as a whole", "raspi4", "latency_ms change", "verdict"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
}
