//! Vectors in plain Rust.

use super::vector::Simd;

const LANES: usize = 8;

/// Eight values in plain Rust; products are rounded before they are added.
#[derive(Clone, Copy)]
pub struct Portable;

// SAFETY: reads and writes `count` or `LANES` values and nothing else.
unsafe impl Simd for Portable {
    const LANES: usize = LANES;
    const MANY: bool = false;
    type V = [f32; LANES];
    type Mask = [bool; LANES];

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        [0.0; LANES]
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: all lanes are readable, by the trait's contract.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        let mut v = [0.0; LANES];
        for (lane, value) in v.iter_mut().enumerate().take(count) {
            // SAFETY: the first `count` lanes are readable, by the trait's contract.
            *value = unsafe { *from.add(lane) };
        }
        v
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: all lanes are writable, by the trait's contract.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, v: Self::V, count: usize) {
        for (lane, value) in v.into_iter().enumerate().take(count) {
            // SAFETY: the first `count` lanes are writable, by the trait's contract.
            unsafe { *to.add(lane) = value };
        }
    }

    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::Mask {
        std::array::from_fn(|i| a[i] > b[i])
    }

    #[inline(always)]
    unsafe fn select(mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if mask[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V, count: usize) {
        for (lane, value) in v.into_iter().enumerate().take(count) {
            // SAFETY: the first `count` lanes are writable, by the trait's contract.
            unsafe { *to.add(lane) = value as u8 };
        }
    }

    #[inline(always)]
    unsafe fn bytes_equal(from: *const u8, value: u8, count: usize) -> Self::Mask {
        // SAFETY: the first `count` lanes are readable, by the trait's contract.
        std::array::from_fn(|i| i < count && unsafe { *from.add(i) } == value)
    }
}
