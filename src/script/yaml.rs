//! Mistakes of settings files as messages with a source line and a caret.

use serde_yaml::Error;

use super::diagnostic::{Diagnostic, Place, nearest};

impl Diagnostic {
    /// The message of a YAML file that cannot be read; `label` is its name.
    pub fn of_yaml(label: &str, text: &str, error: &Error) -> Self {
        explain(label, text, error)
    }
}

fn explain(label: &str, text: &str, error: &Error) -> Diagnostic {
    let said = error.to_string();
    // The place is given apart.
    let said = said.split(" at line ").next().unwrap_or(&said);
    let place = error.location().map(|at| Place {
        label: label.to_owned(),
        line: at.line().max(1),
        column: at.column().max(1),
    });
    let place = place.or_else(|| Some(Place::of_offset(label, text, 0)));
    let (path, what) = match said.split_once(": ") {
        Some((path, what)) if is_path(path) => (path, what),
        _ => ("", said),
    };
    let diagnostic = match what.strip_prefix("unknown field `").and_then(|w| w.split_once('`')) {
        Some((name, expected)) => unknown(path, name, expected),
        None => match mismatch(what) {
            Some((given, expected)) => {
                let subject = if path.is_empty() {
                    "the file".to_owned()
                } else {
                    format!("the setting `{path}`")
                };
                Diagnostic::new(format!("{subject} is {given}; it must be {expected}"))
            }
            None => Diagnostic::new(match what.strip_prefix("did not find expected ") {
                Some(expected) => format!("{} is expected here", expected.replace('\'', "`")),
                None => what.to_owned(),
            }),
        },
    };
    diagnostic.in_place(place)
}

/// Whether a text names a setting, such as `limits.operations`.
fn is_path(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "_.[]".contains(c))
}

fn unknown(path: &str, name: &str, expected: &str) -> Diagnostic {
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let whole = |name: &str| {
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    };
    let diagnostic = Diagnostic::new(format!("there is no setting `{}`", whole(name)));
    match nearest(name, known.iter().copied()).first() {
        Some(near) => diagnostic.with_help(format!("is `{near}` meant?")),
        None => diagnostic.with_help(format!(
            "there are {}; an argument of the script belongs under `args:`",
            known.join(", ")
        )),
    }
}

/// What a value is and what it should be, of the words of the reader.
fn mismatch(what: &str) -> Option<(String, String)> {
    let rest = what.strip_prefix("invalid type: ").or_else(|| what.strip_prefix("invalid value: "));
    let (given, expected) = rest?.split_once(", expected ")?;
    let given = match given.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer" | "boolean" | "character", value)) => value.trim_matches('`').to_owned(),
        Some(("floating", value)) => {
            value.trim_start_matches("point ").trim_matches('`').to_owned()
        }
        _ => match given {
            "map" => "a map".to_owned(),
            "sequence" => "a list".to_owned(),
            "unit value" => "empty".to_owned(),
            other => other.to_owned(),
        },
    };
    let expected = match expected {
        "u64" | "usize" | "u32" => "a whole number of at least 0",
        "i64" => "a whole number",
        "f64" => "a number",
        "a string" | "path string" => "a text",
        "a sequence" => "a list",
        "a map" => "a map of names and values",
        "a boolean" => "true or false",
        _ if expected.starts_with("struct ") => "a map of settings, `name: value` on each line",
        other => other,
    };
    Some((given, expected.to_owned()))
}
