//! The names that scripts can call.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::script_engine;
use crate::script::diagnostic::callable;

/// Returns the qualified names of the functions that scripts can call without an import, such as
/// `chaidnn::estimate` and `sqrt`; operators and properties are not among them.
pub fn vocabulary() -> BTreeSet<String> {
    callable(&script_engine(PathBuf::new()))
}
