//! Counts and shapes as scripts see them.

use rhai::{Array, Dynamic};

use crate::network::Shape;

/// A count as scripts see it.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A shape as scripts see it: channels, rows, columns.
pub(super) fn array(shape: Shape) -> Array {
    [shape.channels, shape.height, shape.width].map(|n| Dynamic::from(int(n as u64))).to_vec()
}
