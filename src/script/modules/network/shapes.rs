//! Counts and shapes as values of scripts.

use rhai::{Array, Dynamic};

use crate::network::Shape;

/// Converts a count, saturating at the largest integer.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Converts a shape to an array of channels, rows and columns.
pub(super) fn array(shape: Shape) -> Array {
    [shape.channels, shape.height, shape.width].map(|n| Dynamic::from(int(n as u64))).to_vec()
}
