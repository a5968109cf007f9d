//! The sandbox: actions that scripts must not be able to take.

use std::fs;

use crate::support::{Place, SCRIPT};

fn refusal(place: &Place) -> String {
    let ran = place.run(&["run", "sub/x.rhai"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    ran.err
}

fn place(script: &str) -> Place {
    let place = Place::new();
    place.write("sub/x.rhai", script);
    place.write("secret.rhai", "const KEY = 1;");
    place
}

#[test]
fn imports_stay_within_the_experiments_folder() {
    for name in ["../secret", "/etc/passwd", "sub/../../secret", "..\\secret", "C:secret", ""] {
        let escaped = name.replace('\\', "\\\\");
        let place = place(&format!("import \"{escaped}\" as s;\n{SCRIPT}"));
        assert_eq!(
            refusal(&place),
            format!(
                "error: cannot import: `{name}` is not a path below the experiment's folder or \
                 `scripts/`\n --> sub/x.rhai:1:8\n  |\n1 | import \"{escaped}\" as s;\n  |        ^\n"
            )
        );
    }
}

#[cfg(unix)]
#[test]
fn imports_do_not_follow_links_out() {
    let place = place(&format!("import \"inside\" as s;\n{SCRIPT}"));
    let link = place.path().join("sub/inside.rhai");
    std::os::unix::fs::symlink(place.path().join("secret.rhai"), link).unwrap();
    let error = refusal(&place);
    assert!(error.starts_with("error: cannot import: `inside` leads out of `sub`\n"), "{error}");
}

#[test]
fn an_import_that_is_not_there_says_where_it_was_looked_for() {
    let place = place(&format!("import \"rewrds\" as s;\n{SCRIPT}"));
    let error = refusal(&place);
    assert!(
        error.starts_with(
            "error: cannot import: there is no `rewrds.rhai` in `sub` or what comes with tandem \
             (rewards, strategies)\n"
        ),
        "{error}"
    );
}

#[test]
fn modules_that_import_each_other_are_refused() {
    let place = place(&format!("import \"a\" as a;\n{SCRIPT}"));
    place.write("sub/a.rhai", "import \"b\" as b;");
    place.write("sub/b.rhai", "import \"a\" as a;");
    let error = refusal(&place);
    assert!(
        error.starts_with("error: cannot import: `a` imports itself\n --> b.rhai:1:8"),
        "{error}"
    );
}

#[test]
fn own_modules_and_shipped_ones_are_found() {
    let script = SCRIPT.replace("{ m.accuracy }", "{ own::judge(m) }");
    let place = place(&format!("import \"own\" as own;\n{script}"));
    place.write(
        "sub/own.rhai",
        "import \"rewards\" as rewards;\nfn judge(m) { rewards::weighted(m, #{ accuracy: 1.0 }) }",
    );
    place.ok(&["run", "sub/x.rhai"]);
}

#[test]
fn a_loop_without_end_is_stopped() {
    let help = "help: look for a loop that does not end; `limits.operations` in the settings, or `--set limits.operations=...`, \
                raises the limit\n";
    let place = Place::with(&SCRIPT.replace("{ m.accuracy }", "{ loop { } }"));
    let ran = place.run(&["run", "x.rhai", "--set", "limits.operations=10000"]);
    assert_eq!(ran.code, 3);
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(
        lines[lines.len() - 7..],
        [
            "error: the script runs too long: it reached the limit of 10000 operations",
            " --> x.rhai:3:16",
            "  |",
            "3 | fn reward(m) { loop { } }",
            "  |                ^^^^",
            "  |",
            &format!("  = {}", help.trim_end()),
        ]
    );
    let place = Place::with(&format!("loop {{ }}\n{SCRIPT}"));
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with(
        "error: the script runs too long: it reached the limit of 10000000 operations\n --> x.rhai:1:6\n"
    ));
}

#[test]
fn slow_and_greedy_scripts_are_stopped() {
    for (body, message) in [
        ("reward(m)", "the script calls too deep: it reached the limit of 64 nested calls"),
        (
            "let a = \"x\"; loop { a += a; }",
            "the script holds too much: a string of over 1048576 bytes",
        ),
        (
            "let a = [0]; loop { a += a; }",
            "the script holds too much: an array or blob of over 100000 items",
        ),
        ("eval(\"1\")", "`eval` is not available in scripts"),
    ] {
        let place = Place::with(&SCRIPT.replace("{ m.accuracy }", &format!("{{ {body} }}")));
        let ran = place.run(&["run", "x.rhai"]);
        assert_eq!(ran.code, 3, "{body}");
        assert!(ran.err.contains(message), "{body}: {}", ran.err);
    }
    let place = Place::with(&SCRIPT.replace("{ m.accuracy }", "{ loop { } }"));
    let limits = ["--set", "limits.seconds=0.05", "--set", "limits.operations=1000000000000"];
    let ran = place.run(&[&["check", "x.rhai"], &limits[..]].concat());
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with("error: the call took longer than 0.05 s"), "{}", ran.err);
}

#[test]
fn nothing_is_written_but_the_store() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let mut names: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".tandem", "x.rhai"]);
}
