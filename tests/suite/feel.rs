//! The command-line interface: progress, silence, colors, help, and experiments to begin with.

use std::collections::BTreeSet;

use crate::support::{Place, SCRIPT, project};

/// Returns an experiment whose run takes about a second.
fn long() -> Place {
    Place::with(&SCRIPT.replace("steps: 64", "steps: 30000"))
}

#[cfg(unix)]
mod terminal {
    use super::{Place, SCRIPT, long};
    use crate::terminal::{on_terminal, plain_lines};

    #[test]
    fn a_run_draws_its_course_on_a_terminal_of_any_width() {
        let place = long();
        for columns in [40, 200] {
            let (code, written) = on_terminal(place.command(&["run", "x.rhai"]), columns);
            assert_eq!(code, 0, "{written}");
            let lines = plain_lines(&written, columns);
            let drawn: Vec<&String> = lines
                .iter()
                .filter(|line| line.starts_with("all") && line.contains("/30,000"))
                .collect();
            assert!(drawn.len() > 1, "{lines:?}");
            let found = lines.iter().filter(|line| line.starts_with("best 0.75 at ")).count();
            assert!(found > 0, "{lines:?}");
            let most = drawn.iter().map(|line| line.chars().count()).max().unwrap();
            assert!(most < usize::from(columns), "{drawn:?}");
            let wide = columns == 200;
            assert!(!wide || drawn.iter().any(|line| line.contains('░')), "{drawn:?}");
            assert_eq!(
                drawn.iter().any(|line| line.contains(" left of the phase")),
                wide,
                "{drawn:?}"
            );
            // What is left at the end is the summary, beside the lines of the last drawing.
            assert!(written.contains("30000 trials ("), "{written}");
        }
    }

    #[test]
    fn nothing_is_drawn_where_it_is_not_wanted() {
        let place = long();
        let is_drawn = |written: &str| written.contains("/30,000  ");
        let (_, written) = on_terminal(place.command(&["run", "x.rhai", "--quiet"]), 100);
        assert!(!is_drawn(&written) && written.starts_with("run x-1\r\n30000 trials"), "{written}");
        let mut dumb = place.command(&["run", "x.rhai"]);
        dumb.env_remove("TERM");
        // The terminal's own setting comes last.
        let (_, written) = on_terminal(wrapped(dumb, "TERM=dumb"), 100);
        assert!(!is_drawn(&written) && written.contains("phase all: random"), "{written}");
        assert!(!written.contains('\u{1b}'), "{written:?}");
        let ran = place.run(&["run", "x.rhai"]);
        assert!(
            !is_drawn(&ran.err) && ran.err.starts_with("phase all: random, up to 30000"),
            "{}",
            ran.err
        );
        assert!(!ran.err.contains(['\u{1b}', '\r']), "{}", ran.err);
    }

    #[test]
    fn errors_are_colored_on_terminals_only_unless_told_otherwise() {
        let place = Place::with(&SCRIPT.replace("p.x / 4.0,", "p.x / 4.0"));
        let check = |arguments: &[&str], setting: &str| {
            let command = place.command(&[&["check", "x.rhai"], arguments].concat());
            let (code, written) = on_terminal(wrapped(command, setting), 100);
            assert_eq!(code, 3, "{written}");
            written.contains("\u{1b}[")
        };
        assert!(check(&[], "TERM=xterm"));
        assert!(!check(&[], "NO_COLOR=1"));
        assert!(check(&[], "NO_COLOR="));
        assert!(!check(&["--color", "never"], "TERM=xterm"));
        assert!(check(&["--color=always"], "NO_COLOR=1"));
        let piped = |arguments: &[&str], name: &str, value: &str| {
            let mut command = place.command(&[&["check", "x.rhai"], arguments].concat());
            let output = command.env(name, value).output().unwrap();
            String::from_utf8(output.stderr).unwrap().contains("\u{1b}[")
        };
        assert!(!piped(&[], "TERM", "xterm"));
        assert!(piped(&["--color", "always"], "TERM", "xterm"));
        assert!(piped(&[], "CLICOLOR_FORCE", "1"));
        assert!(!piped(&[], "CLICOLOR_FORCE", "0"));
    }

    /// Checks that a note replaces the progress bar, and that no bar remains.
    #[test]
    fn what_is_said_makes_the_bar_give_way() {
        let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 5000000"));
        let stop = ["sh", "-c", "\"$@\" & sleep 1; kill -TERM $!; wait $!", "sh"];
        let command = within(place.command(&["run", "x.rhai"]), &stop);
        let (code, written) = on_terminal(command, 80);
        assert_eq!(code, 130, "{written}");
        let cleared = "\u{1b}[1A\r\u{1b}[2K\u{1b}[1B\r\u{1b}[2K\u{1b}[1A";
        for said in
            ["stopping after the points at hand; Ctrl-C again stops at once", "interrupted after "]
        {
            assert!(written.contains(&format!("\u{1b}[G{cleared}{said}")), "{said}: {written:?}");
        }
    }

    #[test]
    fn a_summary_takes_the_terminal_into_account() {
        let place = Place::with(
            "fn space() { #{ x: int(1, 40) } }
fn evaluate(p) { #{ accuracy: p.x / 40.0, area_mm2: 1.0 * p.x } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase(\"all\", #{ steps: 300, controller: random() }) } }
fn summary(run) { table(\"Own\", [\"a\"], [[1], [2], [3], [4]]) }
",
        );
        let ran = place.run(&["run", "x.rhai"]);
        let rows = |out: &str| {
            let rows = out.lines().skip_while(|line| !line.starts_with("Frontier")).skip(2);
            rows.take_while(|line| !line.starts_with('…')).count()
        };
        assert_eq!(rows(&ran.out), 10, "{}", ran.out);
        let (code, written) = on_terminal(place.command(&["show", "x-1", "--summary"]), 60);
        let shown = rows(&written);
        assert!(code == 0 && (3..10).contains(&shown), "{shown}: {written}");
        let lines = plain_lines(&written, 60);
        assert!(lines.iter().any(|line| line.starts_with("next: ")), "{written}");
        assert!(lines.iter().any(|line| line.starts_with("      `tandem ")), "{written}");
        assert!(written.lines().count() < 24, "{written}");
    }

    /// Returns a command with a variable set by `env`, which overrides those set for the terminal.
    fn wrapped(command: std::process::Command, setting: &str) -> std::process::Command {
        within(command, &["env", setting])
    }

    /// Returns a command as the last arguments of another, with the same folder and variables.
    fn within(command: std::process::Command, outer: &[&str]) -> std::process::Command {
        let outer_arguments = &outer[1..];
        let mut outer = std::process::Command::new(outer[0]);
        outer.args(outer_arguments).arg(command.get_program()).args(command.get_args());
        outer.current_dir(command.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer
    }
}

#[test]
fn quiet_is_results_and_errors() {
    let place = Place::with(&SCRIPT.replace("hw: chaidnn::space()", "y: choice([1, 2])"));
    let ran = place.run(&["-q", "run", "x.rhai"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("Frontier"), "{}", ran.out);
    let loud = place.run(&["run", "x.rhai"]);
    assert_eq!(loud.out, ran.out.replace("x-1", "x-2"));
    assert!(
        loud.err.contains("\n64 trials in ") && loud.err.contains("known before: "),
        "{}",
        loud.err
    );
    assert!(loud.err.contains("\nnext: `tandem show x-2 "), "{}", loud.err);
    let ran = place.run(&["run", "y.rhai", "--quiet"]);
    assert!(ran.code == 2 && ran.err.starts_with("error: cannot read y.rhai"), "{}", ran.err);
}

#[test]
fn the_outcome_of_a_run_is_one_json_object() {
    let place = Place::with(&format!(
        "{SCRIPT}fn thresholds() {{ [\"reward >= 0.75\", \"valid > 99\"] }}\n"
    ));
    let ran = place.run(&["run", "x.rhai", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (99, ""));
    let outcome: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for (name, expected) in [
        ("run", serde_json::json!("x-1")),
        ("status", serde_json::json!("finished")),
        ("trials", serde_json::json!(64)),
        ("valid", serde_json::json!(64)),
        ("failed", serde_json::json!(0)),
        ("points", serde_json::json!(3 * 8_640)),
    ] {
        assert_eq!(outcome[name], expected, "{name}");
    }
    assert_eq!(outcome["best"]["metrics"]["accuracy"], 0.75);
    assert_eq!(outcome["best"]["point"]["x"], "3");
    assert_eq!(outcome["phases"][0]["best_step"], outcome["best"]["step"]);
    assert_eq!(outcome["frontier"][0]["reward"], 0.75);
    assert_eq!(outcome["thresholds"][0]["holds"], true);
    assert_eq!(outcome["thresholds"][1]["value"], 64.0);
    assert!(outcome["trials_per_s"].as_f64().unwrap() > 0.0);
    let again: serde_json::Value =
        serde_json::from_str(&place.ok(&["show", "x-1", "--summary", "--json"])).unwrap();
    assert_eq!(
        (&again["frontier"], &again["seconds"]),
        (&outcome["frontier"], &serde_json::Value::Null)
    );
    // Elsewhere it is a format.
    let query = ["query", "accuracy == 0.75", "--limit", "2"];
    let json = place.ok(&[&query[..], &["--json"]].concat());
    assert_eq!(json, place.ok(&[&query[..], &["--format", "json"]].concat()));
    let both = place.run(&[&query[..], &["--json", "--format", "csv"]].concat());
    assert_eq!(both.code, 2);
}

#[test]
fn errors_are_lines_of_json_if_asked_for() {
    let error = |place: &Place, arguments: &[&str]| -> serde_json::Value {
        let ran = place.run(arguments);
        assert_eq!((ran.out.as_str(), ran.err.lines().count()), ("", 1), "{}", ran.err);
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(error["code"], ran.code);
        error
    };
    let place = Place::with(&SCRIPT.replace("p.x / 4.0", "p.y / 4.0"));
    let wrong = error(&place, &["check", "x.rhai", "--json"]);
    assert_eq!(wrong["error"], "the point has no part `y`; it has `hw`, `x`");
    assert_eq!((&wrong["file"], &wrong["line"]), (&"x.rhai".into(), &2.into()));
    assert_eq!(wrong["column"], 32);
    let wrong = error(&place, &["run", "x.rhai", "--json"]);
    let message = wrong["error"].as_str().unwrap();
    assert!(
        message.starts_with("each of the first 32 trials failed, the first with: the point"),
        "{message}"
    );
    assert_eq!(wrong["line"], 2);
    let place = Place::with(SCRIPT);
    let missing = error(&place, &["run", "x.txt", "--json"]);
    assert_eq!(missing["help"], "an experiment is a .rhai script, or a .yaml file that names one");
    let typo = error(&place, &["run", "x.rhai", "--stesp", "3", "--json"]);
    assert_eq!(typo["error"], "unexpected argument '--stesp' found");
    assert_eq!(
        (&typo["code"], &typo["help"]),
        (&2.into(), &"a similar argument exists: '--steps'".into())
    );
    let nothing = error(&place, &["--json", "run"]);
    assert_eq!(nothing["error"], "the following required arguments were not provided: <FILE>");
    assert!(nothing["help"].as_str().unwrap().starts_with("Usage: tandem run "), "{nothing}");
    assert!(error(&place, &["--json", "data"])["help"].is_string());
    assert!(place.ok(&["run", "--json", "--help"]).contains("Examples:"));
    let store = error(&place, &["runs", "--json"]);
    assert!(store["error"].as_str().unwrap().starts_with("there is no store"), "{store}");
}

#[test]
fn an_interrupted_or_resumed_run_says_what_this_process_did() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai", "--steps", "20"]);
    let ran = place.run(&["resume", "x-1", "--steps", "50"]);
    assert!(ran.err.starts_with("resuming: 20 trials stored, checkpoint at 20\n"), "{}", ran.err);
    assert!(ran.err.contains("\n30 trials in "), "{}", ran.err);
    assert!(ran.out.contains("\n50 trials ("), "{}", ran.out);
}

/// Checks the number of cached trials of a session: points repeat, and a process caches its own evaluations.
#[test]
fn what_was_known_before_is_that_of_the_session() {
    let place = Place::with(&SCRIPT.replace("hw: chaidnn::space()", "y: choice([1, 2])"));
    place.ok(&["run", "x.rhai", "--steps", "50"]);
    let json = place.ok(&["resume", "x-1", "--steps", "60", "--json"]);
    let outcome: serde_json::Value = serde_json::from_str(&json).unwrap();
    let points: Vec<String> = place
        .trials("x-1")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|trial| format!("{} {}", trial["x"], trial["y"]))
        .collect();
    let known = |points: &[String]| points.len() - points.iter().collect::<BTreeSet<_>>().len();
    let (first, second) = (known(&points[..50]), known(&points[50..]));
    assert_eq!(outcome["session_trials"], 10);
    assert_eq!(outcome["session_known_before"]["metrics"], second);
    assert_eq!(outcome["known_before"]["metrics"], first + second);
    let ran = place.run(&["resume", "x-1", "--steps", "61"]);
    assert!(ran.err.contains("\n1 trial in ") && !ran.err.contains("known before"), "{}", ran.err);
}

#[test]
fn some_trials_that_fail_are_said_with_the_first_reason() {
    let evaluate = "fn evaluate(p) { if p.x == 2 { throw \"no such network\" }";
    let place = Place::with(&SCRIPT.replace("fn evaluate(p) {", evaluate));
    let ran = place.run(&["run", "x.rhai"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = ran.err.lines().find(|line| line.contains(" failed, the first: ")).unwrap();
    let (count, reason) = line.split_once(" failed, the first: ").unwrap();
    assert!(ran.out.contains(&format!(", {count} failed) of ")), "{}", ran.out);
    assert!(reason.starts_with("no such network") && line.chars().count() <= 100, "{line}");
}

/// Checks a summary without provenance, which leaves no gap.
#[test]
fn a_summary_has_no_two_empty_lines_in_a_row() {
    let place = Place::with(&SCRIPT.replace("hw: chaidnn::space()", "y: choice([1, 2])"));
    let mut command = place.command(&["run", "x.rhai"]);
    let file = std::fs::File::create(place.path().join("both")).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(command.status().unwrap().success());
    let both = std::fs::read_to_string(place.path().join("both")).unwrap();
    assert!(both.contains("\n\n64 trials in ") && !both.contains("\n\n\n"), "{both}");
}

#[test]
fn the_summary_of_the_quickstart_fits_a_screen() {
    let place = Place::new();
    let file = project().join("experiments/quickstart.rhai").display().to_string();
    let out = place.ok(&["run", &file, "--set", "valid=100"]);
    assert!(out.lines().count() <= 40, "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    assert!(out.contains(" more: tandem pareto quickstart-1\n"), "{out}");
    let again = place.run(&["show", "quickstart-1", "--summary"]);
    assert!(again.err.contains("next: `tandem explain quickstart-1 "), "{}", again.err);
    // Other programs get all of it.
    let csv = place.ok(&["show", "quickstart-1", "--summary", "--format", "csv"]);
    let pareto = place.ok(&["pareto", "quickstart-1", "--format", "csv"]);
    assert_eq!(csv.lines().count(), pareto.lines().count());
    assert!(csv.lines().count() > 11 && !csv.contains('…'), "{csv}");
}

#[test]
fn a_shell_gets_completions_and_the_manual_has_a_page_for_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = place.ok(&["completions", shell]);
        for word in ["resume", "--objectives", "completions"] {
            // PowerShell and Elvish write options of commands as they are, too.
            assert!(completions.contains(word.trim_start_matches('-')), "{shell}: {word}");
        }
    }
    let page = place.ok(&["man"]);
    place.ok(&["man", "pages/man1"]);
    let folder = place.path().join("pages/man1");
    assert_eq!(std::fs::read_to_string(folder.join("tandem.1")).unwrap(), page);
    let run = std::fs::read_to_string(folder.join("tandem-run.1")).unwrap();
    for part in [
        ".SH \"EXIT STATUS\"",
        "a threshold of the experiment does not hold",
        "TANDEM_STORE",
        ".SH EXAMPLES",
    ] {
        assert!(run.contains(part), "{part}: {run}");
    }
    assert!(folder.join("tandem-data-fetch.1").is_file());
    let help = place.ok(&["--help"]);
    let commands = help.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split("  ").next()?;
        (!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .then_some(name)
    });
    let commands: Vec<&str> =
        commands.filter(|name| *name != "help" && !name.starts_with('-')).collect();
    assert!(commands.len() > 20, "{help}");
    for command in commands {
        assert!(folder.join(format!("tandem-{command}.1")).is_file(), "{command}");
    }
}

#[test]
fn help_leads_on() {
    let place = Place::new();
    let start = place.ok(&[]);
    assert!(start.contains("  tandem new first "), "{start}");
    assert!(start.lines().all(|line| line.chars().count() <= 80), "{start}");
    let typo = place.run(&["resmue"]);
    assert_eq!(typo.code, 2);
    assert!(typo.err.contains("'resume'"), "{}", typo.err);
    let typo = place.run(&["run", "x.rhai", "--stesp", "3"]);
    assert!(typo.code == 2 && typo.err.contains("'--steps'"), "{}", typo.err);
    let help = place.ok(&["help", "run"]);
    assert!(help.contains("Examples:\n  tandem run first.rhai\n"), "{help}");
}

#[test]
fn a_new_experiment_runs_as_it_is() {
    let place = Place::new();
    for (template, steps) in [("search", 200), ("space", 200), ("train", 2)] {
        let file = format!("{template}.rhai");
        let ran = place.run(&["new", template, "--template", template]);
        assert_eq!((ran.code, ran.out), (0, format!("{file}\n")), "{}", ran.err);
        assert!(ran.err.contains(&format!("`tandem run {file}`")), "{}", ran.err);
        let checked = place.run(&["check", &file, "--strict"]);
        assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
        let ran = place.run(&["run", &file, "--steps", &steps.to_string(), "--json"]);
        assert!([0, 99].contains(&ran.code), "{}", ran.err);
        let outcome: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&outcome["trials"], &outcome["failed"]), (&steps.into(), &0.into()));
        assert!(!outcome["frontier"].as_array().unwrap().is_empty());
    }
    let before = std::fs::read(place.path().join("search.rhai")).unwrap();
    let again = place.run(&["new", "search.rhai", "--template", "space"]);
    assert_eq!(
        (again.code, again.err.as_str()),
        (
            2,
            "error: search.rhai is there already, and is left as it is\nhint: give the new experiment \
             another name\n"
        )
    );
    assert_eq!(std::fs::read(place.path().join("search.rhai")).unwrap(), before);
}

#[test]
fn a_new_folder_has_its_settings_beside_the_script() {
    let place = Place::new();
    let out = place.ok(&["new", "studies/first", "--folder"]);
    assert_eq!(out, "studies/first/experiment.rhai\nstudies/first/experiment.yaml\n");
    place.ok(&["run", "studies/first/experiment.yaml", "--steps", "64", "--quiet"]);
    assert_eq!(place.trials("experiment-1").lines().count(), 64);
    assert_eq!(place.run(&["new", "studies/first", "--folder"]).code, 2);
    let json = place.run(&["new", "studies/second", "--folder", "--json"]);
    let written: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let files = ["studies/second/experiment.rhai", "studies/second/experiment.yaml"];
    assert_eq!((json.err.as_str(), written), ("", serde_json::json!({ "written": files })));
    let spaced = place.run(&["new", "a b"]);
    assert!(spaced.err.contains("`tandem check 'a b.rhai'` is a dry run"), "{}", spaced.err);
    assert_eq!(place.run(&["new", "/"]).code, 2);
}
