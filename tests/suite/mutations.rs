//! Random scripts and settings, for a few seconds; `tests/fuzz/run` tries them for hours.

use std::fs;
use std::path::Path;

use rand::Rng;
use rand::seq::IndexedRandom;
use tandem::script;
use tandem::util::deep_stack;
use tandem::util::rng::stream;

use crate::support::project;

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

/// Values that functions do not expect.
const VALUES: [&str; 40] = [
    "()",
    "true",
    "0",
    "1",
    "-1",
    "64",
    "-9223372036854775807 - 1",
    "9223372036854775807",
    "0.0",
    "-0.5",
    "1e308",
    "0.0 / 0.0",
    "1.0 / 0.0",
    "''",
    "'ä'",
    "\"\"",
    "\"ä\\u{1F600}\"",
    "text",
    "\"accuracy\"",
    "\"accuracy <= 1\"",
    "[]",
    "[1]",
    "array",
    "[[], [[]]]",
    "blob()",
    "blob(9, 255)",
    "#{}",
    "#{ a: 1 }",
    "#{ accuracy: [1.0, 0.0] }",
    "map",
    "0..5",
    "5..0",
    "0..=9223372036854775807",
    "-5..-9",
    "|x| x",
    "|| 1",
    "|a, b| a",
    "Fn(\"f\")",
    "Fn(\"f\").curry(array)",
    "nothing",
];

/// Runs `run` on a thread with a stack for scripts.
fn on_its_thread(run: impl FnOnce() + Send + 'static) {
    if let Err(panic) = deep_stack::builder().spawn(run).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Checks that each function that a script can call takes any values without a panic, a hang or too much
/// memory.
#[test]
fn native_functions_take_anything() {
    on_its_thread(|| {
        let names: Vec<String> = script::vocabulary().into_iter().collect();
        assert!(names.iter().any(|name| name == "chaidnn::estimate"), "{names:?}");
        assert!(names.iter().any(|name| name == "parse_le_int"), "{names:?}");
        let mut rng = stream(0, "native functions", 0);
        for name in names.iter().filter(|name| *name != "exit") {
            let mut calls = String::new();
            for arguments in 0..5 {
                for _ in 0..6 * arguments + 1 {
                    let arguments: Vec<&str> =
                        (0..arguments).map(|_| *VALUES.choose(&mut rng).unwrap()).collect();
                    // As a method, a function may change its subject.
                    calls += &match arguments.split_first() {
                        Some((subject, rest)) if rng.random() && !name.contains("::") => format!(
                            "try {{ let it = {subject}; it.{name}({}); seen = it; }} catch {{ }}\n",
                            rest.join(", ")
                        ),
                        _ => format!(
                            "try {{ seen = {name}({}); }} catch {{ }}\n",
                            arguments.join(", ")
                        ),
                    };
                }
            }
            fuzz::script(&format!(
                "fn f(a) {{ a }}\n\
                 fn space() {{ #{{ x: choice([1]) }} }}\n\
                 fn reward(m) {{ 0.0 }}\n\
                 fn evaluate(p) {{\n\
                 let text = \"\"; text.pad(60000, 'y'); let array = []; array.pad(900, 7); let seen = ();\n\
                 let map = #{{}}; for i in 0..300 {{ map[`k${{i}}`] = i; }} let nothing = #{{ epochs: -1, data: 1 }};\n\
                 {calls} #{{ n: 1 }} }}"
            ));
        }
    });
}

/// Checks random mutations of the shipped scripts.
#[test]
fn mutated_scripts_do_no_harm() {
    on_its_thread(|| {
        let mut corpus = Vec::new();
        collect(&project().join("experiments"), "rhai", &mut corpus);
        collect(&project().join("scripts"), "rhai", &mut corpus);
        assert!(corpus.len() > 5);
        let names: Vec<String> = script::vocabulary().into_iter().collect();
        let mut rng = stream(0, "mutations", 0);
        for _ in 0..600 {
            fuzz::script(&mutated(&corpus, &names, &mut rng));
        }
    });
}

#[test]
fn mutated_settings_do_no_harm() {
    let mut corpus = vec![
        "script: x.rhai\nseed: 1\nsteps: 10\nlimits: { operations: 5, seconds: 1.5 }\nargs: { a: [1, {b: c}] }\n".to_owned(),
        "a: &a [1, 1]\nb: &b [*a, *a]\nargs: { c: [*b, *b] }\nscript: x\n".to_owned(),
    ];
    collect(&project().join("experiments"), "yaml", &mut corpus);
    let words: Vec<String> = [
        "limits.seconds=",
        "&a",
        "*a",
        "<<:",
        "!!int",
        "- ",
        "? ",
        "|",
        ">",
        "~",
        ".inf",
        "1e999",
        "0x7fffffffffffffff",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut rng = stream(0, "settings", 0);
    for _ in 0..3_000 {
        fuzz::settings(&mutated(&corpus, &words, &mut rng));
    }
}

/// Adds the texts of all files below a folder with an extension, in the order of their names.
fn collect(folder: &Path, extension: &str, texts: &mut Vec<String>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, extension, texts);
        } else if path.extension().is_some_and(|own| own == extension) {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns a text of the corpus with some words replaced, moved, repeated, removed or inserted.
fn mutated(corpus: &[String], words: &[String], rng: &mut impl Rng) -> String {
    let mut parts = parts(corpus.choose(rng).unwrap());
    for _ in 0..rng.random_range(1..8) {
        let at = rng.random_range(0..parts.len().max(1)).min(parts.len());
        let end = (at + rng.random_range(0..20)).min(parts.len());
        match rng.random_range(0..6) {
            0 => drop(parts.drain(at..end)),
            1 => {
                let again = parts[at..end].to_vec();
                for _ in 0..rng.random_range(1..40) {
                    parts.splice(at..at, again.iter().cloned());
                }
            }
            2 if at < parts.len() => parts[at].clone_from(words.choose(rng).unwrap()),
            3 => parts.insert(at, (*VALUES.choose(rng).unwrap()).to_owned()),
            4 => {
                let other = self::parts(corpus.choose(rng).unwrap());
                let from = rng.random_range(0..other.len().max(1)).min(other.len());
                parts.splice(at..end, other[from..(from + 30).min(other.len())].iter().cloned());
            }
            _ => parts.truncate(parts.len().saturating_sub(rng.random_range(0..40))),
        }
        parts.truncate(4_000);
    }
    parts.concat()
}

/// Splits a text into words and the single characters between them.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut in_word = false;
    for character in text.chars() {
        let is_word = character.is_alphanumeric() || character == '_';
        match parts.last_mut() {
            Some(last) if is_word && in_word => last.push(character),
            _ => parts.push(character.to_string()),
        }
        in_word = is_word;
    }
    parts
}
