//! The functions that an experiment script may define, and what they must give.

pub(super) mod check;
pub(super) mod entry_points;
pub(super) mod metrics;
pub(super) mod missing_keys;
