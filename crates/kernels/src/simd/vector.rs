//! Vectors of f32, and the work that runs on them.

/// Vectors of f32 and what kernels do with them.
///
/// # Safety
/// Every method needs the processor to have the instructions, which [`Level::run`](super::Level::run) sees to, and
/// pointers that are valid for the lanes that are read or written; no alignment is needed.
pub unsafe trait Simd: Copy + 'static {
    /// Values of a vector.
    const LANES: usize;
    /// Whether there are 32 registers rather than 16.
    const MANY: bool;
    /// A vector.
    type V: Copy;
    /// A choice for each lane.
    type Mask: Copy;

    /// Zeros.
    unsafe fn zero() -> Self::V;
    /// One value in all lanes.
    unsafe fn splat(value: f32) -> Self::V;
    /// Reads a vector.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Reads the first `count` lanes, 1 to `LANES`; the others are 0.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V;
    /// Writes a vector.
    unsafe fn store(to: *mut f32, v: Self::V);
    /// Writes the first `count` lanes, 1 to `LANES`.
    unsafe fn store_first(to: *mut f32, v: Self::V, count: usize);
    /// a + b
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// a - b
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// a b
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// a b + c
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; b where either is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// a > b
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::Mask;
    /// a where chosen, b elsewhere.
    unsafe fn select(mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V;
    /// Writes the first `count` lanes of a vector of small whole numbers as bytes.
    unsafe fn store_bytes(to: *mut u8, v: Self::V, count: usize);
    /// Which of the first `count` bytes equal a value.
    unsafe fn bytes_equal(from: *const u8, value: u8, count: usize) -> Self::Mask;
}

/// Work that runs on vectors of any kind.
pub trait Kernel {
    /// Does the work.
    ///
    /// # Safety
    /// Called by [`Level::run`](super::Level::run) alone. Implementations are `#[inline(always)]`.
    unsafe fn run<S: Simd>(self);
}
