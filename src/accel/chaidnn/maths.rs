//! Integer division and alignment, rounded up.

/// Divides and rounds up; `b` must be positive.
pub(super) fn div_ceil(a: i64, b: i64) -> i64 {
    -(-a).div_euclid(b)
}

/// Rounds a value up to a multiple of `to`.
pub(super) fn align(value: i64, to: i64) -> i64 {
    div_ceil(value, to) * to
}
