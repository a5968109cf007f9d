//! Arguments that a script declares, and their values from settings.

use std::collections::BTreeMap;

use rhai::serde::to_dynamic;
use rhai::{Array, Dynamic, Map};
use serde_yaml::Value;

use super::Settings;
use crate::script::compiled::Compiled;
use crate::script::diagnostic::{Diagnostic, meant_or_known};
use crate::script::error::ScriptError;
use crate::script::yaml::PathTarget;
use crate::util::suggest::nearest;

/// Refuses an argument whose value no setting can give.
pub(in crate::script) fn refuse_foreign(
    compiled: &Compiled,
    args: &BTreeMap<String, Dynamic>,
) -> Result<(), ScriptError> {
    for (name, value) in args {
        let Some(foreign) = foreign(value) else { continue };
        let kind = compiled.kind_of(&foreign);
        let is = match value.is_array() || value.is_map() {
            true => format!("has {kind} in it"),
            false => format!("is {kind}"),
        };
        let message = format!("argument `{name}` {is}, which no setting can give");
        let help = "an argument is what YAML and `--set` can give: true or false, a number, a string, \
                    or an array or a map of these";
        let place = compiled.mention("args", name);
        return Err(compiled.refuse(Diagnostic::new(message).with_help(help).in_place(place)));
    }
    Ok(())
}

/// Returns the first value, nested ones included, that settings cannot give.
fn foreign(value: &Dynamic) -> Option<Dynamic> {
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().find_map(foreign);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.values().find_map(foreign);
    }
    let is_plain = value.is_bool() || value.is_int() || value.is_float() || value.is_string();
    (!is_plain).then(|| value.clone())
}

/// Returns the value that settings give an argument; `args` are those that the script declares.
pub(in crate::script) fn given_argument(
    compiled: &Compiled,
    args: &BTreeMap<String, Dynamic>,
    settings: &Settings,
    name: &str,
) -> Result<Dynamic, ScriptError> {
    let keys = ["args", name];
    let Some(known) = args.get(name) else {
        let diagnostic = unknown(settings, name, args);
        return Err(settings.written.refuse(&keys, PathTarget::KEY, diagnostic).into());
    };
    let given = &settings.args[name];
    value(compiled, given, known).map_err(|wrong| {
        let diagnostic = Diagnostic::new(format!("argument `{name}` is {wrong}"));
        let declared = compiled.mention("args", name);
        if settings.written.place(&keys, PathTarget::Value).is_none() {
            return compiled.refuse(diagnostic.in_place(declared));
        }
        let note = declared.map(|place| format!("the script declares it at {place}"));
        let diagnostic = Diagnostic { notes: note.into_iter().collect(), ..diagnostic };
        settings.written.refuse(&keys, PathTarget::Value, diagnostic).into()
    })
}

/// Converts a value to the type of an argument; the error names the value and the type.
fn value(compiled: &Compiled, given: &Value, known: &Dynamic) -> Result<Dynamic, String> {
    let takes = || compiled.kind_of(known);
    let value = to_dynamic(given).map_err(|error| format!("no value: {error}"))?;
    #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
    match (known.is_float(), value.as_int()) {
        (true, Ok(int)) => return Ok(Dynamic::from(int as f64)),
        _ if value.type_id() == known.type_id() => return Ok(value),
        _ => {}
    }
    Err(match given {
        Value::Null => format!("empty; it takes {}", takes()),
        Value::String(text) => format!("{text:?}, a string; it takes {}", takes()),
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            format!("{number}; a whole number is at most {}", i64::MAX)
        }
        _ => format!("{value}, {}; it takes {}", compiled.kind_of(&value), takes()),
    })
}

/// Returns the message about an argument that the script does not declare.
fn unknown(settings: &Settings, name: &str, args: &BTreeMap<String, Dynamic>) -> Diagnostic {
    let declared: Vec<&str> = args.keys().map(String::as_str).collect();
    let is_plain = settings.written.is_plain(name);
    let what = if is_plain { "setting or argument" } else { "argument" };
    let settings = if is_plain { &Settings::NAMES[..] } else { &[] };
    let known = declared.iter().chain(settings).copied();
    let help = match nearest(name, known).first() {
        Some(near) => format!("is `{near}` meant?"),
        None if Settings::NAMES.contains(&name) => {
            format!("`{name}` is a setting: write it beside `args:`")
        }
        None => meant_or_known(name, &declared, "the script declares").unwrap_or_else(|| {
            "the script declares no arguments; `fn args() { #{ name: default } }` would".to_owned()
        }),
    };
    Diagnostic::new(format!("there is no {what} `{name}`")).with_help(help)
}
