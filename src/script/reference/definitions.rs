//! Definitions for editors, as the Rhai language server reads them.

use std::io;
use std::path::PathBuf;

use super::{FunctionCatalog, script_engine};
use crate::script::language::DISABLED;

/// Returns the definition files of everything that scripts can call, each with its name.
///
/// # Errors
/// The engine's description of its functions cannot be read.
pub fn definitions() -> io::Result<Vec<(String, String)>> {
    let engine = script_engine(PathBuf::new());
    let modules = FunctionCatalog::of(&engine)?.modules;
    let documented = |name: &str, text: String| {
        let module = name.strip_suffix(".d.rhai").unwrap_or(name);
        match modules.iter().find(|group| group.name == module) {
            Some(group) => {
                let doc: String = group.doc.lines().map(|line| format!("/// {line}\n")).collect();
                doc + text.as_str()
            }
            None => text,
        }
    };
    let definitions = engine.definitions();
    let files = definitions.iter_files().map(|(name, text)| {
        let text = documented(&name, of_scripts(&text));
        (name, text)
    });
    Ok(files.collect())
}

/// Types of the language that no value of a script has, and the results of undocumented functions, which
/// replace the language's own.
const FOREIGN: [&str; 14] = [
    "i8",
    "i16",
    "i32",
    "i128",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "f32",
    "Decimal",
    "Instant",
    "timestamp",
    "EvalAltResult",
];

/// Leaves out definitions that scripts lack, and spells types as the language server reads them.
fn of_scripts(text: &str) -> String {
    let (mut kept, mut comments) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("///") {
            comments.push_str(line.trim_end());
            comments.push('\n');
            continue;
        }
        // Kinds of ranges may differ in nothing but what is a `range` here.
        let is_new = |definition: &String| !kept.trim_end().ends_with(definition.as_str());
        if let Some(definition) = of_script(line).filter(is_new) {
            if !comments.is_empty() || line.starts_with("fn ") {
                kept.push('\n');
            }
            kept.push_str(&comments);
            kept.push_str(&definition);
            kept.push('\n');
        }
        comments.clear();
    }
    kept
}

/// Returns the definition in a line; `None` if scripts lack the function.
fn of_script(line: &str) -> Option<String> {
    let name = line.trim_start_matches("fn ").split('(').next().unwrap_or_default();
    let (parameters, result) = match line.rsplit_once(" -> ") {
        Some((parameters, result)) => (parameters, spelled(result.trim_end_matches(';'))),
        None => (line.trim_end_matches(';'), String::new()),
    };
    let parameters = spelled(parameters);
    let is_foreign = |word: &str| FOREIGN.contains(&word);
    let foreign = words(&parameters).any(is_foreign) || words(&result).any(is_foreign);
    let has_nothing = |text: &str| {
        ["(())", "((),", ", ()", ": ())", ": (),"].iter().any(|part| text.contains(part))
    };
    if DISABLED.contains(&name) || name.contains('$') || foreign || has_nothing(&parameters) {
        return None;
    }
    Some(match result.as_str() {
        "" | "()" => format!("{parameters};"),
        _ => format!("{parameters} -> {result};"),
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Returns a signature with `string` for texts, `blob` for bytes and `range` for every kind of range.
fn spelled(signature: &str) -> String {
    let mut text = String::new();
    let mut rest = signature;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if ["String", "Blob"].contains(&word) {
            text.push_str(&word.to_lowercase());
        } else if word == "CharsStream" {
            text.push_str("range");
        } else if word.contains("Range") || (word == "range" && rest.starts_with('=')) {
            text.push_str("range");
            rest = match rest.strip_prefix('<').and_then(|inner| inner.split_once('>')) {
                Some((_, after)) => after,
                None => rest.strip_prefix('=').unwrap_or(rest),
            };
        } else {
            text.push_str(word);
        }
        let next = rest.chars().next().map_or(0, char::len_utf8);
        text.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    text
}
