//! Parts of the kernels' checks of the memory that they are given.

use std::ops::Range;

/// Returns a product, or the largest number where it is larger: no memory has so many values.
pub const fn product(factors: &[usize]) -> usize {
    let (mut product, mut i) = (1_usize, 0);
    while i < factors.len() {
        product = product.saturating_mul(factors[i]);
        i += 1;
    }
    product
}

/// Checks that memory is long enough.
///
/// # Panics
/// If `count` values are fewer than `needed`.
pub fn enough(what: &str, count: usize, needed: usize) {
    assert!(count >= needed, "{what}: {count} values where {needed} are needed");
}

/// Checks that the sums of images lie within their memory: twice the channels for each image.
///
/// # Panics
/// If they do not.
pub fn enough_sums(count: usize, channels: usize, images: &Range<usize>) {
    enough("sums", count, product(&[images.end, 2, channels]));
}
