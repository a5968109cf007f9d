//! Limits of scripts, and the errors of those that exceed them.

pub(super) mod budget;
pub(super) mod depth;
pub(super) mod limit_error;
pub(super) mod limit_location;
pub(super) mod limits;
pub(super) mod safe_builtins;
