//! Mistakes of scripts as messages with a source line and a caret.
//!
//! A [`Diagnostic`] says what is wrong, where, by which calls, and what to do; several are
//! [`Diagnostics`]. All that it takes to say so is found out when something went wrong: from the
//! script's text, from what the engine knows of its functions, and from the error itself.

mod calls;
mod items;
mod message;
mod names;
mod outline;
mod parse;
mod runtime;
mod signatures;
mod tokens;

pub use message::{Diagnostic, Diagnostics, Place};

pub(super) use names::{a_type, counted, meant_or_known, nearest, type_name};
pub(super) use outline::{Import, Outline, definition};
pub(super) use parse::{compile, of_parse_error};
pub(super) use runtime::{Explainer, HELP};
pub(super) use signatures::{callable, modules};
