//! Parts of a space and the points that scripts see.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Module, NativeCallContext};

use super::part_value::ScriptPart;
use super::values;
use crate::script::native::{name_type, native};
use crate::script::options::{error_at_call, error_at_call_with_help};
use crate::space::params::Content;
use crate::space::{Part, Point};
use crate::util::suggest::nearest;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A point as scripts see it: a value for each part, by name.
#[derive(Clone)]
pub(in crate::script) struct ScriptPoint {
    pub point: Point,
    pub values: Map,
}

pub(super) fn register(globals: &mut Module) {
    name_type::<ScriptPart>(globals, "SpacePart", "A part of a space.");
    name_type::<ScriptPoint>(globals, "Point", "A point: a value for each part of the space.");
    register_parts(globals);
    native! { globals =>
        /// What the point has for a part, as `point.hw` or `point["hw"]`.
        index part(point: Point, part: String) -> Dynamic = read;
    }
}

/// Registers the parts that are a single choice, subset or permutation.
fn register_parts(globals: &mut Module) {
    type Context<'a> = NativeCallContext<'a>;
    native! { globals =>
        /// A part that is one of the listed values: flags, numbers or texts.
        ///
        /// ```rhai
        /// fn space() { #{ engine: choice(["systolic", "vector"]) } }
        /// ```
        fn choice(values: Array) -> SpacePart = |context: Context, values: Array| {
            alone(&context, values::choice(&context, &values)?)
        };
        /// A part that is a whole number; both bounds are among them.
        ///
        /// ```rhai
        /// fn space() { #{ depth: int(1, 8) } }
        /// ```
        fn int(low: int, high: int) -> SpacePart =
            |context: Context, low: Dynamic, high: Dynamic| {
                alone(&context, values::int(&context, "", (&low, &high), Map::new())?)
            };
        /// A part that is a whole number from `low` to `high` with options: `step` (1) between the numbers, or
        /// `log: true` for `low`, twice as much, and so on to `high`.
        ///
        /// ```rhai
        /// fn space() { #{ rows: int(4, 64, #{ step: 4 }), lanes: int(1, 64, #{ log: true }) } }
        /// ```
        fn int(low: int, high: int, options: Map) -> SpacePart =
            |context: Context, low: Dynamic, high: Dynamic, options: Map| {
                alone(&context, values::int(&context, "", (&low, &high), options)?)
            };
        /// A part that is one of 101 real numbers the same distance apart; both bounds are among them.
        ///
        /// ```rhai
        /// fn space() { #{ dropout: float(0.0, 0.5) } }
        /// ```
        fn float(low: float, high: float) -> SpacePart =
            |context: Context, low: Dynamic, high: Dynamic| {
                alone(&context, values::float(&context, "", (&low, &high), Map::new())?)
            };
        /// A part that is a real number from `low` to `high` with options: how many `steps` (101) there are, and
        /// `log: true` for the same factor between them instead of the same distance.
        ///
        /// ```rhai
        /// fn space() { #{ learning_rate: float(1e-4, 1e-1, #{ log: true, steps: 31 }) } }
        /// ```
        fn float(low: float, high: float, options: Map) -> SpacePart =
            |context: Context, low: Dynamic, high: Dynamic, options: Map| {
                alone(&context, values::float(&context, "", (&low, &high), options)?)
            };
        /// A part that is `false` or `true`.
        ///
        /// ```rhai
        /// fn space() { #{ pool: flag() } }
        /// ```
        fn flag() -> SpacePart = |context: Context| alone(&context, values::flag());
        /// A part that is some of the listed items, none of them and all of them included: an array in the
        /// order in which they are listed.
        ///
        /// ```rhai
        /// fn space() { #{ ops: subset(["conv", "pool", "skip"]) } }
        /// ```
        fn subset(items: Array) -> SpacePart = |context: Context, items: Array| {
            alone(&context, values::subset(&context, &items, Map::new())?)
        };
        /// A part that is some of the listed items, at least `least` (0) and at most `most` (all) of them: an array
        /// in the order in which they are listed.
        ///
        /// ```rhai
        /// fn space() { #{ ops: subset(["conv", "pool", "skip"], #{ least: 1, most: 2 }) } }
        /// ```
        fn subset(items: Array, bounds: Map) -> SpacePart =
            |context: Context, items: Array, bounds: Map| {
                alone(&context, values::subset(&context, &items, bounds)?)
            };
        /// A part that is all listed items in some order: an array.
        ///
        /// ```rhai
        /// fn space() { #{ loops: permutation(["row", "column", "channel"]) } }
        /// ```
        fn permutation(items: Array) -> SpacePart = |context: Context, items: Array| {
            alone(&context, values::permutation(&context, &items)?)
        };
    }
}

fn alone(context: &NativeCallContext, content: Content) -> Fallible<ScriptPart> {
    ScriptPart::alone(content).map_err(|error| error_at_call(context, error.to_string()))
}

/// Registers the parts of a space as properties of its points.
///
/// The engine then finds `point.hw` directly, and not by `point["hw"]` after the property was missing.
pub(in crate::script) fn register_names(engine: &mut Engine, parts: &[Part]) {
    for part in parts {
        let name = part.name.clone();
        engine.register_get(&part.name, move |point: &mut ScriptPoint| {
            point.values.get(name.as_str()).cloned().unwrap_or_default()
        });
    }
}

fn read(context: NativeCallContext, point: &mut ScriptPoint, part: &str) -> Fallible<Dynamic> {
    point.values.get(part).cloned().ok_or_else(|| {
        let parts: Vec<&str> = point.values.keys().map(|k| k.as_str()).collect();
        let reason = format!("the point has no part `{part}`; it has `{}`", parts.join("`, `"));
        match nearest(part, parts).first() {
            Some(near) => error_at_call_with_help(&context, reason, &format!("is `{near}` meant?")),
            None => error_at_call(&context, reason),
        }
    })
}
