//! The traits of vectors of f32 and of kernels that use them.

/// Vectors of f32, with the operations of the kernels.
///
/// # Safety
/// Implementations read and write the lanes that a method names, and nothing else.
///
/// The callers of all methods promise that the processor has the instructions, which
/// [`SimdLevel::run`](super::SimdLevel::run) ensures for kernels, and that pointers are valid for the lanes that are
/// read or written. No alignment is needed.
pub unsafe trait Simd: Copy + 'static {
    /// Values of a vector.
    const LANES: usize;
    /// True if there are 32 registers, false if there are 16.
    const MANY: bool;
    /// A vector.
    type V: Copy;
    /// A boolean for each lane.
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
    /// a where the mask is true, b elsewhere.
    unsafe fn select(mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V;
    /// Writes the first `count` lanes of a vector of small whole numbers as bytes.
    unsafe fn store_bytes(to: *mut u8, v: Self::V, count: usize);
    /// Returns true for each of the first `count` bytes that equals `value`, false for the other lanes.
    unsafe fn bytes_equal(from: *const u8, value: u8, count: usize) -> Self::Mask;
}

/// Work that runs on vectors of any kind.
pub trait Kernel {
    /// Checks that all that [`Kernel::run`] touches, on vectors of `lanes` values, lies within the memory that
    /// the kernel was given.
    ///
    /// # Panics
    /// If something does not.
    fn check(&self, lanes: usize);

    /// Does the work.
    ///
    /// # Safety
    /// Called by [`SimdLevel::run`](super::SimdLevel::run) alone, after [`Kernel::check`] with the lanes of `S`; the
    /// processor has `S`; no other thread writes what the work touches, or touches what it writes.
    /// Implementations are `#[inline(always)]`.
    unsafe fn run<S: Simd>(self);
}
