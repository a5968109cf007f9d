//! The nesting depth of values that outlive a call.
//!
//! Values are copied, printed and freed by recursion. A call has a stack for the deepest values within its
//! limits; later users of its result, on any thread, do not.

use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, Module, Position};
use rustc_hash::FxHashMap;

use super::limits::Limits;
use crate::util::deep_stack::STACK_BYTES;

/// The most levels of a value that outlives its call.
const MAX: usize = 256;

/// The text about a value with more levels, for messages.
pub(in crate::script) const TOO_DEEP: &str = "nested too deep: more than 256 levels of arrays, maps and functions that have \
                                   captured one another";

/// A native value that holds functions of a script.
pub(in crate::script) trait HoldsFunctions: Clone + 'static {
    /// Returns the most levels of values that its functions have captured.
    fn levels(&self) -> usize;
}

/// Returns the levels that the functions in a value of type `T` have captured; `None` for other types.
pub(in crate::script) fn levels_of<T: HoldsFunctions>(value: &Dynamic) -> Option<usize> {
    value.read_lock::<T>().map(|value| value.levels())
}

/// The function [`levels_of`] for each type whose values hold functions.
type Holders = &'static [fn(&Dynamic) -> Option<usize>];

/// The types that hold functions; set with the first engine, before there are values of them.
static HOLDERS: OnceLock<Holders> = OnceLock::new();

/// Registers the types whose values hold functions, the same for every engine.
pub(in crate::script) fn know(holders: Holders) {
    HOLDERS.get_or_init(|| holders);
}

/// Returns a value that may leave its call; one that is nested too deep is an error about `what`.
pub(crate) fn shallow(what: impl Display, value: Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
    match levels(&value) {
        Some(_) => Ok(value),
        None => Err(refused(format!("{what} a value that is {TOO_DEEP}"))),
    }
}

/// Keeps a module of a script for as long as it is used, or longer.
///
/// The depth of its constants is unknown: where the limits allow values too deep for a thread to free, the
/// module is never freed.
pub(in crate::script) fn kept(module: Module, limits: &Limits) -> Arc<Module> {
    let module = Arc::new(module);
    if limits.stack_bytes() > STACK_BYTES {
        std::mem::forget(module.clone());
    }
    module
}

/// Returns the most levels among values; `None` if there are too many.
///
/// A number or text has none, an array of them one.
pub(in crate::script) fn levels_in(values: &[Dynamic]) -> Option<usize> {
    Walk::default().most(values.iter(), 0)
}

fn levels(value: &Dynamic) -> Option<usize> {
    Walk::default().below(value, 0)
}

fn refused(message: String) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE))
}

/// A traversal of a value and everything in it.
#[derive(Default)]
struct Walk {
    /// The levels of shared values by address: each may be reached in many ways.
    shared: FxHashMap<usize, usize>,
}

impl Walk {
    /// Returns the levels of a value inside `outside` others; `None` for too many, as if it contains itself.
    fn below(&mut self, value: &Dynamic, outside: usize) -> Option<usize> {
        if value.is_shared() {
            let address =
                value.read_lock::<Dynamic>().map(|inner| std::ptr::from_ref(&*inner).addr())?;
            if let Some(&known) = self.shared.get(&address) {
                return (outside + known <= MAX).then_some(known);
            }
            let levels = self.inside(value, outside)?;
            self.shared.insert(address, levels);
            return Some(levels);
        }
        self.inside(value, outside)
    }

    fn inside(&mut self, value: &Dynamic, outside: usize) -> Option<usize> {
        // Most values are numbers, of which nothing more is asked.
        if value.is_float() || value.is_int() {
            return Some(0);
        }
        if let Some(array) = value.read_lock::<Array>() {
            return self.level(array.iter(), outside);
        }
        if let Some(map) = value.read_lock::<Map>() {
            return self.level(map.values(), outside);
        }
        if let Some(function) = value.read_lock::<FnPtr>() {
            return self.level(function.curry().iter(), outside);
        }
        let levels = held(value);
        (outside + levels <= MAX).then_some(levels)
    }

    fn level<'v>(
        &mut self,
        values: impl Iterator<Item = &'v Dynamic>,
        outside: usize,
    ) -> Option<usize> {
        if outside == MAX {
            return None;
        }
        self.most(values, outside + 1).map(|levels| levels + 1)
    }

    fn most<'v>(
        &mut self,
        mut values: impl Iterator<Item = &'v Dynamic>,
        outside: usize,
    ) -> Option<usize> {
        values.try_fold(0, |most, value| Some(self.below(value, outside)?.max(most)))
    }
}

/// Returns the levels that a native value adds: 0 unless it holds functions of a script.
fn held(value: &Dynamic) -> usize {
    let known = HOLDERS.get().copied().unwrap_or_default();
    known.iter().find_map(|levels| levels(value)).map_or(0, |levels| levels + 1)
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::*;

    fn levels_of(script: &str) -> Option<usize> {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0);
        levels(&engine.eval::<Dynamic>(script).unwrap())
    }

    #[test]
    fn levels_are_counted_whatever_makes_them() {
        for (script, expected) in [
            ("1", Some(0)),
            ("\"text\"", Some(0)),
            ("[]", Some(1)),
            ("[1, [2, #{ a: [3] }]]", Some(4)),
            ("let a = 0; for i in 0..256 { a = [a] } a", Some(256)),
            ("let a = 0; for i in 0..257 { a = [a] } a", None),
            ("let a = 0; for i in 0..257 { a = #{ a: a } } a", None),
            ("fn wrap(f) { || f } let f = 0; for i in 0..256 { f = wrap(f) } f", Some(256)),
            ("fn wrap(f) { || f } let f = 0; for i in 0..257 { f = wrap(f) } f", None),
            (
                "fn wrap(f) { || f } let f = 0; for i in 0..200 { f = wrap(f) } [f, #{ a: f }, f]",
                Some(202),
            ),
        ] {
            assert_eq!(levels_of(script), expected, "{script}");
        }
    }

    #[test]
    fn what_is_shared_on_many_ways_is_walked_once() {
        let twice = "fn twice(f) { let x = f; let y = f; || [x, y] } \
                     let f = 0; for i in 0..200 { f = twice(f) } f";
        assert_eq!(levels_of(twice), Some(200));
        assert_eq!(levels_of("let f = 0; let g = || f; f = g; g"), None);
    }
}
