//! Vectors of f32 of the widest kind that the processor has, chosen at run time.
//!
//! A kernel is generic over [`Simd`] and runs through [`SimdLevel::run`], in a function that is compiled for the
//! chosen instructions. All methods are inlined into that function: they must not be called from anywhere
//! else.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod level;
mod peak;
mod portable;
mod vector;

pub use level::SimdLevel;
pub use peak::multiply_adds;
#[cfg(test)]
pub use portable::Portable;
pub use vector::{Kernel, Simd};
