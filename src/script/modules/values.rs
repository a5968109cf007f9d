//! Values of choices, as scripts list or bound them.

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext};

use crate::script::options::{OptionReader, described, error_at_call, number};
use crate::space::Value;
use crate::space::params::{Content, DEFAULT_STEPS, RangeError, integers, powers_of_two, reals};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Returns a function with the name of its choice, for errors: "int `rows`", or "int()" without a name.
fn called(function: &str, name: &str) -> String {
    if name.is_empty() { format!("{function}()") } else { format!("{function} `{name}`") }
}

/// Converts a script's value to an option's; `None` if no option can have it.
pub(super) fn value_of(value: &Dynamic) -> Option<Value> {
    if let Ok(flag) = value.as_bool() {
        Some(Value::Flag(flag))
    } else if let Ok(int) = value.as_int() {
        Some(Value::Int(int))
    } else if let Ok(float) = value.as_float() {
        float.is_finite().then_some(Value::Float(float))
    } else {
        value.clone().into_string().ok().map(Value::Text)
    }
}

/// Converts an option's value to a script's.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Flag(flag) => (*flag).into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) => (*float).into(),
        Value::Text(text) => text.into(),
    }
}

/// Converts the values that a script lists for a function.
pub(super) fn listed(
    context: &NativeCallContext,
    function: &str,
    values: &[Dynamic],
) -> Fallible<Vec<Value>> {
    let option = |value: &Dynamic| {
        value_of(value).ok_or_else(|| {
            let (expected, given) = ("flags, finite numbers and texts", described(context, value));
            error_at_call(context, format!("{function}() takes {expected}, not {given}"))
        })
    };
    values.iter().map(option).collect()
}

/// Returns a choice among listed values.
pub(super) fn choice(context: &NativeCallContext, values: &[Dynamic]) -> Fallible<Content> {
    listed(context, "choice", values).map(Content::Choice)
}

/// Returns a choice among whole numbers within bounds.
pub(super) fn int(
    context: &NativeCallContext,
    name: &str,
    (low, high): (&Dynamic, &Dynamic),
    options: Map,
) -> Fallible<Content> {
    let what = called("int", name);
    let whole = |bound: &Dynamic| {
        bound.as_int().map_err(|_| {
            let given = described(context, bound);
            error_at_call(context, format!("{what} takes whole bounds, not {given}"))
        })
    };
    let (low, high) = (whole(low)?, whole(high)?);
    let mut options = OptionReader::new(context, "int()", options);
    let step = options.whole("step", 1)?;
    let log = options.flag("log")?;
    options.end()?;
    let values = match (log, step) {
        (true, Some(_)) => {
            let reason = format!("{what} has a `step` and `log: true`; give one of them");
            return Err(error_at_call(context, reason));
        }
        (true, None) => powers_of_two(low, high),
        (false, step) => integers(low, high, step.unwrap_or(1)),
    };
    values.map(Content::Choice).map_err(|error| out_of_range(context, &what, &error))
}

/// Returns a choice among real numbers within bounds.
pub(super) fn float(
    context: &NativeCallContext,
    name: &str,
    (low, high): (&Dynamic, &Dynamic),
    options: Map,
) -> Fallible<Content> {
    let what = called("float", name);
    let bound = |bound: &Dynamic| {
        number(bound).ok_or_else(|| {
            let given = described(context, bound);
            error_at_call(context, format!("{what} takes numbers as bounds, not {given}"))
        })
    };
    let (low, high) = (bound(low)?, bound(high)?);
    let mut options = OptionReader::new(context, "float()", options);
    let steps = options.whole("steps", 2)?.unwrap_or(DEFAULT_STEPS as u64);
    let log = options.flag("log")?;
    options.end()?;
    let values = reals(low, high, steps, log);
    values.map(Content::Choice).map_err(|error| out_of_range(context, &what, &error))
}

fn out_of_range(context: &NativeCallContext, what: &str, error: &RangeError) -> Box<EvalAltResult> {
    error_at_call(context, format!("{what}: {error}"))
}

/// Returns a choice between false and true.
pub(super) fn flag() -> Content {
    Content::Choice(vec![Value::Flag(false), Value::Flag(true)])
}

/// Returns a subset of listed items.
pub(super) fn subset(
    context: &NativeCallContext,
    items: &[Dynamic],
    options: Map,
) -> Fallible<Content> {
    let items = listed(context, "subset", items)?;
    let mut options = OptionReader::new(context, "subset()", options);
    let mut count = |name, default| -> Fallible<usize> {
        let given = options.whole(name, 0)?;
        Ok(given.map_or(default, |count| usize::try_from(count).unwrap_or(usize::MAX)))
    };
    let (least, most) = (count("least", 0)?, count("most", items.len())?);
    options.end()?;
    Ok(Content::Subset { items, least, most })
}

/// Returns a permutation of listed items.
pub(super) fn permutation(context: &NativeCallContext, items: &[Dynamic]) -> Fallible<Content> {
    listed(context, "permutation", items).map(Content::Permutation)
}
