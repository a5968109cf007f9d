//! The functions that an experiment script may define, and checks of their results.

pub(super) mod check;
pub(super) mod entry_points;
pub(super) mod metrics;
pub(super) mod missing_keys;
