//! What a script may do and use up, and how it is stopped.

pub(super) mod budget;
pub(super) mod depth;
pub(super) mod limit_error;
pub(super) mod limit_location;
pub(super) mod limits;
pub(super) mod safe_builtins;
