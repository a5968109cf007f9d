//! The words and modules of the script language, and the disabled ones.

/// The words of the language that are disabled in scripts.
///
/// A clock would make runs depend on the time, and `eval` would escape the parse limits.
pub(in crate::script) const DISABLED: [&str; 3] = ["eval", "timestamp", "sleep"];

/// The modules of `scripts/` that are built into the program, with their texts.
pub(in crate::script) const BUILT_IN: [(&str, &str); 2] = [
    ("rewards", include_str!("../../scripts/rewards.rhai")),
    ("strategies", include_str!("../../scripts/strategies.rhai")),
];
