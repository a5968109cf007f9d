//! The words and modules that scripts have, and those that they do not.

/// What the language has and scripts do not: a clock would let a script decide by the time of day, and `eval`
/// would escape the parse limits.
pub(in crate::script) const DISABLED: [&str; 3] = ["eval", "timestamp", "sleep"];

/// The modules of `scripts/` that come with the program.
pub(in crate::script) const BUILT_IN: [(&str, &str); 2] = [
    ("rewards", include_str!("../../scripts/rewards.rhai")),
    ("strategies", include_str!("../../scripts/strategies.rhai")),
];
