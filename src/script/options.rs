//! Option maps of native functions.

use std::fmt;

use super::truncate::brief;
use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext};

use super::diagnostic::{a_type, type_name};
use super::native_error::with_help;
use crate::util::suggest::nearest;

/// Returns an error of a native function, placed at its call in the script.
pub(super) fn error_at_call(
    context: &NativeCallContext,
    reason: impl fmt::Display,
) -> Box<EvalAltResult> {
    let reason = reason.to_string();
    Box::new(EvalAltResult::ErrorRuntime(reason.into(), context.call_position()))
}

/// Returns an error like [`error_at_call`], with a help text.
pub(super) fn error_at_call_with_help(
    context: &NativeCallContext,
    reason: impl fmt::Display,
    help: &str,
) -> Box<EvalAltResult> {
    error_at_call(context, with_help(reason, help))
}

/// Returns a value as messages show it: a plain one with its type, of others the type alone.
pub(super) fn described(context: &NativeCallContext, value: &Dynamic) -> String {
    let kind = type_name(context.engine().map_type_name(value.type_name()));
    match kind {
        "bool" | "int" | "float" => format!("{value} ({kind})"),
        "string" | "char" => format!("\"{}\" ({kind})", brief(value)),
        _ => a_type(kind),
    }
}

/// A reader of an option map; entries that are left at the end are an error.
pub(super) struct OptionReader<'a> {
    context: &'a NativeCallContext<'a>,
    function: &'static str,
    map: Map,
    known: Vec<&'static str>,
}

impl<'a> OptionReader<'a> {
    /// Starts to read the options of a function.
    pub(super) fn new(
        context: &'a NativeCallContext<'a>,
        function: &'static str,
        map: Map,
    ) -> Self {
        Self { context, function, map, known: Vec::new() }
    }

    /// Takes an option as it is; `None` if it is not given.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Dynamic> {
        self.known.push(name);
        self.map.remove(name)
    }

    /// Takes a whole number of at least `least`; `None` if it is not given.
    pub(super) fn whole(
        &mut self,
        name: &'static str,
        least: i64,
    ) -> Result<Option<u64>, Box<EvalAltResult>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_int() {
            Ok(int) if int >= least => Ok(Some(int.unsigned_abs())),
            _ => Err(self.wrong(name, &format!("a whole number of at least {least}"), &value)),
        }
    }

    /// Takes a size, a whole number from 1 to a million; `default` if it is not given.
    pub(super) fn size(
        &mut self,
        name: &'static str,
        default: usize,
    ) -> Result<usize, Box<EvalAltResult>> {
        match self.whole(name, 1)? {
            None => Ok(default),
            Some(size) if size <= 1_000_000 => Ok(size as usize),
            Some(size) => {
                Err(self.wrong(name, "at most a million", &Dynamic::from(size.cast_signed())))
            }
        }
    }

    /// Takes a finite number; `None` if it is not given.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Box<EvalAltResult>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match number(&value) {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.wrong(name, "a finite number", &value)),
        }
    }

    /// Takes a flag; false if it is not given.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Box<EvalAltResult>> {
        self.flag_or(name, false)
    }

    /// Takes a flag; `default` if it is not given.
    pub(super) fn flag_or(
        &mut self,
        name: &'static str,
        default: bool,
    ) -> Result<bool, Box<EvalAltResult>> {
        let Some(value) = self.take(name) else { return Ok(default) };
        value.as_bool().map_err(|_| self.wrong(name, "true or false", &value))
    }

    /// Takes a text; `None` if it is not given.
    pub(super) fn text(
        &mut self,
        name: &'static str,
    ) -> Result<Option<String>, Box<EvalAltResult>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.clone().into_string().map(Some).map_err(|_| self.wrong(name, "a text", &value))
    }

    /// Returns the error of an option with an unsuitable value; `expected` follows "it takes".
    pub(super) fn wrong(&self, name: &str, expected: &str, value: &Dynamic) -> Box<EvalAltResult> {
        let (function, given) = (self.function, described(self.context, value));
        error_at_call(
            self.context,
            format!("option `{name}` of {function} is {given}; it takes {expected}"),
        )
    }

    /// Returns the value of a required option, or an error in which `why` follows the option's name.
    ///
    /// If an option with a similar name was given, the error suggests the right one.
    pub(super) fn required<T>(
        &self,
        name: &str,
        value: Option<T>,
        why: &str,
    ) -> Result<T, Box<EvalAltResult>> {
        value.ok_or_else(|| {
            let given = self.map.keys().map(|key| key.as_str());
            let reason = format!("{} needs the option `{name}`{why}", self.function);
            match nearest(name, given).first() {
                Some(near) => error_at_call_with_help(
                    self.context,
                    reason,
                    &format!("is `{near}` meant to be `{name}`?"),
                ),
                None => error_at_call(self.context, reason),
            }
        })
    }

    /// Returns an error if options were given that were not read.
    pub(super) fn end(self) -> Result<(), Box<EvalAltResult>> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(unknown_option(self.context, self.function, unknown, &self.known)),
        }
    }
}

/// Returns the error of an option that a function does not have, with the nearest known one as help.
pub(super) fn unknown_option(
    context: &NativeCallContext,
    function: &str,
    unknown: &str,
    known: &[&str],
) -> Box<EvalAltResult> {
    let also = OTHERWISE.iter().find(|(theirs, ours)| *theirs == unknown && known.contains(ours));
    let reason = format!("{function} has no option `{unknown}`; it takes {}", known.join(", "));
    match also
        .map(|(_, ours)| *ours)
        .or_else(|| nearest(unknown, known.iter().copied()).first().copied())
    {
        Some(near) => error_at_call_with_help(context, reason, &format!("is `{near}` meant?")),
        None => error_at_call(context, reason),
    }
}

/// Names of options in other libraries, each with its name here.
const OTHERWISE: [(&str, &str); 6] = [
    ("lr", "learning_rate"),
    ("batch_size", "batch"),
    ("n_trials", "steps"),
    ("trials", "steps"),
    ("population_size", "population"),
    ("pop_size", "population"),
];

/// Returns a whole or real number as a float; `None` for other values.
pub(super) fn number(value: &Dynamic) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a script's whole numbers count things")]
    value.as_float().ok().or_else(|| value.as_int().ok().map(|int| int as f64))
}
