//! The module `space`: parts of named choices, with conditions and forbidden combinations.

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, Module, NativeCallContext};

use super::part_value::{PartError, ScriptDraft, contents};
use super::rules::{self, rule};
use super::{cell, values};
use crate::script::native::{name_type, native};
use crate::script::options::error_at_call;
use crate::space::params::MixedError;

type Context<'a> = NativeCallContext<'a>;
type Chained = Result<ScriptDraft, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine, globals: &mut Module) {
    name_type::<ScriptDraft>(globals, "Part", "A part of named choices in the making.");
    register_choices(globals);
    register_rules(globals);
    rules::register(globals);
    cell::register_type(globals);

    let mut module = Module::new();
    module.set_doc("Parts of a space of one's own.");
    native! { &mut module =>
        /// A part without choices, to which calls in a chain add them.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().choice("engine", ["systolic", "vector"]).int("rows", 4, 64) } }
        /// ```
        fn part() -> Part = ScriptDraft::default;
    }
    cell::register_functions(&mut module);
    engine.register_static_module("space", module.into());
}

/// Registers the methods that add names to a part.
fn register_choices(globals: &mut Module) {
    type Part = ScriptDraft;
    native! { globals =>
        /// Adds a choice of listed values: flags, numbers or texts.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().choice("engine", ["systolic", "vector"]) } }
        /// ```
        fn choice(part: Part, name: String, values: Array) -> Part =
            |context: Context, part: Part, name: &str, values: Array| {
                part.with(&context, name, values::choice(&context, &values)?)
            };
        /// Adds a whole number; both bounds are among them.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().int("depth", 1, 8) } }
        /// ```
        fn int(part: Part, name: String, low: int, high: int) -> Part =
            |context: Context, part: Part, name: &str, low: Dynamic, high: Dynamic| {
                part.with(&context, name, values::int(&context, name, (&low, &high), Map::new())?)
            };
        /// Adds a whole number from `low` to `high` with options: `step` (1) between the numbers, or `log: true` for
        /// `low`, twice as much, and so on to `high`.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part().int("rows", 4, 64, #{ step: 4 }).int("lanes", 1, 64, #{ log: true })
        /// } }
        /// ```
        fn int(part: Part, name: String, low: int, high: int, options: Map) -> Part =
            |context: Context, part: Part, name: &str, low: Dynamic, high: Dynamic, options: Map| {
                part.with(&context, name, values::int(&context, name, (&low, &high), options)?)
            };
        /// Adds one of 101 real numbers the same distance apart; both bounds are among them.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().float("voltage", 0.6, 1.1) } }
        /// ```
        fn float(part: Part, name: String, low: float, high: float) -> Part =
            |context: Context, part: Part, name: &str, low: Dynamic, high: Dynamic| {
                part.with(&context, name, values::float(&context, name, (&low, &high), Map::new())?)
            };
        /// Adds a real number from `low` to `high` with options: how many `steps` (101) there are, and `log: true`
        /// for the same factor between them instead of the same distance.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().float("leak", 1e-4, 1e-1, #{ log: true, steps: 31 }) } }
        /// ```
        fn float(part: Part, name: String, low: float, high: float, options: Map) -> Part =
            |context: Context, part: Part, name: &str, low: Dynamic, high: Dynamic, options: Map| {
                part.with(&context, name, values::float(&context, name, (&low, &high), options)?)
            };
        /// Adds `false` or `true`.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().flag("pool_engine") } }
        /// ```
        fn flag(part: Part, name: String) -> Part =
            |context: Context, part: Part, name: &str| part.with(&context, name, values::flag());
        /// Adds some of the listed items, none of them and all of them included: in points an array in the order
        /// in which they are listed.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: space::part().subset("ops", ["conv", "pool", "skip"]) } }
        /// ```
        fn subset(part: Part, name: String, items: Array) -> Part =
            |context: Context, part: Part, name: &str, items: Array| {
                part.with(&context, name, values::subset(&context, &items, Map::new())?)
            };
        /// Adds some of the listed items, at least `least` (0) and at most `most` (all) of them: in points an array
        /// in the order in which they are listed.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: space::part().subset("ops", ["conv", "pool", "skip"], #{ least: 1, most: 2 }) } }
        /// ```
        fn subset(part: Part, name: String, items: Array, bounds: Map) -> Part =
            |context: Context, part: Part, name: &str, items: Array, bounds: Map| {
                part.with(&context, name, values::subset(&context, &items, bounds)?)
            };
        /// Adds all listed items in some order: in points an array.
        ///
        /// ```rhai
        /// fn space() { #{ hw: space::part().permutation("loops", ["row", "column", "channel"]) } }
        /// ```
        fn permutation(part: Part, name: String, items: Array) -> Part =
            |context: Context, part: Part, name: &str, items: Array| {
                part.with(&context, name, values::permutation(&context, &items)?)
            };
        /// Adds a part under a name: one of named choices, a map of parts, or one of another kind.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part()
        ///         .choice("engine", ["systolic", "vector"])
        ///         .part("array", space::part().int("rows", 4, 64).int("columns", 4, 64))
        ///         .when(|c| c.engine == "systolic")
        /// } }
        /// ```
        fn part(part: Part, name: String, inner: Dynamic) -> Part = add_part;
    }
}

/// Registers conditions and forbidden combinations.
fn register_rules(globals: &mut Module) {
    native! { globals =>
        /// Says when what was added last is decided: where the condition holds of what is before it. It is `()`
        /// in points where it is not.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part()
        ///         .choice("engine", ["systolic", "vector"])
        ///         .choice("dataflow", ["ws", "os"]).when(|c| c.engine == "systolic")
        /// } }
        /// ```
        fn when(part: Part, condition: FnPtr) -> Part = when;
        /// Forbids the combinations for which a rule holds.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part().int("rows", 1, 64).int("columns", 1, 64)
        ///         .forbid(|c| c.rows * c.columns > 2_048)
        /// } }
        /// ```
        fn forbid(part: Part, rule: FnPtr) -> Part =
            |context: Context, part: ScriptDraft, predicate: FnPtr| {
                forbid(&context, part, None, &predicate)
            };
        /// Forbids the combinations for which a rule holds; messages call the rule by its name.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part().int("rows", 1, 64).int("columns", 1, 64)
        ///         .forbid("too large", |c| c.rows * c.columns > 2_048)
        /// } }
        /// ```
        fn forbid(part: Part, name: String, rule: FnPtr) -> Part =
            |context: Context, part: ScriptDraft, name: &str, predicate: FnPtr| {
                forbid(&context, part, Some(name), &predicate)
            };
    }
}

fn add_part(context: Context, mut part: ScriptDraft, name: &str, inner: Dynamic) -> Chained {
    let wrong = |error: PartError| error_at_call(&context, error.to_string());
    let (content, natives) = contents(name, inner).map_err(wrong)?;
    part.add(name, content, natives).map_err(|error| error_at_call(&context, error.to_string()))?;
    Ok(part)
}

fn when(context: Context, mut part: ScriptDraft, predicate: FnPtr) -> Chained {
    let wrong = |error: MixedError| error_at_call(&context, error.to_string());
    let (place, subject) = part.draft.subject().map_err(wrong)?;
    let what = format!("the condition of `{subject}`");
    let rule = rule(&context, (&part.draft, place), &what, &predicate)?;
    part.draft.when(rule).map_err(wrong)?;
    Ok(part)
}

fn forbid(
    context: &NativeCallContext,
    mut part: ScriptDraft,
    name: Option<&str>,
    predicate: &FnPtr,
) -> Chained {
    let wrong = |error: MixedError| error_at_call(context, error.to_string());
    let what = name.map_or_else(|| "the rule".to_owned(), |name| format!("the rule `{name}`"));
    let end = part.draft.names(&[]).len();
    let rule = rule(context, (&part.draft, end), &what, predicate)?;
    part.draft.forbid(name, rule).map_err(wrong)?;
    // Refused here, rules that leave nothing are shown at the last of them.
    match part.draft.clone().finish() {
        // Later rules may leave few enough.
        Ok(_) | Err(MixedError::TooMany) => Ok(part),
        Err(error) => Err(wrong(error)),
    }
}
