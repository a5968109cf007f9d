//! YAML files: their mistakes as messages with a source line and a caret.

mod explain;
mod span;
mod syntax;

pub(super) use explain::reason;
pub(super) use span::{PathTarget, place};
