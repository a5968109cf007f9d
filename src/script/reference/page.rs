//! The reference as a page of Markdown.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use rhai::Engine;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage,
    BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage, LanguageCorePackage,
    LogicPackage, MoreStringPackage, Package,
};

use super::catalog::{Function, FunctionCatalog, FunctionGroup, GroupKind, names};
use super::script_engine;
use crate::script::language::DISABLED;

/// The command that writes the page.
pub(super) const COMMAND: &str = "tandem definitions --markdown docs/script-api.md";

const HEAD: &str = "\
What an experiment's script defines, and what it can call. Types are `int`, `float`, `bool`, `string`, `array`, \
`map`, `function` (a closure `|x| ...` or `Fn(\"name\")`), `any`, and those listed below; `a.f(b)` and \
`f(a, b)` are the same call. Behind `// =>` is what a line gives.
";

/// Returns the reference of everything that scripts define and call, as Markdown.
///
/// # Errors
/// The engine's description of its functions cannot be read.
pub fn reference_page() -> io::Result<String> {
    let engine = script_engine(PathBuf::new());
    let catalog = FunctionCatalog::of(&engine)?;
    let mut page = String::from("# Script reference\n\n");
    let _ = writeln!(page, "<!-- Written by `{COMMAND}`. -->\n\n{HEAD}");
    contents(&mut page, &catalog);
    page.push_str(
        "\n## What a script defines\n\nThe program calls these. Only `space` is always needed, and `evaluate` \
         and `reward` to run.\n",
    );
    functions(&mut page, &catalog.roles, None);
    page.push_str("\n## Functions\n");
    functions(&mut page, &catalog.globals, None);
    for module in &catalog.modules {
        let _ = write!(page, "\n## Module `{}`\n\n{}\n", module.name, flowing(&module.doc));
        functions(&mut page, &module.functions, None);
    }
    page.push_str("\n## Types\n");
    for kind in &catalog.types {
        type_section(&mut page, kind);
    }
    language(&mut page, &engine)?;
    Ok(page)
}

fn contents(page: &mut String, catalog: &FunctionCatalog) {
    let joined = |items: Vec<String>| items.join(", ");
    let modules = catalog.modules.iter().map(|m| format!("[{0}](#module-{0})", m.name));
    let types = catalog.types.iter().map(|t| {
        let anchor = t.name.to_lowercase();
        format!("[{}](#type-{anchor})", t.name)
    });
    let _ = write!(
        page,
        "- [What a script defines](#what-a-script-defines): {}\n\
         - [Functions](#functions): {}\n\
         - Modules: {}\n\
         - [Types](#types): {}\n\
         - [The language's own functions](#the-languages-own-functions)\n",
        joined(of(&catalog.roles)),
        joined(of(&catalog.globals)),
        joined(modules.collect()),
        joined(types.collect()),
    );
}

/// Returns the names of functions, each once.
fn of(functions: &[Function]) -> Vec<String> {
    let mut names: Vec<String> = functions.iter().map(|f| format!("`{}`", f.name)).collect();
    names.dedup();
    names
}

/// Writes functions, those of one name together; methods are written behind their receiver.
fn functions(page: &mut String, functions: &[Function], of_type: Option<&str>) {
    for overloads in functions.chunk_by(|a, b| a.name == b.name) {
        if of_type.is_none() {
            let _ = write!(page, "\n### {}\n", overloads[0].name);
        }
        for function in overloads {
            let signature = signature(function, of_type.is_some());
            let _ = write!(page, "\n**`{signature}`**\n\n{}\n", flowing(&function.doc));
        }
    }
}

fn type_section(page: &mut String, group: &FunctionGroup) {
    let _ = write!(page, "\n### Type `{}`\n\n{}\n", group.name, flowing(&group.doc));
    let of_kind = |kind| group.functions.iter().filter(move |function| function.kind == kind);
    if of_kind(GroupKind::Property).next().is_some() {
        page.push_str("\n| property | type | what |\n|---|---|---|\n");
        for property in of_kind(GroupKind::Property) {
            let kind = spelled(&property.result);
            let text = property.doc.split("```").next().unwrap_or_default().trim();
            let what = text.replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | `{kind}` | {what} |", property.name);
        }
    }
    for function in &group.functions {
        let what = flowing(&function.doc);
        let names: Vec<&str> = function.parameters.iter().map(|p| p.name.as_str()).collect();
        let result = spelled(&function.result);
        let _ = match (function.kind, names.as_slice()) {
            (GroupKind::Index, [of, key]) => {
                write!(page, "\n**`{of}[{key}] -> {result}`**\n\n{what}\n")
            }
            (GroupKind::Operator, [a, b]) => {
                write!(page, "\n**`{a} {} {b} -> {result}`**\n\n{what}\n", function.name)
            }
            (GroupKind::Function, _) => {
                functions(page, std::slice::from_ref(function), Some(&group.name));
                Ok(())
            }
            _ => Ok(()),
        };
    }
}

/// Returns a signature in the types of scripts.
fn signature(function: &Function, is_method: bool) -> String {
    let mut parameters = function.parameters.iter();
    let mut signature = String::new();
    if is_method && let Some(value) = parameters.next() {
        let _ = write!(signature, "{}.", value.name);
    }
    let parameters: Vec<String> =
        parameters.map(|p| format!("{}: {}", p.name, spelled(&p.kind))).collect();
    let _ = write!(signature, "{}({})", function.name, parameters.join(", "));
    if !function.result.is_empty() {
        let _ = write!(signature, " -> {}", spelled(&function.result));
    }
    signature
}

/// Returns a type by its name in scripts; also several types, in words.
fn spelled(kind: &str) -> String {
    let words = kind.split(' ').map(|word| {
        let (name, rest) = word.split_at(word.trim_end_matches(',').len());
        let name = match name {
            "String" => "string",
            "Array" => "array",
            "Map" => "map",
            "FnPtr" => "function",
            "Dynamic" => "any",
            other => other,
        };
        format!("{name}{rest}")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Joins the lines of each paragraph; code blocks and tables stay as they are.
fn flowing(doc: &str) -> String {
    let (mut text, mut is_code) = (String::new(), false);
    for line in doc.lines() {
        let fence = line.starts_with("```");
        let is_prose = |text: &str| {
            let last = text.lines().last().unwrap_or_default();
            !last.is_empty() && !last.starts_with("```") && !last.starts_with('|')
        };
        let goes_on = !is_code
            && !fence
            && !line.is_empty()
            && !line.starts_with('|')
            && !text.ends_with("\n\n")
            && is_prose(&text);
        is_code ^= fence;
        if goes_on {
            text.truncate(text.trim_end().len());
            text.push(' ');
        }
        text.push_str(line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// Returns the names of the language's functions, by package.
pub(super) fn packages() -> io::Result<Vec<(&'static str, Vec<String>)>> {
    fn of(package: impl Package) -> io::Result<Vec<String>> {
        let mut engine = Engine::new_raw();
        engine.register_global_module(package.as_shared_module());
        names(&engine)
    }
    Ok(vec![
        ("Core", of(LanguageCorePackage::new())?),
        ("Numbers", [of(ArithmeticPackage::new())?, of(BasicMathPackage::new())?].concat()),
        ("Logic", of(LogicPackage::new())?),
        ("Bits", of(BitFieldPackage::new())?),
        ("Texts", [of(BasicStringPackage::new())?, of(MoreStringPackage::new())?].concat()),
        ("Arrays", of(BasicArrayPackage::new())?),
        ("Maps", of(BasicMapPackage::new())?),
        ("Ranges", of(BasicIteratorPackage::new())?),
        ("Bytes", of(BasicBlobPackage::new())?),
        ("Functions", of(BasicFnPackage::new())?),
    ])
}

fn language(page: &mut String, engine: &Engine) -> io::Result<()> {
    page.push_str(
        "\n## The language's own functions\n\nThe [Rhai book](https://rhai.rs/book/) describes the language and \
         these functions of its [packages](https://rhai.rs/book/rust/packages/builtin.html).\n\n",
    );
    let there = names(engine)?;
    for (package, mut names) in packages()? {
        names.sort_unstable();
        names.dedup();
        names.retain(|name| there.contains(name) && !DISABLED.contains(&name.as_str()));
        if !names.is_empty() {
            let _ = writeln!(page, "- {package}: `{}`", names.join("`, `"));
        }
    }
    let _ = writeln!(
        page,
        "\nScripts have no `{}`: what they do depends on nothing but their input.",
        DISABLED.join("`, no `")
    );
    Ok(())
}
