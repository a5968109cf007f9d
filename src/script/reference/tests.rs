//! Tests that every function is documented, and that the documentation is true.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};
use tempfile::TempDir;

use super::catalog::{Function, GroupKind, names};
use super::*;
use crate::accel::chaidnn::ChaidnnEstimate;
use crate::accuracy::nasbench101::Nasbench101TableError;
use crate::run::{Event, Experiment, Runner};
use crate::script::contract::entry_points::ENTRY_POINTS;
use crate::script::language::DISABLED;
use crate::script::modules::TrainingPlan;
use crate::script::services::ScriptNetwork;
use crate::script::{Script, Settings};
use crate::search::ControllerSpec;
use crate::store::{OpenMode, Outcome, RunRecord, Store};
use crate::util::rng::stream;

/// The mark between an expression and its value.
const GIVES: &str = "// =>";

/// The number of trials of an example that is an experiment.
const TRIALS: u64 = 12;

fn catalog() -> FunctionCatalog {
    FunctionCatalog::of(&script_engine(PathBuf::new())).unwrap()
}

/// Returns the name of a function with its parameter types.
fn full_name(function: &Function) -> String {
    let kinds: Vec<&str> = function.parameters.iter().map(|p| p.kind.as_str()).collect();
    format!("{}({})", function.name, kinds.join(", "))
}

#[test]
fn every_function_is_documented() {
    let catalog = catalog();
    let mut wrong = Vec::new();
    for function in catalog.functions() {
        let name = full_name(function);
        if function.doc.is_empty() {
            wrong.push(format!("{name} has no documentation: register it with native!"));
        } else if function.kind == GroupKind::Function && function.examples().is_empty() {
            wrong.push(format!("{name} has no example: a block of ```rhai"));
        }
        let kinds = function.parameters.iter().map(|p| &p.kind).chain([&function.result]);
        let known = |kind: &str| {
            const LANGUAGE: [&str; 9] =
                ["int", "float", "bool", "String", "Array", "Map", "FnPtr", "Dynamic", "()"];
            LANGUAGE.contains(&kind) || catalog.types.iter().any(|named| named.name == kind)
        };
        for kind in kinds.flat_map(|kind| kind.split([' ', ','])) {
            if !(known(kind) || ["or", ""].contains(&kind)) {
                wrong.push(format!("{name}: `{kind}` is no type of scripts"));
            }
        }
    }
    for group in catalog.modules.iter().chain(&catalog.types) {
        if group.doc.is_empty() {
            wrong.push(format!("{} has no documentation", group.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn examples_do_what_they_say() {
    let place = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for function in catalog().functions() {
        for example in function.examples() {
            count += 1;
            if let Err(reason) = run_example(&example, place.path()) {
                wrong.push(format!("{}: {reason}\n{example}", full_name(function)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} examples were found");
}

#[test]
fn a_wrong_example_is_found() {
    let place = tempfile::tempdir().unwrap();
    let run = |text: &str| run_example(text, place.path());
    assert_eq!(run("let x = 41.27;\nx + 0.0 // => 41.3\nx > 41.0 // => true"), Ok(()));
    assert_eq!(run("fn twice(x) {\n    2 * x\n}\ntwice(3) // => 6\ntwice(4) // => 8"), Ok(()));
    assert_eq!(run("1.25 + 0.0 // => 1.5").unwrap_err(), "`1.5` is 1.25");
    assert_eq!(run("\"a\" + 1 // => a2").unwrap_err(), "`a2` is a1");
    assert!(run("no_such(1);").unwrap_err().contains("no_such"));
    for wrong in [
        "fn space() { #{ x: choice([]) } }",
        "fn evaluate(point) { #{ accuracy: point.y } }",
        "fn schedule(run) { run.no_such }",
        "fn summary(run) { table(1) }",
        "fn training(point) { 1 }",
        "fn sweep() { 1 }",
        "fn thresholds() { [\"much\"] }",
    ] {
        assert!(run(wrong).is_err(), "{wrong}");
    }
}

/// Runs an example: an experiment if it has functions of the contract and no values, else statements.
fn run_example(text: &str, place: &Path) -> Result<(), String> {
    let defines = |name: &str| text.contains(&format!("fn {name}("));
    if text.contains(GIVES) || !ENTRY_POINTS.iter().any(|role| defines(role.name)) {
        return run_statements(text, place);
    }
    let mut script = text.to_owned();
    for (name, function) in [
        ("space", "fn space() { #{ x: choice([1, 2, 3]) } }"),
        ("evaluate", "fn evaluate(point) { #{ accuracy: 0.5, latency_ms: 9.0, area_mm2: 4.0 } }"),
        ("reward", "fn reward(metrics) { 0.5 }"),
    ] {
        if !defines(name) {
            script.push_str(function);
            script.push('\n');
        }
    }
    let result = run_experiment(&script, place);
    // The accuracies of NASBench-101 are not here, and whoever asks for them is told so.
    let missing = Nasbench101TableError::Missing { folder: place.to_owned() }.to_string();
    match result {
        Err(reason) if text.contains("nasbench101") && reason.contains(&missing) => Ok(()),
        result => result,
    }
}

/// Runs statements one after another and compares their values with those shown.
fn run_statements(text: &str, place: &Path) -> Result<(), String> {
    let (mut functions, mut scope, mut pending) = (AST::empty(), Scope::new(), String::new());
    let engine = script_engine(place.to_owned());
    let mut run = |statements: &str| -> Result<Dynamic, String> {
        let failed = |error: Box<EvalAltResult>| error.to_string();
        let compiled = engine.compile(statements).map_err(|error| error.to_string())?;
        let whole = functions.merge(&compiled);
        functions = whole.clone_functions_only();
        engine.eval_ast_with_scope::<Dynamic>(&mut scope, &whole).map_err(failed)
    };
    for line in text.lines() {
        let (statement, expected) = match line.split_once(GIVES) {
            Some((statement, expected)) => (statement, Some(expected.trim())),
            None => (line, None),
        };
        pending.push_str(statement);
        pending.push('\n');
        if let Some(expected) = expected {
            let value = run(&std::mem::take(&mut pending))?;
            let shown = shown(&engine, value.clone())?;
            if shown != expected && !is_rounded(&value, expected) {
                return Err(format!("`{expected}` is {shown}"));
            }
        }
    }
    run(&pending).map(drop)
}

/// Returns the text that `print` would write for a value.
fn shown(engine: &Engine, value: Dynamic) -> Result<String, String> {
    let mut scope = Scope::new();
    scope.push_dynamic("value", value);
    engine.eval_with_scope(&mut scope, "value.to_string()").map_err(|error| error.to_string())
}

/// Returns true if a text is a number rounded to the digits of the text.
fn is_rounded(value: &Dynamic, text: &str) -> bool {
    let Some((_, digits)) = text.split_once('.') else { return false };
    value.as_float().is_ok_and(|value| format!("{value:.*}", digits.len()) == text)
}

/// Loads an experiment, runs it for some trials, and calls everything else that it defines.
fn run_experiment(text: &str, place: &Path) -> Result<(), String> {
    fn reason(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
    let file = place.join("example.rhai");
    std::fs::write(&file, text).map_err(reason)?;
    let settings = Settings { threads: Some(1), ..Settings::default() };
    let script = Script::load(&file, &settings, place.to_owned()).map_err(reason)?;
    if script.defines("sweep") {
        script.sweep_plan().map_err(reason)?;
    }
    if script.defines("training") {
        let point = script.space().draw(&mut stream(0, "example", 0)).map_err(reason)?;
        script.training(&point).map_err(|failure| failure.to_string())?;
    }
    let folder = TempDir::new_in(place).map_err(reason)?;
    let store = Store::open(folder.path(), OpenMode::ReadWrite).map_err(reason)?;
    let run = RunRecord { steps: Some(TRIALS), ..RunRecord::new("example", "example.rhai") };
    let runner = Runner {
        experiment: &script,
        store: &store,
        run: store.create_run(run).map_err(reason)?,
        threads: 1,
        stop: &AtomicBool::new(false),
        observer: &mut |_: Event<'_>| {},
    };
    let (_, progress) = runner.run().map_err(reason)?;
    for trial in progress.trials() {
        if let Outcome::Failed { reason, .. } = &trial.outcome {
            return Err(format!("trial {} failed: {reason}", trial.step));
        }
    }
    script.summary(&progress).map(drop).map_err(|failure| failure.to_string())
}

/// Returns the options in a table of the documentation, each with its default.
fn documented_options(doc: &str) -> Vec<(String, String)> {
    let unquoted = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = doc.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let mut cells = row.split('|').skip(1);
        Some((unquoted(cells.next()?), unquoted(cells.next()?)))
    })
    .collect()
}

/// Calls of the functions with documented options, except controllers; `OPTIONS` stands for optional entries.
const CALLS: [(&str, &str); 6] = [
    ("phase", "phase(\"a\", #{ steps: 1, OPTIONS })"),
    ("mobilenet::network", "mobilenet::network(mobilenet::v2(), #{ OPTIONS })"),
    ("nasbench101::network", "nasbench101::network(nasbench101::cell(\"resnet\"), #{ OPTIONS })"),
    ("nasbench201::network", "nasbench201::network(CELL, #{ OPTIONS })"),
    ("train::fit", "train::plan(nasbench201::network(CELL), #{ data: \"cifar10\", OPTIONS })"),
    ("chaidnn::estimate", "chaidnn::estimate(nasbench201::network(CELL), HW, #{ OPTIONS })"),
];

#[test]
fn documented_options_and_defaults_are_those_that_there_are() {
    let engine = script_engine(PathBuf::new());
    let call = |call: &str, options: &str| {
        let cell = "nasbench201::cell(\"|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+\
                    |skip_connect~0|none~1|skip_connect~2|\")";
        let hardware = "chaidnn::configuration(\"8x32-i1K-w1K-o1K-m512-nopool-r1\")";
        let call = call.replace("CELL", cell).replace("HW", hardware);
        engine.eval::<Dynamic>(&call.replace("OPTIONS", options))
    };
    let controllers = ControllerSpec::all().into_iter().filter(|spec| !spec.settings().is_empty());
    let calls: Vec<(String, String)> = controllers
        .map(|spec| (spec.name().to_owned(), format!("{}(#{{ OPTIONS }})", spec.name())))
        .chain(CALLS.map(|(name, call)| (name.to_owned(), call.to_owned())))
        .collect();
    let mut found = 0;
    for function in catalog().functions() {
        let options = documented_options(&function.doc);
        if options.is_empty() {
            continue;
        }
        found += 1;
        let name = &function.name;
        let template = calls.iter().find(|(known, _)| known == name);
        let (_, template) = template.unwrap_or_else(|| panic!("add a call of {name} to CALLS"));
        let error = call(template, "no_such: 1").unwrap_err().to_string();
        let (_, known) = error.split_once("`no_such`").expect(&error);
        let known: Vec<&str> = known.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for (option, _) in &options {
            assert!(known.contains(&option.as_str()), "{name} has no `{option}`: {error}");
        }
        let listed = known.iter().filter(|word| options.iter().any(|(name, _)| name == *word));
        let words = known.iter().filter(|word| word.contains('_')).count();
        let snake = options.iter().filter(|(option, _)| option.contains('_')).count();
        assert_eq!((listed.count(), snake), (options.len(), words), "{name}: {error}");

        let literal = |text: &str| engine.eval_expression::<Dynamic>(text).is_ok();
        let explicit: Vec<String> = options
            .iter()
            .filter(|(_, default)| literal(default) && !default.contains('('))
            .map(|(option, default)| format!("{option}: {default}"))
            .collect();
        if explicit.is_empty() {
            continue;
        }
        let given = call(template, &explicit.join(", ")).unwrap();
        let default = call(template, "").unwrap();
        assert!(is_same(&given, &default), "{name}: the defaults are not {explicit:?}");
    }
    assert_eq!(found, calls.len());
}

/// Returns true if two values made from options are the same.
fn is_same(a: &Dynamic, b: &Dynamic) -> bool {
    fn both<T: Clone + 'static>(a: &Dynamic, b: &Dynamic, same: impl Fn(&T, &T) -> bool) -> bool {
        match (a.clone().try_cast::<T>(), b.clone().try_cast::<T>()) {
            (Some(a), Some(b)) => same(&a, &b),
            _ => false,
        }
    }
    both::<ControllerSpec>(a, b, |a, b| a == b)
        || both::<ChaidnnEstimate>(a, b, |a, b| a == b)
        || both::<ScriptNetwork>(a, b, |a, b| a.network().digest() == b.network().digest())
        || both::<TrainingPlan>(a, b, |a, b| {
            (&a.recipe, a.seed, a.seeds) == (&b.recipe, b.seed, b.seeds)
        })
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/script-api.md");
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let now = reference_page().unwrap();
    let different = there.lines().zip(now.lines()).position(|(a, b)| a != b);
    assert!(
        there == now,
        "docs/script-api.md is not what the functions say (line {}): write it anew by `cargo run -- {}`",
        different.unwrap_or_else(|| there.lines().count().min(now.lines().count())) + 1,
        page::COMMAND.trim_start_matches("tandem "),
    );
}

/// The page of controllers has a row for each, with a link to its settings in the reference.
#[test]
fn the_page_of_controllers_has_each_of_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/controllers.md");
    let page = std::fs::read_to_string(path).unwrap();
    for spec in ControllerSpec::all() {
        let row = format!("\n| [`{0}`](script-api.md#{0}) | ", spec.name());
        assert!(page.contains(&row), "docs/controllers.md has no row of `{}`", spec.name());
    }
}

#[test]
fn definitions_have_every_function_and_nothing_of_rust() {
    let files = definitions().unwrap();
    let catalog = catalog();
    let text = |name: &str| &files.iter().find(|(file, _)| file == name).expect(name).1;
    for module in &catalog.modules {
        let text = text(&format!("{}.d.rhai", module.name));
        assert!(text.starts_with("/// "), "{text}");
        for function in &module.functions {
            let name = function.name.rsplit("::").next().unwrap();
            assert!(text.contains(&format!("fn {name}(")), "{}", function.name);
        }
    }
    for function in catalog.globals.iter().filter(|function| function.kind == GroupKind::Function) {
        let named = format!("fn {}(", function.name);
        assert!(text("__static__.d.rhai").contains(&named), "{named}");
    }
    for (name, text) in &files {
        for line in text.lines().filter(|line| !line.starts_with("///") && !line.is_empty()) {
            assert!(is_definition(line), "{name}: {line}");
            for symbol in DISABLED {
                assert!(!line.starts_with(&format!("fn {symbol}(")), "{name}: {line}");
            }
        }
    }
}

/// Returns true if the language server can read a definition, with types that are names or `?`.
fn is_definition(line: &str) -> bool {
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_type = |text: &str| text == "?" || is_name(text);
    let is_parameter = |text: &str| {
        let text = text.trim_start_matches("...");
        text.split_once(": ").is_some_and(|(name, kind)| is_name(name) && is_type(kind))
    };
    let Some(line) = line.strip_suffix(';') else { return false };
    if let Some(module) = line.strip_prefix("module ") {
        return is_name(module);
    }
    if let Some(constant) = line.strip_prefix("const ") {
        return is_parameter(constant);
    }
    let (line, result) = line.rsplit_once(" -> ").unwrap_or((line, "?"));
    let Some(line) = line.strip_suffix(')').filter(|_| is_type(result)) else { return false };
    let Some((name, parameters)) = line.split_once('(') else { return false };
    let parameters = || parameters.split(", ").filter(|parameter| !parameter.is_empty());
    match name.split(' ').collect::<Vec<_>>().as_slice() {
        ["op", _] => parameters().all(is_type),
        ["fn", name] | ["fn", "get" | "set", name] => {
            is_name(name) && parameters().all(is_parameter)
        }
        _ => false,
    }
}

#[test]
fn every_function_of_the_language_is_in_a_package() {
    let catalog = catalog();
    let packages = page::packages().unwrap();
    let all: Vec<&String> = packages.iter().flat_map(|(_, names)| names).collect();
    for name in names(&script_engine(PathBuf::new())).unwrap() {
        let ours = catalog.functions().any(|function| function.name == name);
        assert!(ours || all.contains(&&name), "`{name}` is in no package of the page");
    }
}
