//! Mistakes of scripts as messages with a source line and a caret.
//!
//! A [`Diagnostic`] has the mistake, its place, the calls that led there, and help; several make
//! [`Diagnostics`]. All of it is derived only after an error: from the script's text, the engine's functions,
//! and the error itself.

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
