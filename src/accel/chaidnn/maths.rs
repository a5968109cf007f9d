//! Whole numbers, rounded up.

/// The quotient of whole numbers, rounded up; `b` is positive.
pub(super) fn div_ceil(a: i64, b: i64) -> i64 {
    -(-a).div_euclid(b)
}

/// The least multiple of `to` that is at least a value.
pub(super) fn align(value: i64, to: i64) -> i64 {
    div_ceil(value, to) * to
}
