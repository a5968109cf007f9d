//! The functions that an experiment script may define.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, Dynamic, Engine, FnAccess, Module};

use super::entry_points::{ENTRY_POINTS, EntryPoint};
use crate::script::Diagnostic;
use crate::script::diagnostic::{counted, definition};
use crate::util::suggest::edits;
use crate::util::suggest::nearest;

/// Returns a function of the contract by its name, with the results that depend on it.
pub(in crate::script) fn effect(name: &str) -> Option<(&'static str, &'static str)> {
    ENTRY_POINTS.iter().find(|role| role.name == name).map(|role| (role.name, role.decides))
}

/// Returns true if the services calls a function of that name.
pub(in crate::script) fn is_contract(name: &str) -> bool {
    ENTRY_POINTS.iter().any(|role| role.name == name)
}

/// The functions that every experiment defines.
///
/// Those of [`TO_RUN`] are needed to run it; a script that defines `sweep` can do without them.
const REQUIRED: [&str; 1] = ["space"];
pub(in crate::script) const TO_RUN: [&str; 2] = ["evaluate", "reward"];

/// The module that holds the script's arguments.
pub(in crate::script) const ARGS: &str = "args";

/// Binds arguments, which scripts read as `args::<name>`.
pub(in crate::script) fn bind_args(engine: &mut Engine, args: &BTreeMap<String, Dynamic>) {
    let mut module = Module::new();
    for (name, value) in args {
        module.set_var(name.as_str(), value.clone());
    }
    engine.register_static_module(ARGS, module.into());
}

/// Returns the functions of the contract that the script defines.
///
/// One that is private, has other parameters, or is needed and missing is an error.
pub(in crate::script) fn contract(
    ast: &AST,
    (label, text): (&str, &str),
) -> Result<BTreeSet<&'static str>, Diagnostic> {
    let mut all = BTreeSet::new();
    let can_sweep = ast.iter_functions().any(|f| f.name == "sweep" && f.params.is_empty());
    for &EntryPoint { name, parameters, .. } in &ENTRY_POINTS {
        let defined: Vec<usize> =
            ast.iter_functions().filter(|f| f.name == name).map(|f| f.params.len()).collect();
        if ast.iter_functions().any(|f| f.name == name && f.access == FnAccess::Private) {
            return Err(Diagnostic::new(format!("`{name}` is private, so it cannot be called"))
                .with_help(format!("leave out `private`: `{}`", example(name)))
                .in_place(definition(label, text, name)));
        }
        // A reward without a parameter is an objective.
        let declared = name == "reward" && defined.contains(&0);
        if defined.contains(&parameters.len()) || declared {
            all.insert(name);
        } else if let Some(&given) = defined.first() {
            let message = format!(
                "`{name}` takes {}, but is called as `{}`",
                counted(given, "parameter"),
                signature(name)
            );
            let help = format!("write for example `{}`", example(name));
            let place = definition(label, text, name);
            return Err(Diagnostic::new(message).with_help(help).in_place(place));
        } else if REQUIRED.contains(&name) || (TO_RUN.contains(&name) && !can_sweep) {
            let others = ast
                .iter_functions()
                .map(|f| f.name)
                .filter(|other| ENTRY_POINTS.iter().all(|role| role.name != *other));
            return Err(match nearest(name, others).first() {
                Some(near) => undefined(name)
                    .with_help(format!("is `{near}` meant to be `{name}`?"))
                    .in_place(definition(label, text, near)),
                None => undefined(name),
            });
        }
    }
    refuse_misspelt(ast, (label, text), &all)?;
    Ok(all)
}

/// Refuses a function that is never called and whose name resembles a missing one of the contract.
fn refuse_misspelt(
    ast: &AST,
    (label, text): (&str, &str),
    defined: &BTreeSet<&'static str>,
) -> Result<(), Diagnostic> {
    let missing: Vec<_> = ENTRY_POINTS.iter().filter(|role| !defined.contains(role.name)).collect();
    for function in ast.iter_functions() {
        let near = missing.iter().find(|role| {
            role.parameters.len() == function.params.len()
                && function.name != role.name
                && edits(function.name, role.name).is_some_and(|edits| edits <= 2)
        });
        let mentions = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| *word == function.name)
            .count();
        if let Some(role) = near
            && mentions == 1
        {
            let message = format!("nobody calls the script's function `{}`", function.name);
            let help = format!("is it meant to be `{}`?", role.name);
            let place = definition(label, text, function.name);
            return Err(Diagnostic::new(message).with_help(help).in_place(place));
        }
    }
    Ok(())
}

/// Returns an example of a function of the contract.
fn example(name: &str) -> &'static str {
    match name {
        "args" => "fn args() { #{ trials: 1000 } }",
        "space" => "fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }",
        "objectives" => "fn objectives() { [\"accuracy:max\", \"latency_ms:min\"] }",
        "thresholds" => "fn thresholds() { [\"best.accuracy >= 0.93\"] }",
        "evaluate" => {
            "fn evaluate(point) { #{ accuracy: accuracy::nasbench201(point.cnn, \"cifar100\") } }"
        }
        "reward" => "fn reward(metrics) { metrics.accuracy }",
        "schedule" => {
            "fn schedule(run) { if run.phases == 0 { phase(\"all\", #{ steps: 1000 }) } }"
        }
        "sweep" => {
            "fn sweep() { #{ networks: nasbench101::networks(), accuracy: accuracy::nasbench101(), \
             accelerator: chaidnn::accelerator() } }"
        }
        "summary" => "fn summary(run) { table(\"best\", [\"reward\"], [[run.best.reward]]) }",
        _ => {
            "fn training(point) { train::plan(nasbench201::network(point.cnn), #{ data: \"cifar10\" }) }"
        }
    }
}

/// Returns the signature of a function of the contract.
fn signature(name: &str) -> String {
    let parameters =
        ENTRY_POINTS.iter().find(|role| role.name == name).map_or(&[][..], |f| f.parameters);
    format!("{name}({})", parameters.join(", "))
}

pub(in crate::script) fn undefined(name: &str) -> Diagnostic {
    Diagnostic::new(format!("the script defines no function `{}`", signature(name)))
        .with_help(format!("write for example `{}`", example(name)))
}
