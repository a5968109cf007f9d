//! Errors of limits that a script has reached.

use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType};

use super::limits::Limits;
use crate::script::truncate::brief;

/// The token of a native function that ran out of memory; it does not know the limits.
#[derive(Clone, Copy)]
pub(in crate::script) struct OverMemory;

/// A limit that was reached; the token of [`EvalAltResult::ErrorTerminated`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::script) struct LimitReached {
    /// The limit that was reached.
    pub(in crate::script) message: String,
    /// A likely cause, and the setting that raises the limit.
    pub(in crate::script) help: String,
}

impl LimitReached {
    fn new(message: String, look: &str, name: &str) -> Self {
        let raise = format!(
            "`limits.{name}` in the settings, or `--set limits.{name}=...`, raises the limit"
        );
        let help = if look.is_empty() { raise } else { format!("{look}; {raise}") };
        Self { message, help }
    }

    #[cold]
    pub(in crate::script) fn operations(limits: &Limits) -> Self {
        let message = format!(
            "the script runs too long: it reached the limit of {} operations",
            limits.operations
        );
        Self::new(message, "look for a loop that does not end", "operations")
    }

    #[cold]
    pub(in crate::script) fn seconds(limits: &Limits) -> Self {
        Self::new(format!("the call took longer than {} s", limits.seconds), "", "seconds")
    }

    #[cold]
    pub(in crate::script) fn memory(limits: &Limits) -> Self {
        let message =
            format!("the script holds too much: more than {} MB of memory", limits.memory_mb);
        Self::new(message, "look for values that grow in a loop", "memory_mb")
    }

    /// The stack, used up by expressions before the limit of nested calls was reached.
    #[cold]
    pub(in crate::script) fn stack() -> Self {
        let message =
            "the script calls too deep: its expressions have used up the stack".to_owned();
        let help = "look for a function that calls itself; a lower `limits.call_depth` in the settings says \
                    where";
        Self { message, help: help.to_owned() }
    }

    /// Returns the limit that an error of the engine is about.
    fn of(limits: &Limits, error: &EvalAltResult) -> Option<Self> {
        Some(match error {
            EvalAltResult::ErrorTooManyOperations(_) => Self::operations(limits),
            EvalAltResult::ErrorTerminated(token, _) if token.is::<OverMemory>() => {
                Self::memory(limits)
            }
            EvalAltResult::ErrorStackOverflow(_) => {
                let depth = limits.call_depth;
                let message = format!(
                    "the script calls too deep: it reached the limit of {depth} nested calls"
                );
                Self::new(message, "look for a function that calls itself", "call_depth")
            }
            EvalAltResult::ErrorDataTooLarge(what, _) => {
                let (thing, name) = match what.as_str() {
                    "Length of string" => {
                        (format!("a string of over {} bytes", limits.string_bytes), "string_bytes")
                    }
                    "Size of object map" => {
                        (format!("a map of over {} entries", limits.map_entries), "map_entries")
                    }
                    _ => (
                        format!("an array or blob of over {} items", limits.array_items),
                        "array_items",
                    ),
                };
                Self::new(format!("the script holds too much: {thing}"), "", name)
            }
            EvalAltResult::ErrorTooManyVariables(_) => {
                let message = format!("there are more than {} variables at once", limits.variables);
                Self::new(message, "", "variables")
            }
            EvalAltResult::ErrorTooManyModules(_) => {
                let message = format!("more than {} modules are imported", limits.modules);
                Self::new(message, "", "modules")
            }
            EvalAltResult::ErrorParsing(kind, _) => Self::of_parse(limits, kind)?,
            _ => return None,
        })
    }

    fn of_parse(limits: &Limits, kind: &ParseErrorType) -> Option<Self> {
        Some(match kind {
            ParseErrorType::ExprTooDeep => {
                let depth = limits.expression_depth;
                let message =
                    format!("the expression is nested deeper than the limit of {depth} levels");
                Self::new(message, "split it with `let`", "expression_depth")
            }
            ParseErrorType::TooManyFunctions => {
                let message = format!("there are more than {} functions", limits.functions);
                Self::new(message, "", "functions")
            }
            _ => return None,
        })
    }

    /// Returns the limit that a parse error is about.
    pub(in crate::script) fn of_parse_error(limits: &Limits, error: &ParseError) -> Option<Self> {
        Self::of_parse(limits, error.err_type())
    }
}

/// Prepares an error of a call for messages: an error of a limit carries a [`LimitReached`], and a value that the
/// script throws becomes a text of limited length.
pub(in crate::script) fn tidy(limits: &Limits, error: &mut EvalAltResult) {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, next, _)
        | EvalAltResult::ErrorInModule(_, next, _) => return tidy(limits, next),
        EvalAltResult::ErrorRuntime(value, _) => {
            let is_text = value.is_string();
            let text = brief(&*value);
            *value = if is_text { text } else { format!("the script threw {text}") }.into();
            return;
        }
        _ => {}
    }
    if let Some(reached) = LimitReached::of(limits, error) {
        *error = EvalAltResult::ErrorTerminated(Dynamic::from(reached), error.position());
    }
}
