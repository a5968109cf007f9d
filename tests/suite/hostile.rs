//! Hostile scripts: each ends with a clear error within bounded time and memory, and leaves the store intact.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Place, Ran};

/// The maximum time of a command with a hostile script, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings with low limits.
const TIGHT: [&str; 4] =
    ["threads=2", "limits.operations=50000", "limits.seconds=2", "limits.memory_mb=64"];

/// The maximum memory of the process in MB: twice a script's limit on each of two threads, and the program's.
const MAX_MB: u64 = 350;

/// The functions of a harmless script.
const HARMLESS: [(&str, &str); 5] = [
    ("space()", "#{ x: choice([1, 2, 3]) }"),
    ("evaluate(p)", "#{ accuracy: p.x / 4.0 }"),
    ("reward(m)", "m.accuracy"),
    ("objectives()", "[\"accuracy:max\"]"),
    (
        "schedule(run)",
        "if run.phases == 0 { phase(\"all\", #{ steps: 40, controller: random() }) }",
    ),
];

/// Returns the harmless script with other bodies of some functions, after the text `before`.
fn script(before: &str, bodies: &[(&str, &str)]) -> String {
    let mut text = format!("{before}\n");
    let own = HARMLESS.iter().filter(|(name, _)| bodies.iter().all(|(other, _)| other != name));
    for (name, body) in own.chain(bodies) {
        writeln!(text, "fn {name} {{ {body} }}").unwrap();
    }
    text
}

/// Runs a command with low limits; returns its output, its time, and its peak memory in MB.
fn watched(place: &Place, arguments: &[&str]) -> (Ran, Duration, u64) {
    let mut command = place.command(arguments);
    for set in TIGHT {
        command.args(["--set", set]);
    }
    let started = Instant::now();
    let (out, err) = (place.path().join("out"), place.path().join("err"));
    let file = |path: &std::path::Path| Stdio::from(fs::File::create(path).unwrap());
    let mut child = command.stdout(file(&out)).stderr(file(&err)).spawn().unwrap();
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = most.max(peak_mb(child.id()));
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{arguments:?} goes on for {:?}", started.elapsed());
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let text =
        |path: &std::path::Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let ran = Ran { code: status.code().unwrap_or(-1), out: text(&out), err: text(&err) };
    (ran, started.elapsed(), most)
}

/// Returns the peak memory of a process in MB, or 0 if it is not known.
fn peak_mb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Checks that a command fails with a message that contains `says`, within its memory and without internals.
fn refused(place: &Place, arguments: &[&str], name: &str, says: &str) {
    let (ran, _, most) = watched(place, arguments);
    assert_eq!(ran.code, 3, "{name}: {}", ran.err);
    assert!(ran.err.contains(says), "{name}: {}", ran.err);
    for internal in ["panicked", "RUST_BACKTRACE", "a bug of tandem"] {
        assert!(!ran.err.contains(internal), "{name}: {}", ran.err);
    }
    assert!(ran.err.len() < 20_000, "{name}: {} bytes of messages", ran.err.len());
    assert!(most < MAX_MB, "{name}: {most} MB");
    if place.path().join(".tandem").exists() {
        place.ok(&["store", "verify"]);
    }
}

fn run_all(cases: &[(&str, String, &str)]) {
    for (name, script, says) in cases {
        refused(&Place::with(script), &["run", "x.rhai"], name, says);
    }
}

const LOOP: &str = "the script runs too long: it reached the limit of 50000 operations";

#[test]
fn loops_without_end_are_stopped_wherever_they_are() {
    let body = |function: &str| script("", &[(function, "loop { }")]);
    let mut cases = vec![
        ("around the functions", script("loop { }", &[]), LOOP),
        (
            "in a long sum",
            script("", &[("reward(m)", "let n = 0; while n >= 0 { n += 1; } n")]),
            LOOP,
        ),
        (
            "over a range",
            script("", &[("reward(m)", "for i in 0..9223372036854775807 { let x = i; } 1")]),
            LOOP,
        ),
        (
            "over tiny steps",
            script("", &[("reward(m)", "for x in range(0.0, 1.0, 1e-300) { let y = x; } 1")]),
            LOOP,
        ),
        ("within try", script("", &[("reward(m)", "loop { try { loop { } } catch { } }")]), LOOP),
        (
            "within try of a function",
            script("fn f() { loop { } }", &[("reward(m)", "loop { try { f() } catch (e) { } }")]),
            LOOP,
        ),
    ];
    for function in [
        "args()",
        "space()",
        "objectives()",
        "thresholds()",
        "evaluate(p)",
        "reward(m)",
        "schedule(run)",
    ] {
        cases.push((function, body(function), LOOP));
    }
    run_all(&cases);
    let place = Place::with(&body("sweep()"));
    refused(&place, &["sweep", "x.rhai"], "sweep()", LOOP);
    let place = Place::with(&body("training(p)"));
    refused(&place, &["train", "x.rhai"], "training()", LOOP);
}

#[test]
fn loops_in_functions_that_native_functions_call_are_stopped() {
    let reward = |body: &str| script("", &[("reward(m)", body)]);
    let space = |body: &str| script("", &[("space()", body)]);
    let schedule = |body: &str| script("", &[("schedule(run)", body)]);
    run_all(&[
        ("all", reward("[1, 2].all(|x| { loop { } })"), LOOP),
        (
            "nested map",
            reward("let a = []; a.pad(1000, 1); let b = a; a.map(|x| b.map(|y| x + y)).len()"),
            LOOP,
        ),
        (
            "nested filter",
            reward("let a = []; a.pad(1000, 1); let b = a; a.filter(|x| b.some(|y| x < y)).len()"),
            LOOP,
        ),
        ("sort", reward("let a = [3, 1, 2, 5]; a.sort(|x, y| { loop { } }); loop { }"), LOOP),
        ("dedup", reward("let a = [3, 1, 2, 5]; a.dedup(|x, y| { loop { } }); loop { }"), LOOP),
        ("reduce", reward("[1, 2, 3].reduce(|s, x| { loop { } })"), LOOP),
        (
            "when",
            space(
                "#{ x: space::part().choice(\"a\", [1, 2]).choice(\"b\", [1, 2]).when(|c| { loop { } }) }",
            ),
            LOOP,
        ),
        (
            "forbid",
            space("#{ x: space::part().choice(\"a\", [1, 2]).forbid(|c| { loop { } }) }"),
            LOOP,
        ),
        (
            "reward of a phase",
            schedule(
                "phase(\"p\", #{ steps: 40, controller: random(), reward: |m| { loop { } } })",
            ),
            LOOP,
        ),
        (
            "screen of a phase",
            schedule(
                "phase(\"p\", #{ steps: 40, controller: random(), screen: |p| { loop { } } })",
            ),
            LOOP,
        ),
        (
            "most",
            schedule(
                "if run.steps > 0 { run.most(\"accuracy\", |t| { loop { } }) } \
                           if run.phases == 0 { phase(\"p\", #{ steps: 40, controller: random() }) }",
            ),
            LOOP,
        ),
    ]);
}

#[test]
fn a_summary_that_does_not_end_costs_only_itself() {
    let place = Place::with(&script("", &[("summary(run)", "loop { }")]));
    let (ran, ..) = watched(&place, &["run", "x.rhai"]);
    assert!(ran.err.contains(LOOP), "{}", ran.err);
    assert_eq!(place.trials("x-1").lines().count(), 40);
    place.ok(&["store", "verify"]);
}

#[test]
fn recursion_is_stopped() {
    let deep = "the script calls too deep: it reached the limit of 64 nested calls";
    let reward = |before: &str, body: &str| script(before, &[("reward(m)", body)]);
    run_all(&[
        ("itself", reward("", "reward(m)"), deep),
        ("twice itself", reward("fn bomb(n) { bomb(n + 1) + bomb(n + 1) }", "bomb(0)"), deep),
        ("each other", reward("fn a(n) { b(n) } fn b(n) { a(n) }", "a(0)"), deep),
        (
            "a tree within the depth",
            reward(
                "fn tree(n) { if n == 0 { 1 } else { tree(n - 1) + tree(n - 1) + tree(n - 1) } }",
                "tree(40)",
            ),
            LOOP,
        ),
        ("a closure by its argument", reward("", "let f = |f| f.call(f); f.call(f)"), deep),
        (
            "a closure that has captured itself",
            reward("", "let f = (); f = || f.call(); f.call()"),
            "",
        ),
        ("through map", reward("fn down(n) { [n].map(|x| down(x + 1)) }", "down(0)"), deep),
        ("swallowing errors", reward("fn f() { try { f() } catch { } f() }", "f()"), deep),
        (
            "with huge frames",
            reward(
                "fn f(a) { let b = a + [1]; let c = b + [2]; let d = c + [3]; f(d) }",
                "let a = []; a.pad(90000, 0); f(a)",
            ),
            "the script holds too much: more than 64 MB of memory",
        ),
    ]);
}

#[test]
fn memory_is_bounded() {
    let memory = "the script holds too much: more than 64 MB of memory";
    let reward = |before: &str, body: &str| script(before, &[("reward(m)", body)]);
    let array = "the script holds too much: an array or blob of over 100000 items";
    let text = "the script holds too much: a string of over 1048576 bytes";
    let k = "fn k(a) { 1 }";
    run_all(&[
        ("a string that doubles", reward("", "let s = \"x\"; loop { s += s; }"), text),
        ("a string by interpolation", reward("", "let s = \"x\"; loop { s = `${s}${s}`; }"), text),
        (
            "a string replaced",
            reward(
                "",
                "let s = \"x\"; s.pad(1000000, \"x\"); let t = s + \"\"; s.replace(\"x\", t); 1",
            ),
            text,
        ),
        (
            "a character replaced",
            reward(
                "",
                "let s = \"x\"; s.pad(1000000, \"x\"); let t = s + \"\"; s.replace('x', t); 1",
            ),
            text,
        ),
        ("a string padded", reward("", "let s = \"x\"; s.pad(9223372036854775807, 'y'); 1"), text),
        ("an array that doubles", reward("", "let a = [0]; loop { a += a; }"), array),
        ("an array padded", reward("", "let a = []; a.pad(9223372036854775807, 0); 1"), array),
        (
            "an array padded until sizes wrap around",
            reward("", "let b = []; b.pad(65535, 1); let a = []; a.pad(281474976710656, b); 1"),
            array,
        ),
        (
            "an array padded with arrays",
            reward("", "let b = []; b.pad(1000, 1); let a = []; a.pad(90000, b); 1"),
            array,
        ),
        (
            "an array padded with functions",
            reward(
                k,
                "let b = []; b.pad(99000, 1); let f = Fn(\"k\").curry(b); let a = []; a.pad(99000, f); 1",
            ),
            memory,
        ),
        ("a blob", reward("", "blob(9223372036854775807).len()"), array),
        (
            "a map",
            reward(
                "",
                "let m = #{}; for i in 0..1000 { m[i.to_string()] = i; } let all = []; loop { all.push(m + #{}); }",
            ),
            "the script holds too much: a map of over 10000 entries",
        ),
        (
            "a function that doubles",
            reward(k, "let f = Fn(\"k\"); loop { f = f.curry(f); }"),
            "the script holds",
        ),
        (
            "closures in closures",
            reward("fn wrap(f) { || f }", "let f = 0; loop { f = wrap(f); }"),
            LOOP,
        ),
        (
            "arrays in closures",
            reward(
                "fn wrap(f, a) { || [f, a] }",
                "let f = 0; loop { let a = []; a.pad(10000, 0); f = wrap(f, a); }",
            ),
            memory,
        ),
        (
            "many large strings",
            reward(
                "",
                "let s = \"x\"; s.pad(1000000, 'y'); let all = []; loop { all.push(Fn(\"k\").curry(s + \"z\")); }",
            ),
            memory,
        ),
        ("split", reward("", "let s = \"x\"; s.pad(1000000, ','); s.split(\",\").len()"), array),
        ("characters", reward("", "let s = \"x\"; s.pad(1000000, ','); s.to_chars().len()"), array),
        (
            "options",
            script(
                "",
                &[("space()", "let a = []; for i in 0..70000 { a.push(i); } #{ x: choice(a) }")],
            ),
            "",
        ),
    ]);
}

/// Checks that a single step beyond the memory limit ends the process, with the exit code of a script's
/// error.
#[test]
fn a_single_step_beyond_all_memory_ends_the_process() {
    let items = "f,".repeat(3_000);
    let body =
        format!("let b = []; b.pad(90000, 1); let f = Fn(\"k\").curry(b); [{items} f].len()");
    let place = Place::with(&script("fn k(a) { 1 }", &[("reward(m)", &body)]));
    let (ran, _, most) = watched(&place, &["run", "x.rhai"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("the script holds"), "{}", ran.err);
    assert!(ran.err.contains("`limits.memory_mb`"), "{}", ran.err);
    assert!(most < 8 * 64 + MAX_MB, "{most} MB");
    place.ok(&["store", "verify"]);
}

#[test]
fn nesting_is_bounded() {
    let expression = "nested deeper than the limit of 64 levels";
    let around = |before: &str, inner: &str, after: &str| {
        let body = format!("{}{inner}{}", before.repeat(10_000), after.repeat(10_000));
        script("", &[("reward(m)", &body)])
    };
    run_all(&[
        ("parentheses", around("(", "1", ")"), expression),
        ("arrays", around("[", "1", "]"), expression),
        ("maps", around("#{a:", "1", "}"), expression),
        ("blocks", around("{", "1", "}"), expression),
        ("ifs", around("if true {", "1", "}"), expression),
        ("else ifs", around("if m == 1 { 2 } else ", "{ 1 }", ""), expression),
        ("negations", around("- ", "1", ""), expression),
        ("sums", around("1 + ", "1", ""), expression),
        ("powers", around("1 ** ", "1", ""), expression),
        ("closures", around("|x| ", "1", ""), expression),
        ("texts in texts", around("`${", "1", "}`"), expression),
        ("properties", around("", "m", ".a"), expression),
        ("indices", around("", "m", "[0]"), expression),
        ("switches", around("switch 1 { 1 => ", "1", "}"), expression),
        ("calls", around("f(", "1", ")"), expression),
        (
            "functions",
            (0..2_000).fold(script("", &[]), |text, i| format!("{text}fn f{i}() {{ }}\n")),
            "there are more than 1000 functions",
        ),
        (
            "variables",
            script(
                "",
                &[(
                    "reward(m)",
                    &(0..2_000).fold(String::new(), |text, i| format!("{text}let v{i} = 0; ")),
                )],
            ),
            "there are more than 1000 variables at once",
        ),
        (
            "values",
            script("", &[("evaluate(p)", "let a = []; loop { a = [a]; }")]),
            "the call took longer than 2 s",
        ),
        (
            "values in maps",
            script("", &[("evaluate(p)", "let a = #{}; loop { a = #{ a: a }; }")]),
            "the call took longer than 2 s",
        ),
        (
            "JSON",
            script("", &[("reward(m)", "let s = \"\"; s.pad(100000, '['); parse_json(s)")]),
            "recursion limit",
        ),
    ]);
}

const RETURNED_DEEP: &str =
    "evaluate() returned a value that is nested too deep: more than 256 levels";

/// Checks that values kept beyond a call are not deeply nested, whatever the limits: they are used on smaller
/// stacks.
#[test]
fn values_that_are_kept_are_not_deep() {
    let wrap = "fn wrap(f) { || f } fn deep() { let f = 0; for i in 0..1000000 { f = wrap(f) } f }";
    let captured = "the function has captured what is nested too deep";
    let mut cases = vec![
        ("returned", wrap.to_owned(), ("evaluate(p)", "#{ accuracy: 0.5, f: deep() }"), RETURNED_DEEP),
        (
            "a reward",
            wrap.to_owned(),
            ("schedule(run)", "let f = deep(); phase(\"x\", #{ steps: 1, reward: |m| [f, 1.0][1] })"),
            captured,
        ),
        (
            "accelerators within one another",
            "fn around(other) { accelerator::define(\"x\", #{ space: choice([1, 2]), estimate: |net, config| \
             #{ latency_ms: if config == 3 { other } else { 1.0 } } }) }"
                .to_owned(),
            ("evaluate(p)", "let a = 0; for i in 0..300 { a = around(a) } #{ accuracy: 0.5 }"),
            captured,
        ),
    ];
    cases.push((
        "an argument",
        wrap.to_owned(),
        ("args()", "#{ f: deep() }"),
        "args() returned a value",
    ));
    for (name, before, body, says) in cases {
        let place = Place::with(&script(&before, &[body]));
        let raised = ["limits.memory_mb=4096", "limits.operations=1000000000"];
        let mut arguments = vec!["run", "x.rhai"];
        raised.iter().for_each(|set| arguments.extend(["--set", set]));
        let ran = place.run(&arguments);
        assert_eq!(ran.code, 3, "{name}: {}", ran.err);
        assert!(ran.err.contains(says), "{name}: {}", ran.err);
    }
}

#[test]
fn deep_values_can_be_used_and_told_of() {
    let deep = "let a = []; for i in 0..3000 { a = [a]; }";
    let with = |rest: &str| script("", &[("evaluate(p)", &format!("{deep} {rest}"))]);
    // Each takes seconds without optimization, and more on a busy machine.
    let patient = ["run", "x.rhai", "--set", "limits.seconds=100"];
    let cases = [
        (
            "compared and printed",
            with(
                "let b = a; if a == b { throw \"length \" + (`${a}`.len() + a.to_debug().len()) }",
            ),
            "length 12004",
        ),
        ("thrown", with("throw a"), "the script threw [[[["),
        ("returned", with("a"), RETURNED_DEEP),
        ("a metric", with("#{ accuracy: a }"), RETURNED_DEEP),
        (
            "an option",
            with("chaidnn::accelerator(#{ bits: a })"),
            "option `bits` of chaidnn::accelerator is an array",
        ),
        ("JSON", with("throw #{ a: a }.to_json()"), "{\"a\":[[[["),
    ];
    for (name, script, says) in cases {
        refused(&Place::with(&script), &patient, name, says);
    }
}

#[test]
fn names_of_the_host_stay_the_hosts() {
    let place_of = |script: &str| {
        let place = Place::with(script);
        place.write("own.rhai", "fn estimate(a, b) { #{ latency_ms: 0.0 } } fn reward(m) { 1e9 }");
        place
    };
    for name in ["chaidnn", "accuracy", "args", "objective", "train", "nasbench201"] {
        for text in [
            script(&format!("import \"own\" as {name};"), &[]),
            script("", &[("reward(m)", &format!("import \"own\" as {name}; 1"))]),
            script(&format!("if true {{ import \"own\" as {name}; {name}::reward(1); }}"), &[]),
        ] {
            let says = format!(
                "`{name}` is a native module; import under another name, such as `own_{name}`"
            );
            refused(&place_of(&text), &["run", "x.rhai"], name, &says);
        }
    }
    let reward = |body: &str| script("", &[("reward(m)", body)]);
    run_all(&[
        ("eval", reward("eval(\"1\")"), "`eval` is not available in scripts"),
        ("a pointer to eval", reward("Fn(\"eval\").call(\"1\")"), "`eval` is a reserved word"),
        (
            "a made-up pointer to eval",
            reward("let n = \"ev\" + \"al\"; Fn(n).call(\"1\")"),
            "`eval` is a reserved word",
        ),
        (
            "a pointer to the clock",
            reward("Fn(\"timestamp\").call()"),
            "there is no function `timestamp",
        ),
        ("a pointer to sleep", reward("Fn(\"sleep\").call(1000)"), "scripts have no clock"),
        ("the clock", reward("timestamp()"), "there is no function `timestamp"),
        (
            "a private function",
            script("private fn summary(run) { 1 }", &[]),
            "`summary` is private, so it cannot be called",
        ),
        ("a function of operators", script("fn +(a, b) { 1 }", &[]), ""),
    ]);
}

/// Checks that functions of a script with the names of native ones affect neither the host nor other scripts.
#[test]
fn own_functions_with_native_names_are_harmless() {
    let own =
        "fn reject(x) { x } fn phase(a) { 7 } fn choice(a, b) { 8 } fn to_string(x) { \"x\" }";
    let place = Place::with(&script(
        own,
        &[("reward(m)", "if m.accuracy > 0.5 { reject(m.accuracy) } else { m.accuracy }")],
    ));
    place.ok(&["run", "x.rhai"]);
    let trials = place.trials("x-1");
    assert_eq!(trials.lines().count(), 40);
    assert!(!trials.contains("\"valid\":false"), "{trials}");
    place.ok(&["store", "verify"]);
}

#[cfg(unix)]
#[test]
fn only_ordinary_files_are_imported() {
    let importing = |name: &str| script(&format!("import \"{name}\" as own;"), &[]);
    let place = Place::with(&importing("own"));
    let refuse = |says: &str| refused(&place, &["run", "x.rhai"], says, says);
    let own = place.path().join("own.rhai");
    fs::create_dir(&own).unwrap();
    refuse("`own` cannot be read: it is no ordinary file");
    fs::remove_dir(&own).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &own, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    refuse("`own` cannot be read: it is no ordinary file");
    fs::remove_file(&own).unwrap();
    for device in ["/dev/zero", "/dev/stdin", "/proc/self/environ"] {
        std::os::unix::fs::symlink(device, &own).unwrap();
        refuse("`own` leads out of");
        fs::remove_file(&own).unwrap();
    }
    fs::write(&own, format!("//{}", "x".repeat(1 << 20))).unwrap();
    refuse("`own` cannot be read: it has more than 1048576 bytes");
    fs::write(&own, b"let a = \"\xff\";").unwrap();
    refuse("`own` cannot be read: it is not UTF-8 text (at byte 9)");
    // A file that pretends to be small: the size is not what decides.
    fs::write(&own, "let a = 1;\0").unwrap();
    refuse("");
    std::os::unix::fs::symlink("x.rhai", place.path().join("loop.rhai")).unwrap();
    place.write("x.rhai", &importing("loop"));
    refuse("cannot import");
}

#[test]
fn modules_are_limited() {
    let place = Place::new();
    let mut imports = String::new();
    for i in 0..200 {
        place.write(&format!("m{i}.rhai"), "const X = 1;");
        writeln!(imports, "import \"m{i}\" as m{i};").unwrap();
    }
    place.write("x.rhai", &script(&imports, &[]));
    refused(&place, &["run", "x.rhai"], "200 imports", "more than 64 modules are imported");
    place.write(
        "x.rhai",
        &script("", &[("space()", "for i in 0..10000 { import \"none\" + i as m; } 1")]),
    );
    refused(
        &place,
        &["run", "x.rhai"],
        "10,000 imports",
        "cannot import: there is no `none0.rhai`",
    );
    place.write("y.rhai", "let a = 0; loop { }");
    place.write("x.rhai", &script("import \"y\" as y;", &[]));
    refused(&place, &["run", "x.rhai"], "a module that does not end", LOOP);
    for i in 0..200 {
        place.write(&format!("m{i}.rhai"), &format!("import \"m{}\" as m;", (i + 1) % 200));
    }
    place.write("x.rhai", &script("import \"m0\" as m;", &[]));
    refused(&place, &["run", "x.rhai"], "a long cycle", "");
    place.write("m99.rhai", "const X = 1;");
    refused(&place, &["run", "x.rhai"], "a long chain", "more than 64 modules are imported");
}

#[test]
fn a_module_that_several_threads_import_first_is_no_cycle() {
    let reward = "import \"slow\" as slow; slow::one()";
    let place = Place::with(&script("", &[("reward(m)", reward)]));
    let slow = "let n = 0; for i in 0..20000 { n += 1; } const N = 1; fn one() { 1 }";
    place.write("slow.rhai", slow);
    let out =
        place.ok(&["run", "x.rhai", "--steps", "40", "--set", "threads=4", "--format", "jsonl"]);
    assert!(!out.contains("failed"), "{out}");
    let failed = place.ok(&["query", "failed", "--run", "x-1", "--format", "csv"]);
    assert_eq!(failed.lines().count(), 1, "{failed}");
}

#[test]
fn numbers_have_no_traps() {
    let least = "let least = -9223372036854775807 - 1;";
    let with = |body: &str| script("", &[("reward(m)", &format!("{least} {body}"))]);
    run_all(&[
        ("division", with("least / -1"), "division overflow"),
        ("division by zero", with("1 / 0"), "division by zero"),
        ("remainder", with("least % -1"), "overflow"),
        ("negation", with("-least"), "overflow"),
        ("absolute value", with("abs(least)"), "overflow"),
        ("sum", with("least - 1"), "overflow"),
        ("product", with("least * least"), "overflow"),
        ("power", with("2 ** 1000000"), "overflow"),
        ("index", with("[1, 2][least]"), "out of bounds"),
        ("text index", with("\"äö\"[least]"), "out of bounds"),
        ("a step of zero", with("for i in range(0, 10, 0) { } 1"), "step value cannot be zero"),
    ]);
    let fine = "
        let s = \"äöü€😀\"; let a = [1, 2, 3]; let b = blob(10, 1);
        let big = 9223372036854775807;
        let n = 1 << 1000; n += 1 >> 1000; n += 1 << -1000;
        for at in [least, -100, -1, 0, 1, 2, 4, 100, big] {
            for length in [least, -1, 0, 1, 3, 100, big] {
                let t = s + \"\"; t.sub_string(at, length); t.crop(at, length);
                let t = s + \"\"; t.truncate(at); t.split(at); t.split(\"€\", length); t.index_of('€', at);
                let c = a + []; c.splice(at, length, [4]); c.extract(at, length); c.chop(at); c.insert(at, 5);
                let c = a + []; c.drain(at, length); c.retain(at, length); c.split(at); c.remove(at); c.truncate(at);
                let c = a + []; c.drain(at..length); c.splice(at..=length, []);
                let d = b + blob(3, 7); d.splice(at, length, b); d.extract(at, length); d.chop(at); d.insert(at, 5);
                let d = b + blob(3, 7); d.drain(at, length); d.write_utf8(at, length, s); d.write_ascii(at, length, s);
                d.parse_le_int(at, length); d.parse_be_float(at, length); d.write_le(at, length, big); if at < 1000 { d.pad(at, 7); }
            }
        }
        let mixed = [1, \"x\", 2.5, (), [1], 'c']; mixed.sort(|x, y| if type_of(x) == \"i64\" { 1 } else { -1 });
        let many = []; for i in 0..60 { many.push(i * 7919 % 503); }
        many.sort(|x, y| if x % 3 == 0 { 1 } else { -1 });
        m.accuracy";
    let place = Place::with(&with(fine));
    let (ran, ..) = watched(&place, &["run", "x.rhai"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn native_functions_refuse_huge_sizes() {
    let space = |body: &str| script("", &[("space()", body)]);
    let evaluate = |body: &str| {
        let cell = "let cell = nasbench201::cell(\"|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|\");";
        script("", &[("evaluate(p)", &format!("{cell} {body} #{{ accuracy: 1.0 }}"))])
    };
    let schedule = |controller: &str| {
        script(
            "",
            &[(
                "schedule(run)",
                &format!(
                    "if run.phases == 0 {{ phase(\"p\", #{{ steps: 40, controller: {controller} }}) }}"
                ),
            )],
        )
    };
    run_all(&[
        ("cells", evaluate("nasbench201::network(cell, #{ cells: 1000000 });"), ""),
        (
            "channels",
            evaluate(
                "nasbench201::network(cell, #{ stem_channels: 1000000, image_size: 1000000 });",
            ),
            "",
        ),
        (
            "stacks",
            evaluate(
                "nasbench101::network(nasbench101::cell(\"resnet\"), #{ stacks: 1000000, cells: 1000000 });",
            ),
            "",
        ),
        (
            "an integer range",
            space("#{ x: space::part().int(\"a\", -9223372036854775807, 9223372036854775807) }"),
            "",
        ),
        (
            "a real range",
            space("#{ x: space::part().float(\"a\", 0.0, 1.0, #{ steps: 9223372036854775807 }) }"),
            "",
        ),
        ("a population", schedule("evolution(#{ population: 9223372036854775807 })"), ""),
        ("a policy", schedule("reinforce(#{ hidden: 9223372036854775807 })"), ""),
    ]);
}

#[test]
fn a_script_cannot_flood_or_command_the_terminal() {
    let place = Place::with(&script(
        "",
        &[(
            "space()",
            "let s = \"\"; s.pad(100000, 'y'); for i in 0..5000 { print(s); } print(\"end\"); #{ x: choice([1, 2, 3]) }",
        )],
    ));
    let (ran, ..) = watched(&place, &["run", "x.rhai"]);
    assert_eq!(ran.code, 0, "{}", ran.err.len());
    assert!(ran.err.len() < 3_000_000, "{}", ran.err.len());
    assert!(ran.err.contains("what else this call prints is not shown"));
    let place = Place::with(&script(
        "",
        &[("reward(m)", "print(\"\\x1b[2J\"); throw \"\\x1b]0;title\\x07\" + \"y\"")],
    ));
    let (ran, ..) = watched(&place, &["run", "x.rhai"]);
    assert_eq!(ran.code, 3);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
    let place =
        Place::with(&script("", &[("reward(m)", "let s = \"\"; s.pad(1000000, 'y'); throw s")]));
    refused(&place, &["run", "x.rhai"], "a long error", "yyyyyy...");
}

/// Checks that a hostile trial among good ones fails alone.
#[test]
fn what_some_points_do_is_recorded_with_them() {
    let body =
        "if p.x == 2 { let f = Fn(\"k\"); loop { f = f.curry(f); } } #{ accuracy: p.x / 4.0 }";
    let place = Place::with(&script(
        "fn k(a) { 1 }",
        &[
            ("evaluate(p)", body),
            (
                "schedule(run)",
                "if run.phases == 0 { phase(\"all\", #{ steps: 40, controller: random() }) }",
            ),
        ],
    ));
    let (ran, _, most) = watched(&place, &["run", "x.rhai"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(most < 3 * MAX_MB, "{most} MB");
    let trials = place.trials("x-1");
    assert_eq!(trials.lines().count(), 40);
    let failed = place.ok(&["query", "failed", "--run", "x-1", "--format", "jsonl"]);
    assert!(failed.lines().count() > 3, "{failed}");
    assert!(
        failed.lines().all(|line| line.contains("the script holds too much: more than 64 MB")),
        "{failed}"
    );
    assert!(failed.lines().all(|line| line.contains("\"x\":\"2\"")), "{failed}");
    place.ok(&["store", "verify"]);
}

#[test]
fn queries_have_limits_of_their_own() {
    let place = Place::with(&script("fn forever(m) { loop { } }", &[]));
    place.ok(&["run", "x.rhai"]);
    for (expression, says) in [
        (
            "forever(m)",
            "the query is too much: the script runs too long: it reached the limit of 10000000 operations",
        ),
        ("Fn(\"sleep\").call(1000) == ()", "scripts have no clock"),
        ("Fn(\"timestamp\").call() == 1", "there is no function `timestamp"),
        (
            "[0].pad(9223372036854775807, 1) == ()",
            "the query is too much: the script holds too much",
        ),
    ] {
        let ran = place.run(&["query", expression, "--run", "x-1"]);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{expression}: {}", ran.err);
        assert!(ran.err.contains(says), "{expression}: {}", ran.err);
    }
    // What it prints is no result.
    let ran = place.run(&["query", "print(\"printed\") == ()", "--format", "jsonl"]);
    assert!(!ran.out.contains("printed"), "{}", ran.out);
}

/// Checks that a query has a single time limit for all stretches of trials, and that it can be set.
#[test]
fn the_time_of_a_query_is_that_of_all_trials() {
    let steps = "if run.phases == 0 { phase(\"all\", #{ steps: 1280, controller: random() }) }";
    let slow = "fn slow(m) { for i in 0..20000 { let x = i; } true }";
    let place = Place::with(&script(slow, &[("schedule(run)", steps)]));
    place.ok(&["run", "x.rhai"]);
    let query = |set: &str| {
        place.run(&["query", "slow(m)", "--run", "x-1", "--format", "jsonl", "--set", set])
    };
    let all = query("limits.seconds=600");
    assert_eq!((all.code, all.out.lines().count()), (0, 1280), "{}", all.err);
    // A stretch has 128 trials, a tenth of them.
    let none = query("limits.seconds=0.5");
    assert_eq!((none.code, none.out.as_str()), (3, ""), "{}", none.err);
    assert!(
        none.err.contains("the query is too much: the call took longer than 0.5 s"),
        "{}",
        none.err
    );
    let none = query("limits.operations=1000");
    assert!(none.err.contains("it reached the limit of 1000 operations"), "{}", none.err);
    let plain =
        place.run(&["query", "step >= 0 && [1].all(|x| x == 1)", "--set", "limits.operations=1"]);
    assert!(plain.err.contains("it reached the limit of 1 operations"), "{}", plain.err);
}

#[test]
fn limits_can_be_set_and_are_checked() {
    let place = Place::with(&script("", &[("reward(m)", "loop { }")]));
    place.write(
        "x.yaml",
        "script: x.rhai\nlimits: { operations: 1234, memory_mb: 32, variables: 10 }\n",
    );
    let ran = place.run(&["run", "x.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("it reached the limit of 1234 operations"), "{}", ran.err);
    let ran = place.run(&["run", "x.yaml", "--set", "limits.operations=777"]);
    assert!(ran.err.contains("it reached the limit of 777 operations"), "{}", ran.err);
    for (set, says) in [
        ("limits.operations=0", "setting `limits.operations` is 0; it must be at least 1"),
        ("limits.memory_mb=0", "setting `limits.memory_mb` is 0; it must be at least 1"),
        (
            "limits.call_depth=1000000",
            "setting `limits.call_depth` is 1000000; it must be at most 10000",
        ),
        ("limits.variables=x", "`--set limits.variables=...`"),
        ("limits.seconds=-1", "setting `limits.seconds` is -1"),
        ("limits.none=1", "there is no setting `limits.none`"),
    ] {
        let ran = place.run(&["run", "x.yaml", "--set", set]);
        assert_eq!(ran.code, 3, "{set}: {}", ran.err);
        assert!(ran.err.contains(says), "{set}: {}", ran.err);
    }
}

/// Checks that names, which are stored and printed, are short, few and free of terminal commands.
#[test]
fn names_are_short_lines() {
    let long = "let s = \"a\"; s.pad(1000, \"y\");";
    let metric = format!("{long} let m = #{{ accuracy: 0.5 }}; m[s] = 1.0; m");
    let many = "let m = #{ accuracy: 0.5 }; for i in 0..2000 { m[\"a\" + i] = 1.0; } m";
    let part = format!("{long} let m = #{{ x: choice([1, 2]) }}; m[s] = choice([1, 2]); m");
    run_all(&[
        (
            "a long metric",
            script("", &[("evaluate(p)", &metric)]),
            "yyy...` is no name for a metric",
        ),
        ("many metrics", script("", &[("evaluate(p)", many)]), "there are 2001 metrics"),
        (
            "a command in a metric",
            script(
                "",
                &[("evaluate(p)", "let m = #{ accuracy: 0.5 }; m[\"k\\x1b]0;x\\x07\"] = 1.0; m")],
            ),
            "`k\\u{1b}]0;x\\u{7}` is no name for a metric",
        ),
        ("a long part", script("", &[("space()", &part)]), "is no name for a part of the space"),
        (
            "a part that cannot be given",
            script("", &[("space()", "#{ x: choice([1, 2]), \"y=z\": choice([1, 2]) }")]),
            "`y=z` is no name for a part of the space",
        ),
        (
            "a phase",
            script(
                "",
                &[("schedule(run)", "phase(\"a\\n\", #{ steps: 3, controller: random() })")],
            ),
            "the name of a phase has from 1 to 100 bytes",
        ),
    ]);
    // What a table shows is for people.
    let table = "table(\"k\\x1b[2J\", [\"a\\x07\"], [[\"b\\x1b\"]])";
    let place = Place::with(&script("", &[("summary(run)", table)]));
    let out = place.ok(&["run", "x.rhai"]);
    assert!(!out.contains('\u{1b}') && out.contains("k\\u{1b}[2J"), "{out:?}");
}

/// Checks that long names are not compared with known ones, which takes time quadratic in their length.
#[test]
fn long_names_are_told_at_once() {
    let long = |rest: &str| format!("let s = \"y\"; s.pad(1000000, \"z\"); {rest}");
    run_all(&[
        ("a key", script("", &[("reward(m)", &long("m[s]"))]), "the map has no entry"),
        ("a function", script("", &[("reward(m)", &long("Fn(s).call(1)"))]), "has no function"),
        (
            "a choice",
            script(
                "",
                &[(
                    "space()",
                    &long(
                        "#{ x: space::part().choice(\"a\", [1, 2]).flag(\"b\").when(|c| c[s] == 1) }",
                    ),
                )],
            ),
            "no choice",
        ),
    ]);
}

/// Checks that rules use up operations: at most a hundred times those of the call.
#[test]
fn rules_use_up_operations() {
    let rules = "for j in 0..2000 { space::part().flag(\"a\").choice(\"b\", [1, 2]).when(|c| { \
                 let n = 0; for i in 0..3000 { n += i; } true }); } #{ accuracy: 0.5 }";
    let tight = "the script runs too long: it reached the limit of 1000 operations";
    let place = Place::with(&script("", &[("evaluate(p)", rules)]));
    let ran = place.run(&["run", "x.rhai", "--set", "limits.operations=1000"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains(tight), "{}", ran.err);
}

/// Checks that caches do not grow without bound over many calls.
#[test]
fn caches_are_bounded() {
    let tables = "let s = \"y\"; s.pad(300000, \"y\"); \
                  for i in 0..30 { try { accelerator::table(s + p.x + i) } catch { } } #{ accuracy: 0.5 }";
    let networks = "let cell = nasbench201::cell(\"|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|\"); \
                    for i in 0..30 { nasbench201::network(cell, #{ cells: 200, stem_channels: 1 + p.x * 50 + i }); } \
                    #{ accuracy: 0.5 }";
    for (name, body) in [("tables", tables), ("networks", networks)] {
        let bodies = [("evaluate(p)", body), ("space()", "#{ x: int(1, 1000) }")];
        let place = Place::with(&script("", &bodies));
        let (ran, _, most) = watched(&place, &["run", "x.rhai"]);
        assert!(ran.code == 0 || ran.code == 3, "{name}: {}", ran.err);
        assert!(most < MAX_MB, "{name}: {most} MB");
    }
}

/// Checks that a policy that does not fit in memory is refused.
#[test]
fn huge_policies_are_refused() {
    let space = "let m = #{}; for i in 0..100 { m[\"a\" + i] = int(1, 1000); } m";
    let phase = "phase(\"x\", #{ steps: 40, controller: reinforce(#{ hidden: 4096 }) })";
    let evaluate = "#{ accuracy: p.a1 / 1000.0 }";
    let bodies = [("space()", space), ("schedule(run)", phase), ("evaluate(p)", evaluate)];
    run_all(&[("hidden", script("", &bodies), "the policy has at most 2^25 weights")]);
}

/// Checks that settings whose aliases expand to too much data are refused before the expansion.
#[test]
fn aliases_that_multiply_are_refused() {
    let place = Place::with(&script("", &[]));
    let ones = vec!["1"; 10_000].join(",");
    let aliases = vec!["*a"; 10_000].join(",");
    place.write("x.yaml", &format!("script: x.rhai\nargs:\n  a: &a [{ones}]\n  b: [{aliases}]\n"));
    refused(&place, &["run", "x.yaml"], "aliases", "stand for more than 64 MB");
}

/// Checks that `import "sub/x"` in `sub/x.rhai` imports `sub/sub/x.rhai`, not the script itself.
#[test]
fn a_module_never_takes_the_place_of_the_script() {
    let place = Place::new();
    fs::create_dir_all(place.path().join("sub/sub")).unwrap();
    place
        .write("sub/x.rhai", &script("import \"sub/x\" as other;", &[("reward(m)", "other::v()")]));
    place.write("sub/sub/x.rhai", "fn v() { 0.5 }");
    place.ok(&["run", "sub/x.rhai"]);
    let found = place.ok(&["query", "reward(m) == 0.5", "--run", "x-1", "--agg", "count"]);
    assert!(found.contains("40"), "{found}");
}

/// Checks that the hypervolume of many objectives, which takes too long, is skipped.
#[test]
fn frontiers_of_many_objectives_are_printed() {
    let space = "let m = #{}; for i in 0..14 { m[\"p\" + i] = float(0.0, 1.0); } m";
    let objectives = "let all = []; for i in 0..14 { all.push(`m${i}:max`); } all";
    let evaluate = "let m = #{}; for i in 0..14 { m[\"m\" + i] = p[\"p\" + i]; } m";
    let bodies = [
        ("space()", space),
        ("objectives()", objectives),
        ("evaluate(p)", evaluate),
        ("reward(m)", "m.m0"),
        (
            "schedule(run)",
            "if run.phases == 0 { phase(\"all\", #{ steps: 300, controller: random() }) }",
        ),
    ];
    let place = Place::with(&script("", &bodies));
    place.ok(&["run", "x.rhai"]);
    let out = place.ok(&["pareto", "x-1"]);
    assert!(out.contains("no hypervolume: of "), "{out:.200}");
}
