//! The names that scripts can call.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::script_engine;
use crate::script::diagnostic::callable;

/// The functions that scripts can call without importing anything, as they call them: `chaidnn::estimate`,
/// `sqrt`; operators and properties are not among them.
pub fn vocabulary() -> BTreeSet<String> {
    callable(&script_engine(PathBuf::new()))
}
