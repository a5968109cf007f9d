//! Vectors of f32 of the widest kind that the processor has, chosen at run time.
//!
//! A kernel is written once over [`Simd`] and runs through [`Level::run`], inside a function that is
//! compiled for the chosen instructions. All methods are inlined into it: none of them may be called
//! from anywhere else.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod peak;
mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use peak::multiply_adds;
pub use portable::Portable;

/// Vectors of f32 and what kernels do with them.
///
/// # Safety
/// Every method needs the processor to have the instructions, which [`Level::run`] sees to, and
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
    /// Called by [`Level::run`] alone. Implementations are `#[inline(always)]`.
    unsafe fn run<S: Simd>(self);
}

/// A kind of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust, eight values at a time.
    Portable,
    /// AVX2 with FMA: eight values, 16 registers.
    Avx2,
    /// AVX-512 F, BW and VL: sixteen values, 32 registers.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the slowest first.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
            {
                levels.push(Self::Avx512);
            }
        }
        levels
    }

    /// The fastest level that this processor has.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Values of a vector.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Runs a kernel with the level's instructions.
    ///
    /// # Safety
    /// The level is one of [`Level::available`], and what the kernel asks for holds.
    pub unsafe fn run<K: Kernel>(self, kernel: K) {
        // SAFETY: the caller has made sure of the instructions and of the kernel's needs.
        unsafe {
            match self {
                Self::Portable => kernel.run::<Portable>(),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => run_avx2(kernel),
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => run_avx512(kernel),
                #[cfg(not(target_arch = "x86_64"))]
                Self::Avx2 | Self::Avx512 => kernel.run::<Portable>(),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<K: Kernel>(kernel: K) {
    // SAFETY: the function is compiled for what the vectors need.
    unsafe { kernel.run::<Avx2>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]
unsafe fn run_avx512<K: Kernel>(kernel: K) {
    // SAFETY: the function is compiled for what the vectors need.
    unsafe { kernel.run::<Avx512>() }
}
