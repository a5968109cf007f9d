//! Mistakes of scripts as messages with a source line and a caret.
//!
//! A [`Diagnostic`] says what is wrong, where, by which calls, and what to do; several are
//! [`Diagnostics`]. All that it takes to say so is found out when something went wrong: from the
//! script's text, from what the engine knows of its functions, and from the error itself.

mod bracket_recovery;
mod calls;
mod lite_parser;
mod message;
mod names;
mod parse;
pub(super) mod replay;
mod runtime;
mod signatures;
mod tokens;

pub use message::{Diagnostic, Diagnostics, Place};

pub(super) use lite_parser::{Import, Outline, definition};
pub(super) use names::{a_type, counted, meant_or_known, type_name};
pub(super) use parse::compile;
pub(crate) use parse::of_parse_error;
pub(crate) use runtime::Explainer;
pub(super) use signatures::{callable, modules};
