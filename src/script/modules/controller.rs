//! The functions that make controllers, one for each kind: `random()`, `evolution(#{ ... })` and so on.
//!
//! Names, settings and documentation come from `search`: a new controller needs no change here.

use rhai::{Dynamic, EvalAltResult, Map, Module, NativeCallContext, serde::from_dynamic};

use crate::script::native::{name_type, registration};
use crate::script::options::{error_at_call, unknown_option};
use crate::search::ControllerSpec;

/// The name of the type of controllers in scripts.
const CONTROLLER: &str = "Controller";

pub(super) fn register(globals: &mut Module) {
    name_type::<ControllerSpec>(
        globals,
        CONTROLLER,
        "What proposes the points of a phase; docs/controllers.md compares them.",
    );
    for spec in ControllerSpec::all() {
        let (name, about) = (spec.name(), spec.about());
        if !spec.settings().is_empty() {
            let title = format!("{} with other settings.", about.title);
            let docs = documentation(&title, &spec.settings_table(), about.settings_example);
            let docs: Vec<&str> = docs.iter().map(String::as_str).collect();
            let defaults = spec.clone();
            registration("fn", name, &docs, &["options: Map"], CONTROLLER).set_into_module(
                globals,
                move |context: NativeCallContext, options: Map| {
                    with_settings(&context, &defaults, options)
                },
            );
        }
        let docs = documentation(about.doc, &[], about.example);
        let docs: Vec<&str> = docs.iter().map(String::as_str).collect();
        registration("fn", name, &docs, &[], CONTROLLER)
            .set_into_module(globals, move || spec.clone());
    }
}

/// Returns the lines of a function's documentation: a text, a table and an example.
fn documentation(text: &str, table: &[String], example: &str) -> Vec<String> {
    let mut blocks = vec![vec![text.to_owned()]];
    if !table.is_empty() {
        blocks.push(table.to_vec());
    }
    blocks.push(["```rhai", example, "```"].map(str::to_owned).to_vec());
    let blocks = blocks.join(&String::new());
    blocks.into_iter().map(|line| format!(" {line}")).collect()
}

/// Makes a controller with the settings of an option map.
fn with_settings(
    context: &NativeCallContext,
    defaults: &ControllerSpec,
    options: Map,
) -> Result<ControllerSpec, Box<EvalAltResult>> {
    let name = defaults.name();
    let known: Vec<&str> = defaults.settings().iter().map(|setting| setting.name).collect();
    if let Some(unknown) = options.keys().find(|option| !known.contains(&option.as_str())) {
        return Err(unknown_option(context, &format!("{name}()"), unknown, &known));
    }
    let wrong = |reason: &str| error_at_call(context, format!("{name}(): {reason}"));
    // As in JSON: the settings under the controller's name.
    let written = Map::from([(name.into(), Dynamic::from(options))]);
    let spec: ControllerSpec = from_dynamic(&Dynamic::from(written)).map_err(|error| {
        let error = error.to_string();
        wrong(error.strip_prefix("Syntax error: ").unwrap_or(&error))
    })?;
    spec.validate().map_err(|error| wrong(&error.to_string()))?;
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::script::reference::script_engine;
    use crate::search::{Evolution, ReinforceSettings};

    fn made(call: &str) -> Result<ControllerSpec, String> {
        let engine = script_engine(PathBuf::new());
        engine.eval::<ControllerSpec>(call).map_err(|error| error.to_string())
    }

    #[test]
    fn options_become_settings() {
        for spec in ControllerSpec::all() {
            assert_eq!(made(&format!("{}()", spec.name())).unwrap(), spec);
        }
        let evolution = Evolution { population: 50, sample: 5, ..Evolution::default() };
        assert_eq!(
            made("evolution(#{ population: 50, sample: 5 })").unwrap(),
            ControllerSpec::Evolution(evolution)
        );
        let reinforce = ReinforceSettings { tanh_constant: Some(2.5), ..Default::default() };
        assert_eq!(
            made("reinforce(#{ tanh_constant: 2.5 })").unwrap(),
            ControllerSpec::Reinforce(reinforce)
        );
        assert!(made("random(#{})").is_err());
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        for (call, expected) in [
            (
                "evolution(#{ bach: 3 })",
                "evolution() has no option `bach`; it takes population, sample, batch",
            ),
            ("evolution(#{ bach: 3 })", "is `batch` meant?"),
            ("reinforce(#{ lr: 0.1 })", "is `learning_rate` meant?"),
            (
                "evolution(#{ population: 1 })",
                "evolution(): `population` is 1: the members must be from 2 to 65,536",
            ),
            (
                "reinforce(#{ clip_norm: 0.0 })",
                "reinforce(): `clip_norm` is 0: the largest norm must be above 0 and at most 1000000",
            ),
        ] {
            let error = made(call).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// A value of another type is reported as if the settings stood alone.
    #[test]
    fn wrong_types_are_refused() {
        for value in ["\"many\"", "-1", "2.5", "()"] {
            let map = format!("#{{ population: {value} }}");
            let engine = script_engine(PathBuf::new());
            let alone = from_dynamic::<Evolution>(&engine.eval(&map).unwrap()).unwrap_err();
            let alone = alone.to_string();
            let alone = alone.strip_prefix("Syntax error: ").unwrap_or(&alone);
            let error = made(&format!("evolution({map})")).unwrap_err();
            assert!(error.contains(&format!("evolution(): {alone}")), "{error}");
        }
    }
}
