//! Explanations of errors of the YAML reader.

use serde_yaml::Error;

use super::span::{PathTarget, place};
use super::syntax::{Fault, fault};
use crate::script::diagnostic::{Diagnostic, Place};
use crate::script::truncate::brief;
use crate::util::suggest::nearest;

/// The words with which the reader refuses a value, after the value's path.
const REFUSALS: [&str; 5] = [
    "unknown field `",
    "duplicate field `",
    "duplicate entry with key ",
    "invalid type: ",
    "invalid value: ",
];

impl Diagnostic {
    /// Returns the message of a YAML file that cannot be read; `label` is its name.
    pub fn of_yaml(label: &str, text: &str, error: &Error) -> Self {
        let (said, at) = said(error);
        let here = Place { label: label.to_owned(), line: at.0, column: at.1 };
        if let Some(Fault { message, help, at: (line, column) }) =
            fault(&error.to_string(), text, at)
        {
            let diagnostic = Self { help: help.map(str::to_owned), ..Self::new(message) };
            return diagnostic.in_place(Some(Place { line, column, ..here }));
        }
        let (path, what) = parts(&said);
        if let Some(name) = twice(what) {
            let mut keys = keys(path);
            keys.push(name);
            let second = place(label, text, &keys, PathTarget::Key { second: true });
            return Self::new(format!("`{name}` is there twice")).in_place(second.or(Some(here)));
        }
        refusal(path, what).in_place(Some(here))
    }

    /// Places the message at the last of the keys that lead to its subject in a YAML file.
    ///
    /// If the file lacks them, the place is the start of the file.
    #[must_use]
    pub fn in_yaml<S: AsRef<str>>(self, label: &str, text: &str, path: &[S]) -> Self {
        let key = place(label, text, path, PathTarget::KEY);
        self.in_place(key.or_else(|| Some(Place::of_offset(label, text, 0))))
    }
}

/// Returns the reason that a value of the command line is wrong for a setting.
pub(in crate::script) fn reason(setting: &str, text: &str, error: &Error) -> String {
    let (said, at) = said(error);
    if let Some(Fault { message, help, at: (_, column) }) = fault(&error.to_string(), text, at) {
        let help = help.map_or_else(String::new, |help| format!("; {help}"));
        return brief(format!("{message} (character {column} of `{text}`){help}"));
    }
    let (path, what) = parts(&said);
    let path = if path.is_empty() { setting.to_owned() } else { format!("{setting}.{path}") };
    brief(match (twice(what), mismatch(&path, what)) {
        (Some(name), _) => format!("`{name}` is there twice"),
        (None, Some((given, expected))) => format!("it is {given}; it must be {expected}"),
        (None, None) => what.to_owned(),
    })
}

/// Returns the reader's error without its place, and the place: a line and a column, both from 1.
fn said(error: &Error) -> (String, (usize, usize)) {
    let said = error.to_string();
    match error.location() {
        Some(at) => {
            let (line, column) = (at.line(), at.column());
            let told = format!(" at line {line} column {column}");
            (said.strip_suffix(&told).map_or(said.clone(), str::to_owned), (line, column))
        }
        None => (said, (1, 1)),
    }
}

/// Splits the reader's error into the path of a value, which may be empty, and the reason.
fn parts(said: &str) -> (&str, &str) {
    let starts = |at: &usize| *at == 0 || said[..*at].ends_with(": ");
    let refusal = REFUSALS.iter().filter_map(|words| said.find(words)).filter(starts).min();
    match refusal {
        Some(at) => (said[..at].trim_end_matches(": "), &said[at..]),
        None => (
            "",
            said.split_once(": ").filter(|(path, _)| is_path(path)).map_or(said, |(_, what)| what),
        ),
    }
}

/// Returns true if a text can be the path of a setting, such as `limits.operations`.
fn is_path(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "_.[]".contains(c))
}

/// Returns the keys of a path, the indices of list items included.
fn keys(path: &str) -> Vec<&str> {
    path.split(['.', '[', ']']).filter(|key| !key.is_empty()).collect()
}

/// Returns the key that is there twice, if that is the reason.
fn twice(what: &str) -> Option<&str> {
    let field = what.strip_prefix("duplicate field `").and_then(|name| name.strip_suffix('`'));
    let entry = || what.strip_prefix("duplicate entry with key ");
    field.or_else(|| entry().map(|name| name.trim_matches('"')))
}

fn refusal(path: &str, what: &str) -> Diagnostic {
    let field = what.strip_prefix("unknown field `").and_then(|name| name.split_once('`'));
    match (field, mismatch(path, what)) {
        (Some((name, expected)), _) => unknown(path, name, expected),
        (None, Some((given, expected))) => {
            let is_key = expected == "a name";
            let subject = if is_key { "a key".to_owned() } else { subject(path) };
            Diagnostic::new(format!("{subject} is {given}; it must be {expected}"))
        }
        // The place is given apart.
        (None, None) => Diagnostic::new(what.split(" at line ").next().unwrap_or(what)),
    }
}

fn subject(path: &str) -> String {
    match path.strip_prefix("args.") {
        _ if path.is_empty() => "the file".to_owned(),
        Some(name) => format!("the argument `{name}`"),
        None => format!("the setting `{path}`"),
    }
}

fn unknown(path: &str, name: &str, expected: &str) -> Diagnostic {
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let whole = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let diagnostic = Diagnostic::new(format!("there is no setting `{whole}`"));
    let help = match nearest(name, known.iter().copied()).first() {
        Some(near) => format!("is `{near}` meant?"),
        None if path.is_empty() => {
            format!(
                "there are {}; an argument of the script belongs under `args:`",
                known.join(", ")
            )
        }
        None => format!("there are {}", known.join(", ")),
    };
    diagnostic.with_help(help)
}

/// Returns the value of a setting and the expected one, in words, from the reader's reason.
fn mismatch(path: &str, what: &str) -> Option<(String, String)> {
    if what.starts_with("EOF while parsing") {
        return Some(("empty".to_owned(), of_setting(path).to_owned()));
    }
    let rest = what.strip_prefix("invalid type: ").or_else(|| what.strip_prefix("invalid value: "));
    let (given, expected) = rest?.rsplit_once(", expected ")?;
    let quoted = given.split('`').nth(1);
    let given = match (given.split(' ').next(), quoted) {
        (Some("string"), _) => format!("the text {}", given.trim_start_matches("string ")),
        (_, Some(quoted)) => quoted.to_owned(),
        (Some("map"), _) => "a map".to_owned(),
        (Some("sequence"), _) => "a list".to_owned(),
        (Some("unit"), _) => "empty".to_owned(),
        _ => given.to_owned(),
    };
    let is_large = given.parse::<u128>().is_ok_and(|given| given > u64::MAX.into());
    let expected = match expected {
        "u64" | "usize" if is_large => format!("at most {}", u64::MAX),
        // Only whole numbers that scripts do not have are no values.
        "any YAML value" if is_large => format!("at most {}", i64::MAX),
        "any YAML value" => format!("at least {}", i64::MIN),
        "u64" | "usize" | "f64" => of_setting(path).to_owned(),
        "a string" | "path string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" | "a map of names" => "a map of names and values".to_owned(),
        "field identifier" => "a name".to_owned(),
        "a boolean" => "true or false".to_owned(),
        _ if expected.starts_with("struct ") => {
            "a map of settings, `name: value` on each line".to_owned()
        }
        other => other.to_owned(),
    };
    Some((given, expected))
}

/// Returns the expected value of a setting that is neither a map nor a list, in words.
fn of_setting(path: &str) -> &'static str {
    match path {
        "limits.seconds" => "a number of seconds, or 0 for no limit",
        "steps" | "threads" => "a whole number of at least 1",
        _ if path.starts_with("limits.") => "a whole number of at least 1",
        _ if path.starts_with("fractions") => "a number",
        "data" => "a text",
        _ => "a whole number of at least 0",
    }
}
