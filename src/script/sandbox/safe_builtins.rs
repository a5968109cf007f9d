//! Versions of functions of the language that keep within the limits.

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext, Position};

use super::budget::check_memory;
use crate::script::options::error_at_call;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Registers them in place of the language's own.
pub(in crate::script) fn register(engine: &mut Engine) {
    engine.register_fn("pad", pad);
    engine.register_fn("replace", replace);
    engine.register_fn(
        "replace",
        |context: NativeCallContext, text: &mut ImmutableString, what: &str, by: char| {
            replace(context, text, what, by.encode_utf8(&mut [0; 4]))
        },
    );
    engine.register_fn(
        "replace",
        |context: NativeCallContext, text: &mut ImmutableString, what: char, by: &str| {
            replace(context, text, what.encode_utf8(&mut [0; 4]), by)
        },
    );
    engine.register_fn(
        "replace",
        |context: NativeCallContext, text: &mut ImmutableString, what: char, by: char| {
            replace(context, text, what.encode_utf8(&mut [0; 4]), by.encode_utf8(&mut [0; 4]))
        },
    );
    // Its name is disabled, but a pointer finds it.
    engine.register_fn("sleep", |context: NativeCallContext, _: f64| no_clock(&context));
    engine.register_fn("sleep", |context: NativeCallContext, _: i64| no_clock(&context));
}

fn no_clock(context: &NativeCallContext) -> Fallible<()> {
    Err(error_at_call(context, "scripts have no clock, so there is no `sleep`"))
}

fn too_large(what: &str) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE))
}

/// Pads an array.
///
/// The language's own multiplies sizes until they wrap around, and copies functions whatever they hold.
fn pad(context: NativeCallContext, array: &mut Array, length: i64, item: Dynamic) -> Fallible<()> {
    let Ok(length) = usize::try_from(length) else { return Ok(()) };
    let most = context.engine().max_array_size();
    let is_plain = !(item.is_array() || item.is_map() || item.is_fnptr() || item.is_blob());
    if most > 0 && length > most {
        return Err(too_large("Size of array/BLOB"));
    }
    let mut sizes = 0usize;
    while array.len() < length {
        if !is_plain {
            check_memory(&context)?;
            sizes = sizes.saturating_add(1 + items(&item));
            if most > 0 && sizes > most {
                return Err(too_large("Size of array/BLOB"));
            }
        }
        array.push(item.clone());
    }
    Ok(())
}

/// Returns the number of items of an array, blob or map, nested ones not included.
fn items(value: &Dynamic) -> usize {
    if let Some(array) = value.read_lock::<Array>() {
        array.len()
    } else if let Some(blob) = value.read_lock::<rhai::Blob>() {
        blob.len()
    } else {
        value.read_lock::<rhai::Map>().map_or(0, |map| map.len())
    }
}

/// Replaces a part of a text.
///
/// The language's own builds the new text before it checks its length.
fn replace(
    context: NativeCallContext,
    text: &mut ImmutableString,
    what: &str,
    by: &str,
) -> Fallible<()> {
    let most = context.engine().max_string_size();
    if by.len() > what.len() {
        let places = text.matches(what).count();
        let length = text.len().saturating_add(places.saturating_mul(by.len() - what.len()));
        if most > 0 && length > most {
            return Err(too_large("Length of string"));
        }
    }
    if text.contains(what) {
        *text = text.replace(what, by).into();
    }
    Ok(())
}
