//! The levels of vector instructions of processors.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::portable::Portable;
use super::vector::Kernel;

/// A kind of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimdLevel {
    /// Plain Rust, eight values at a time.
    Portable,
    /// AVX2 with FMA: eight values, 16 registers.
    Avx2,
    /// AVX-512 F, BW and VL: sixteen values, 32 registers.
    Avx512,
}

impl SimdLevel {
    /// Returns the levels that this processor has, the slowest first.
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

    /// Returns the fastest level that this processor has.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Returns the number of values of a vector.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Checks a kernel's memory, and runs the kernel with the level's instructions.
    ///
    /// # Panics
    /// If the kernel's check fails.
    ///
    /// # Safety
    /// The level is one of [`SimdLevel::available`]; no other thread writes what the kernel touches, or touches
    /// what it writes.
    pub unsafe fn run<K: Kernel>(self, kernel: K) {
        kernel.check(self.lanes());
        // SAFETY: the processor has the instructions, by this function's contract, whose vectors have as many
        // values as were checked with; the rest is this function's contract too.
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

/// Runs a kernel with AVX2 and FMA.
///
/// # Safety
/// The kernel was checked with eight lanes; the rest is as for [`SimdLevel::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<K: Kernel>(kernel: K) {
    // SAFETY: the function is compiled for what the vectors need, and called where the processor has it; the
    // kernel was checked.
    unsafe { kernel.run::<Avx2>() }
}

/// Runs a kernel with AVX-512.
///
/// # Safety
/// The kernel was checked with sixteen lanes; the rest is as for [`SimdLevel::run`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]
unsafe fn run_avx512<K: Kernel>(kernel: K) {
    // SAFETY: as in `run_avx2`.
    unsafe { kernel.run::<Avx512>() }
}
