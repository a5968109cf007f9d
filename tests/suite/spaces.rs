//! Parts of spaces with named choices in scripts: ranges, conditions and forbidden combinations.

use crate::support::{Place, project};

/// An accelerator with parameters that only one of its engines has.
const SPACE: &str = r#"
fn space() {
    #{ hw: space::part()
        .choice("engine", ["systolic", "vector"])
        .int("rows", 4, 64, #{ step: 4 })
        .int("lanes", 1, 8, #{ log: true })
        .float("clock_mhz", 100, 800.0, #{ steps: 15 })
        .float("leak", 1e-4, 1e-1, #{ log: true, steps: 4 })
        .choice("dataflow", ["ws", "os"]).when(|c| c.engine == "systolic")
        .forbid("tall vector", |c| c.engine == "vector" && c.rows > limit()) }
}
fn limit() { 32 }
fn evaluate(point) {
    let hw = point.hw;
    let flow = if hw.dataflow == () { 0.0 } else { 1.0 };
    #{ accuracy: hw.rows / 64.0, latency_ms: 1e3 / hw.clock_mhz, flow: flow }
}
fn reward(m) { m.accuracy - 0.1 * m.latency_ms }
fn objectives() { ["accuracy:max", "latency_ms:min"] }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 200, controller: random() }) } }
"#;

/// Returns a script with a space whose `hw` is `part`.
fn with_part(part: &str) -> String {
    format!(
        "fn space() {{ #{{ hw: {part} }} }}\nfn evaluate(p) {{ #{{ accuracy: 0.5 }} }}\n\
         fn reward(m) {{ m.accuracy }}\n"
    )
}

/// Returns the errors of `tandem check x.rhai` for a space whose `hw` is `part`.
fn refusal(part: &str) -> String {
    let ran = Place::with(&with_part(part)).run(&["check", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    ran.err
}

/// Asserts that a part is refused with a message whose caret points to the text `caret`.
#[track_caller]
fn assert_refused(part: &str, caret: &str, message: &str) {
    let said = refusal(part);
    let expected = format!("error: {message}\n --> x.rhai:1:");
    assert!(said.starts_with(&expected), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let under = lines.iter().position(|line| line.contains('^')).unwrap();
    let column = lines[under].find('^').unwrap();
    assert!(lines[under - 1][column..].starts_with(caret), "{said}");
}

#[test]
fn a_space_is_counted_checked_and_run() {
    let place = Place::with(SPACE);
    let out = place.ok(&["check", "x.rhai", "--format", "csv"]);
    // 16 rows with 2 data flows, or 8 rows, times lanes, clocks and leaks.
    let count = (16 * 2 + 8) * 4 * 15 * 4;
    assert_eq!(count, 9_600);
    for line in [
        "part hw,\"choices: 9,600 points, 6 choices\"",
        "rule of hw,\"dataflow is decided: 7,680 points\"",
        "rule of hw,\"only `tall vector` forbids: 1,920 points\"",
        "space,\"9,600 points\"",
    ] {
        assert!(out.contains(line), "{out}");
    }
    place.ok(&["run", "x.rhai"]);
    let trials = place.trials("x-1");
    assert_eq!(trials.lines().count(), 200);
    let count = |query: &str| {
        let found = place.ok(&["query", query, "--run", "x-1", "--format", "jsonl"]);
        found.lines().count()
    };
    let vector = count(r#"point.hw.contains("engine=vector")"#);
    assert!(vector > 0);
    assert_eq!(count("flow == 0.0"), vector);
    assert_eq!(count(r#"point.hw.contains("dataflow=")"#), 200 - vector);
    assert_eq!(count(r#"point.hw.contains("engine=vector") && accuracy > 0.5"#), 0);
    // What one other option would change, the choices that go with it included.
    // The vector engine has at most 32 rows.
    let low = ["query", "accuracy <= 0.5", "--run", "x-1", "--limit", "1"];
    let low = place.ok(&[&low[..], &["--columns", "step", "--format", "csv"]].concat());
    let step = low.lines().last().unwrap();
    let others = place.ok(&["explain", "x-1", step, "--format", "csv"]);
    assert!(others.lines().any(|line| line.starts_with("hw,engine,")), "{others}");
}

#[test]
fn a_point_is_named_by_its_text() {
    let place = Place::with(SPACE);
    let text = "engine=systolic rows=16 lanes=4 clock_mhz=250 leak=0.001 dataflow=os";
    let at = |text: &str| {
        place.run(&["estimate", "x.rhai", "--at", &format!("hw={text}"), "--format", "csv"])
    };
    let ran = at(text);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(&format!("hw,{text}\n")), "{}", ran.out);
    assert!(ran.out.contains("accuracy,0.25\n"), "{}", ran.out);
    let other = at("rows=36.0 engine=vector leak=1e-3 clock_mhz=250 lanes=4");
    assert_eq!(other.code, 2);
    assert_eq!(other.err, "error: part `hw`: `tall vector` forbids engine=vector rows=36\n");
}

/// Returns the number of points of a space whose `hw` is `part`, as `tandem check` prints it.
fn points(part: &str) -> String {
    let out = Place::with(&with_part(part)).ok(&["check", "x.rhai", "--format", "csv"]);
    let line = out.lines().find(|line| line.starts_with("space,")).unwrap();
    line.trim_start_matches("space,").trim_matches('"').to_owned()
}

#[test]
fn subsets_and_orders_are_compared_with_arrays() {
    let part = |rule: &str| {
        format!(
            "space::part().subset(\"s\", [1, 2.0]).permutation(\"p\", [\"a\", \"b\"]).forbid({rule})"
        )
    };
    for (rule, count) in [
        ("|c| c.s == [1, 2]", "6 points"),
        ("|c| c.s != [2]", "2 points"),
        ("|c| c.s == []", "6 points"),
        ("|c| c.p == [\"b\", \"a\"]", "4 points"),
        ("|c| c.p != [\"b\", \"a\"] || c.s == [2, 1]", "4 points"),
    ] {
        assert_eq!(points(&part(rule)), count, "{rule}");
    }
    assert_refused(
        &part("|c| c.s == 2"),
        "==",
        "a subset or an order is compared with an array, not with 2 (int)",
    );
    let large = "space::part().subset(\"s\", [9007199254740992, 9007199254740993])\
                 .forbid(\"r\", |c| 9007199254740993 in c.s)";
    assert_eq!(points(large), "2 points");
}

#[test]
fn rules_have_names_and_leave_what_can_be_counted() {
    let two = "space::part().choice(\"a\", [1, 2]).flag(\"b\")\
               .forbid(\"rule 2\", |c| c.a == 1 && c.b).forbid(|c| c.a == 2 && c.b)";
    assert_eq!(points(two), "2 points");
    let script = "fn space() {\n let p = space::part();\n \
                  for i in 0..130 { p = p.flag(\"f\" + i); }\n \
                  for i in 0..10 { let name = \"f\" + i; p = p.forbid(\"r\" + i, |c| c[name]); }\n \
                  #{ hw: p }\n}\nfn evaluate(p) { #{ accuracy: 0.5 } }\nfn reward(m) { m.accuracy }\n";
    let out = Place::with(script).ok(&["check", "x.rhai", "--format", "csv"]);
    // 2^120.
    assert!(out.contains("1,329,227,995,784,915,872,903,807,060,280,344,576 points"), "{out}");
    let ran = Place::with(&with_part("float(-2, 3)")).run(&["estimate", "x.rhai", "--at", "hw=0"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn ranges_that_are_none() {
    for (part, caret, message) in [
        (
            r#"space::part().int("rows", 64, 4)"#,
            "int",
            "int `rows`: its lower bound 64 is not below its upper bound 4",
        ),
        (
            r#"space::part().int("rows", 4, 62, #{ step: 4 })"#,
            "int",
            "int `rows`: its steps go from 60 to 64 and miss the upper bound 62; end it at 60",
        ),
        (
            r#"space::part().int("rows", 0.5, 62)"#,
            "int",
            "int `rows` takes whole bounds, not 0.5 (float)",
        ),
        (
            r#"space::part().int("rows", 4, 64, #{ by: 4 })"#,
            "int",
            "int() has no option `by`; it takes step, log",
        ),
        (
            r#"space::part().float("x", 0.0, 1.0, #{ log: true })"#,
            "float",
            "float `x`: its lower bound is 0; a range with `log: true` starts above 0",
        ),
        (
            r#"space::part().float("x", 0.0, 1.0 / 0.0)"#,
            "float",
            "float `x`: its bounds are 0 and inf; both must be finite",
        ),
        (
            r#"space::part().float("x", 0.0, 1.0, #{ steps: 100_000 })"#,
            "float",
            "float `x`: it has 100000 values; a choice has at most 65,536: take larger steps",
        ),
        (
            r#"space::part().choice("x", [])"#,
            "choice",
            "choice `x` has no options; it needs at least one",
        ),
        (r#"space::part().choice("x", [1, "1"])"#, "choice", "choice `x` lists 1 twice"),
        ("choice([1, 1.0])", "choice", "choice() lists 1 twice"),
        (
            r#"space::part().choice("a", [1, 2]).float("a", 0, 1)"#,
            "float",
            "there are two choices `a`; every choice of a part has a name of its own",
        ),
    ] {
        assert_refused(part, caret, message);
    }
}

#[test]
fn conditions_and_rules_that_make_no_sense() {
    let part = |tail: &str| {
        let head = r#"space::part().choice("engine", ["a", "b"]).int("rows", 1, 64)"#;
        format!("{head}{tail}")
    };
    for (tail, caret, message) in [
        (
            r#".choice("x", [1, 2]).when(|c| c.engin == "a")"#,
            ".engin",
            "no choice `engin` is decided before this: conditions and rules see the choices above \
             them, which are `engine`, `rows`; is `engine` meant?",
        ),
        (
            r#".choice("x", [1, 2]).when(|c| c.later == 3).choice("later", [3, 4])"#,
            ".later",
            "no choice `later` is decided before this: conditions and rules see the choices above \
             them, which are `engine`, `rows`",
        ),
        (
            r#".choice("x", [1, 2]).when(|c| c.rows)"#,
            "when",
            "the condition of `x` gave 1 (int); it must give true or false",
        ),
        (
            r#".forbid("odd", |c| "yes")"#,
            "forbid",
            "the rule `odd` gave \"yes\" (string); it must give true or false",
        ),
        (
            ".forbid(|a, b| a == b)",
            "forbid",
            "the rule must be a function of one combination, such as |c| c.rows > 32",
        ),
        (
            ".forbid(|c| c.rows > 1).when(|c| true)",
            "when",
            "a condition follows the choice that it is about, as in `.choice(...).when(...)`",
        ),
        (
            r#".forbid("all a", |c| c.engine == "a").forbid(|c| c.rows > 99).forbid(|c| c.engine != "a")"#,
            "forbid",
            "every combination is forbidden by `all a` and `rule 3`",
        ),
        (
            r#".int("b", 1, 64).int("c", 1, 64).int("d", 1, 64)
               .forbid("even", |c| (c.rows + c.b + c.c + c.d) % 2 == 0)"#,
            "forbid",
            "the rule `even`: it depends on more than 1000000 combinations of options; let it read \
             fewer choices, or give them fewer options",
        ),
    ] {
        let said = refusal(&part(tail));
        assert!(said.starts_with(&format!("error: {message}\n --> x.rhai:")), "{said}");
        assert!(said.contains(caret), "{said}");
    }
    let said = refusal("space::part()");
    assert!(
        said.starts_with("error: part `hw` of the space has nothing to choose from\n"),
        "{said}"
    );
}

#[test]
fn lists_bounds_and_cells_that_make_no_sense() {
    for (part, caret, message) in [
        (
            r#"space::part().subset("ops", ["a", "b"], #{ least: 3 })"#,
            "subset",
            "subset `ops` of 2 items cannot have at least 3 and at most 2 of them; \
             0 <= least <= most <= 2",
        ),
        (r#"subset(["a", "a"])"#, "subset", "subset() lists a twice"),
        (
            "permutation([1])",
            "permutation",
            "permutation() has one item; there is nothing to order",
        ),
        ("subset([[1]])", "subset", "subset() takes flags, finite numbers and texts, not an array"),
        ("int(1, 8, #{ steps: 3 })", "int", "int() has no option `steps`; it takes step, log"),
        ("float(1, 0)", "float", "float(): its lower bound 1 is not below its upper bound 0"),
        (
            r#"space::part().part("array", 3)"#,
            "part(\"array\"",
            "part `array` of the space is an int, not a space",
        ),
        (
            r#"space::part().part("array", #{ rows: choice([1]), size: 3 })"#,
            "part(\"array\"",
            "part `array.size` of the space is an int, not a space",
        ),
        (
            r#"space::part().part("array", space::part())"#,
            "part(\"array\"",
            "the part `array` has nothing to choose from",
        ),
        (
            r#"space::cell(#{ vertices: 8, edges: 28, operations: ["a"] })"#,
            "cell",
            "there are 78755065 graphs of up to 8 vertices and 28 edges to look at, more than \
             2097152; allow fewer vertices or edges",
        ),
        (
            r#"space::cell(#{ vertices: 9, edges: 9, operations: ["a"] })"#,
            "cell",
            "a cell has 3 to 8 vertices, input and output among them, not 9",
        ),
        (
            r#"space::cell(#{ vertices: 5, edges: 9, operations: ["a b"] })"#,
            "cell",
            "`a b` is no name for an operation; a name has letters, digits and `_`, and is not \
             `output`",
        ),
        (
            r#"space::cell(#{ vertices: 5, operations: ["a"] })"#,
            "cell",
            "space::cell needs the option `edges`",
        ),
        (
            "mobilenet::space(#{ kernel: [3, 4] })",
            "space",
            "mobilenet::space: kernel of stage 2 is 4; it must be odd and below 64",
        ),
        (
            "mobilenet::space(#{ stages: [#{ stride: 2 }] })",
            "space",
            "a stage of mobilenet::space needs `channels`",
        ),
    ] {
        assert_refused(part, caret, message);
    }
    for (part, message) in [
        ("#{ array: 3 }", "part `hw.array` of the space is an int, not a space"),
        ("#{}", "part `hw` of the space has nothing to choose from"),
        (
            r#"#{ "two words": flag() }"#,
            "part `hw` of the space: `two words` is no name for a choice; a name has letters, digits \
             and `_`, and starts with no digit",
        ),
        (
            r#"space::part().part("cell", nasbench201::space()).forbid(|c| c.cell == 3)"#,
            "`cell` is a part of kind nasbench201; rules cannot look into it",
        ),
        (
            r#"space::part().subset("ops", ["a", "b"]).forbid(|c| "z" in c.ops)"#,
            "there is no item `z`; the items are `a`, `b`",
        ),
        (
            r#"space::part().permutation("ops", ["a", "b"]).forbid(|c| c.ops[2] == "a")"#,
            "there is no place 2; places go from 0 to 1",
        ),
    ] {
        let said = refusal(part);
        assert!(said.starts_with(&format!("error: {message}\n")), "{said}");
    }
}

/// A script with parts of every kind, some of them with conditions.
const EVERYTHING: &str = r#"
fn args() { #{ controller: "random" } }
fn space() {
    let array = space::part()
        .int("rows", 1, 4)
        .flag("buffered").when(|c| c.rows > 2)
        .forbid("odd", |c| c.rows == 3 && !c.buffered);
    #{
        a: #{
            depth: int(1, 8),
            lr: float(1e-4, 1e-1, #{ log: true, steps: 7 }),
            ops: subset(["conv", "max pool", "none", 3], #{ least: 1, most: 2 }),
        },
        b: space::part()
            .choice("engine", ["systolic", "vector"])
            .part("array", array).when(|c| c.engine == "systolic")
            .permutation("loops", ["r", "c,k", "n"])
            .subset("formats", ["int8", "int4", "fp16"], #{ most: 2 }).when(|c| c.loops[0] == "r")
            .part("cell", nasbench201::space()).when(|c| c.engine == "vector")
            .forbid("two", |c| c.array.rows == 1 && c.formats.len() == 2)
            .forbid("last", |c| c.loops.index_of("n") == 2 && "fp16" in c.formats),
        cnn: space::cell(#{ vertices: 5, edges: 6, operations: ["conv3x3", "conv1x1", "maxpool"] }),
        net: mobilenet::space(#{ width: 1.0, kernel: 3, expansion: [3, 6], depth: [1, 2],
            stages: [#{ channels: 8 }, #{ channels: 16, stride: 2 }] }),
        order: permutation([1, 2, 3]),
        pool: flag(),
        some: subset(["x", "y+z"]),
    }
}
fn evaluate(p) {
    let b = p.b;
    if b.engine == "vector" && b.array != () { throw "an array without an engine"; }
    if b.engine == "systolic" && b.array.rows == 3 && !b.array.buffered { throw "odd"; }
    if (b.formats != ()) != (b.loops[0] == "r") { throw "formats"; }
    if p.a.ops.len() < 1 || p.a.ops.len() > 2 || p.order.len() != 3 { throw "a list"; }
    if (b.cell == ()) != (b.engine == "systolic") { throw "a cell"; }
    let cost = p.cnn.edges.len() * 1.0;
    for v in 1..p.cnn.vertices { cost += p.cnn.inputs(v).len(); }
    let net = mobilenet::network(p.net, #{ classes: 10, image_size: 16 });
    let gain = p.a.depth + if p.pool { 1.0 } else { 0.0 } + p.some.len() + p.cnn.operations.len();
    #{ gain: gain, cost: cost + net.macs / 1e6 }
}
fn objectives() { ["gain:max", "cost:min"] }
fn reward(m) { m.gain - 0.1 * m.cost }
fn schedule(run) {
    let controller = switch args::controller {
        "random" => random(),
        "reinforce" => reinforce(#{ batch: 10, hidden: 8 }),
        "evolution" => evolution(#{ population: 20, sample: 5 }),
        "local" => local(),
        "nsga2" => nsga2(#{ population: 20 }),
        _ => guided(#{ initial: 20, batch: 10, candidates: 50 }),
    };
    if run.phases == 0 { phase("all", #{ steps: 60, controller: controller }) }
}
"#;

#[test]
fn every_controller_searches_everything() {
    let place = Place::with(EVERYTHING);
    for (number, controller) in
        ["random", "reinforce", "evolution", "local", "nsga2", "guided"].into_iter().enumerate()
    {
        place.ok(&["run", "x.rhai", "--set", &format!("controller={controller}")]);
        let trials = place.trials(&format!("x-{}", number + 1));
        assert_eq!(trials.lines().count(), 60, "{controller}");
        let failed = place.ok(&["query", "failed", "--run", &format!("x-{}", number + 1)]);
        assert!(!failed.contains("formats") && !failed.contains("odd"), "{failed}");
        let valid = |trial: &&str| trial.contains("\"valid\":true");
        let valid = trials.lines().filter(valid).count();
        assert!(valid >= 20, "{controller} had {valid} valid trials");
    }
    let columns = "point.a,point.b,point.cnn,point.net,point.order,point.pool,point.some";
    let shown = place.ok(&[
        "query",
        "valid",
        "--run",
        "x-1",
        "--columns",
        columns,
        "--format",
        "jsonl",
        "--limit",
        "4",
    ]);
    for line in shown.lines() {
        let point: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let parts = columns.split(',').map(|column| {
            let name = column.trim_start_matches("point.");
            format!("{name}={}", point[column].as_str().unwrap())
        });
        let parts: Vec<String> = parts.collect();
        let at: Vec<&str> = parts.iter().flat_map(|part| ["--at", part.as_str()]).collect();
        let estimate = [&["estimate", "x.rhai", "--format", "jsonl"][..], &at].concat();
        let out = place.ok(&estimate);
        for part in &parts {
            let (name, text) = part.split_once('=').unwrap();
            assert!(
                out.contains(name) && out.contains(&serde_json::json!(text).to_string()),
                "{out}"
            );
        }
    }
}

#[test]
fn depthwise_convolutions_are_refused_by_an_accelerator_without() {
    let place = Place::with(
        r#"
fn space() { #{ cnn: mobilenet::space(), hw: chaidnn::space() } }
fn evaluate(p) { #{ latency_ms: chaidnn::estimate(mobilenet::network(p.cnn), p.hw).latency_ms } }
fn reward(m) { -m.latency_ms }
"#,
    );
    let ran = place.run(&["check", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let expected = "layer `s1b1.depthwise` cannot run on chaidnn: it has more than two groups";
    assert!(ran.err.contains(expected), "{}", ran.err);
}

/// Checks the scripts of the documentation of spaces.
#[test]
fn the_documentations_scripts_are_checked() {
    let text = std::fs::read_to_string(project().join("docs/spaces.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```rhai\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 7);
    for block in blocks {
        let place = Place::with(block);
        let out = place.ok(&["check", "x.rhai"]);
        assert!(out.contains("is ready to run"), "{out}");
        if block.contains("space::cell") {
            assert!(out.contains("965 points"), "{out}");
        }
    }
}
