//! A change since a run started.

use std::fmt;

use similar::TextDiff;

/// Something that is not as it was when a run started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What changed.
    pub what: String,
    /// What depends on it.
    pub affects: String,
    /// How it changed, as a unified diff.
    pub diff: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, affects, diff } = self;
        write!(f, "{what} changed since it started, which affects {affects}\n{diff}")
    }
}

impl Change {
    /// Changes as a text.
    pub fn list(changes: &[Self]) -> String {
        changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// How a text changed, as a unified diff.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&format!("{name} (at the start)"), &format!("{name} (now)"))
        .to_string()
}

/// How a line changed, as the body of a unified diff.
pub fn one_line(before: &str, now: &str) -> String {
    format!("-{before}\n+{now}\n")
}
