//! Invalid scripts and settings, each with its expected message.
//!
//! Each case is `tests/golden/diagnostics/NAME.rhai` or `NAME.yaml`, with the expected output in `NAME.txt`.
//! The command is `tandem check`, or the one in a first line `// tandem ARGUMENTS`. Imported modules are in
//! `modules/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Place, project};

/// The environment variable that makes the test rewrite the expected messages, whatever its value.
const RENEW: &str = "TANDEM_RENEW_GOLDEN";

/// Returns the paths of the invalid scripts and settings, sorted by name.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let is_case = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("rhai" | "yaml"))
    };
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_case).collect();
    cases.sort();
    cases
}

/// Returns the exit code and the message of a case.
fn said(case: &Path) -> String {
    let place = Place::new();
    let file = case.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(case).unwrap();
    place.write(file, &text);
    let folder = case.parent().unwrap().join("modules");
    for module in fs::read_dir(folder).unwrap() {
        let module = module.unwrap();
        let name = module.file_name().into_string().unwrap();
        place.write(&name, &fs::read_to_string(module.path()).unwrap());
    }
    let first = text.lines().next().unwrap_or_default();
    let arguments = first.trim_start_matches(['/', '#', ' ']).strip_prefix("tandem ");
    let arguments: Vec<&str> = match arguments {
        Some(arguments) => arguments.split(' ').collect(),
        None => vec!["check", file],
    };
    let ran = place.run(&arguments);
    let said: String = ran.err.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    format!("exit code {}\n{said}", ran.code)
}

#[test]
fn every_wrong_script_gets_its_message() {
    let folder = project().join("tests/golden/diagnostics");
    let cases = cases(&folder);
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut differences = String::new();
    for case in cases {
        let golden = case.with_extension("txt");
        let said = said(&case);
        let name = case.file_name().unwrap().display();
        if let Some(blemish) = blemish(&said) {
            differences += &format!("--- {name}: {blemish}:\n{said}\n");
        }
        if std::env::var_os(RENEW).is_some() {
            fs::write(&golden, &said).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if expected != said {
            differences += &format!("--- {name}, expected:\n{expected}--- but it is:\n{said}\n");
        }
    }
    assert!(differences.is_empty(), "{differences}{RENEW}=1 writes what is said into the files");
}

/// Words of the engine and of Rust that no message for script authors may contain.
const INNER: [&str; 9] =
    ["i64", "f64", "rhai::", "alloc::", "anon$", "get$", "index$", "&str", "Dynamic"];

/// Returns a fault in the form of a message, if it has one.
fn blemish(said: &str) -> Option<String> {
    if let Some(inner) = INNER.iter().find(|inner| said.contains(**inner)) {
        return Some(format!("it says `{inner}`"));
    }
    let messages: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    if messages.is_empty() || messages.iter().any(|message| message.ends_with(['.', '!'])) {
        return Some("it has no message, or one with a full stop".to_owned());
    }
    (!said.starts_with("exit code 3\n")).then(|| "the exit code is another than 3".to_owned())
}
