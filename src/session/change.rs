//! Changes since a run started.

use std::fmt;

use similar::TextDiff;

/// A change since a run started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The changed item.
    pub what: String,
    /// The effects of the change.
    pub affects: String,
    /// The change as a unified diff.
    pub diff: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, affects, diff } = self;
        write!(f, "{what} changed since it started, which affects {affects}\n{diff}")
    }
}

impl Change {
    /// Formats changes as a text.
    pub fn list(changes: &[Self]) -> String {
        changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// The change of a text, as a unified diff.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&format!("{name} (at the start)"), &format!("{name} (now)"))
        .to_string()
}

/// The change of a line, as the body of a unified diff.
pub fn one_line(before: &str, now: &str) -> String {
    format!("-{before}\n+{now}\n")
}
