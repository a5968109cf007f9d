//! Parts of named choices: ranges, conditions and forbidden combinations, as scripts declare them.

use crate::support::Place;

/// An accelerator of which some parameters exist for one engine only.
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

/// What `tandem check x.rhai` says of a space whose `hw` is `part`, after its first line.
fn refusal(part: &str) -> String {
    let script = format!(
        "fn space() {{ #{{ hw: {part} }} }}\nfn evaluate(p) {{ #{{ accuracy: 0.5 }} }}\n\
         fn reward(m) {{ m.accuracy }}\n"
    );
    let ran = Place::with(&script).run(&["check", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    ran.err
}

/// A refusal that points below `caret` in the line of the part.
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
    let others = place.ok(&["explain", "x-1", "0", "--format", "csv"]);
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

#[test]
fn ranges_that_are_none() {
    for (part, caret, message) in [
        (
            r#"space::part().int("rows", 64, 4)"#,
            "integer",
            "integer `rows`: its lower bound 64 is not below its upper bound 4",
        ),
        (
            r#"space::part().int("rows", 4, 62, #{ step: 4 })"#,
            "integer",
            "integer `rows`: its steps go from 60 to 64 and miss the upper bound 62; end it at 60",
        ),
        (
            r#"space::part().int("rows", 0.5, 62)"#,
            "integer",
            "integer `rows` takes whole bounds, not 0.5 (f64)",
        ),
        (
            r#"space::part().int("rows", 4, 64, #{ by: 4 })"#,
            "integer",
            "integer() has no option `by`; it takes step, log",
        ),
        (
            r#"space::part().float("x", 0.0, 1.0, #{ log: true })"#,
            "real",
            "real `x`: its lower bound is 0; a range with `log: true` starts above 0",
        ),
        (
            r#"space::part().float("x", 0.0, 1.0 / 0.0)"#,
            "real",
            "real `x`: its bounds are 0 and inf; both must be finite",
        ),
        (
            r#"space::part().float("x", 0.0, 1.0, #{ steps: 100_000 })"#,
            "real",
            "real `x`: it has 100000 values; a choice has at most 65,536: take larger steps",
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
            "real",
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
            "the condition of `x` gave 1 (i64); it must give true or false",
        ),
        (
            r#".forbid("odd", |c| "yes")"#,
            "forbid",
            "the rule `odd` gave yes (string); it must give true or false",
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
            r#".int("b", 1, 64).integer("c", 1, 64).integer("d", 1, 64)
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
