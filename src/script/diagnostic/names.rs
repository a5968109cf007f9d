//! Suggestions of names, and the names of types in messages.

use crate::util::suggest::nearest;

/// The most names that are listed.
const LISTED: usize = 12;

/// Lists names in backticks, as the end of a sentence: `a`, `b` or `c`.
pub(in crate::script) fn listed<S: AsRef<str>>(names: &[S], word: &str) -> String {
    let quote = |name: &S| format!("`{}`", name.as_ref());
    let mut quoted: Vec<String> = names.iter().take(LISTED).map(quote).collect();
    if names.len() > LISTED {
        quoted.push(format!("{} more", names.len() - LISTED));
    }
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// Returns a hint with the nearest known name, if any, and all known ones; `None` if there are none.
pub(in crate::script) fn meant_or_known<S: AsRef<str>>(
    name: &str,
    known: &[S],
    what: &str,
) -> Option<String> {
    let near = nearest(name, known.iter().map(AsRef::as_ref));
    if let Some(near) = near.first() {
        return Some(format!("is `{near}` meant? {what} {}", listed(known, "and")));
    }
    (!known.is_empty()).then(|| format!("{what} {}", listed(known, "and")))
}

/// Returns the name of a type in scripts and their documentation.
pub(in crate::script) fn type_name(engine: &str) -> &str {
    let plain = engine.trim().trim_start_matches('&').trim_start();
    let plain = plain.strip_prefix("mut ").unwrap_or(plain).trim();
    match plain {
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "str" | "String" | "ImmutableString" | "str | ImmutableString | String" => "string",
        "Array" | "alloc::vec::Vec<rhai::types::dynamic::Dynamic>" => "array",
        "Map" => "map",
        "Fn" | "FnPtr" => "function",
        "()" => "nothing",
        "Range<i64>"
        | "ExclusiveRange"
        | "RangeInclusive<i64>"
        | "InclusiveRange"
        | "range="
        | "Range<INT>"
        | "RangeInclusive<INT>" => "range",
        "Dynamic" | "T" | "?" | "_" | "" => "anything",
        _ => {
            // A type of the program without a name for people: its last part says most.
            let path = plain.trim_end_matches('>');
            path.rsplit(['<', ':']).next().unwrap_or(path)
        }
    }
}

/// Returns a type with its article: an int, a float, nothing.
pub(in crate::script) fn a_type(name: &str) -> String {
    match name {
        "nothing" => "nothing (`()`)".to_owned(),
        "anything" => "anything".to_owned(),
        _ if name.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O']) => {
            format!("an {name}")
        }
        _ => format!("a {name}"),
    }
}

/// Returns a count with its noun: no cells, 1 cell, 2 cells.
pub(in crate::script) fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_scripts() {
        for (engine, script) in [
            ("i64", "int"),
            ("&str | ImmutableString | String", "string"),
            ("&mut Array", "array"),
            ("alloc::sync::Arc<tandem::pareto::Weighted>", "Weighted"),
            ("tandem::script::modules::phase::ScriptPhase", "ScriptPhase"),
            ("ChaidnnConfiguration", "ChaidnnConfiguration"),
        ] {
            assert_eq!(type_name(engine), script);
        }
    }
}
