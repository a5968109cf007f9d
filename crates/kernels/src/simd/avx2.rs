//! Vectors of AVX2 and FMA.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "each is one instruction under the contract of `Simd`: the processor has it, and pointers are valid"
)]

use std::arch::x86_64::*;

use super::vector::Simd;

/// Eight values of AVX2.
#[derive(Clone, Copy)]
pub struct Avx2;

/// Returns a mask of the first `count` lanes.
#[inline(always)]
unsafe fn first(count: usize) -> __m256i {
    const TABLE: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: `count` is at most 8; the table has 16 entries.
    unsafe { _mm256_loadu_si256(TABLE.as_ptr().add(8 - count).cast()) }
}

// SAFETY: reads and writes `count` or `LANES` values and nothing else.
unsafe impl Simd for Avx2 {
    const LANES: usize = 8;
    const MANY: bool = false;
    type V = __m256;
    type Mask = __m256;

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        unsafe { _mm256_maskload_ps(from, first(count)) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        unsafe { _mm256_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, v: Self::V, count: usize) {
        unsafe { _mm256_maskstore_ps(to, first(count), v) }
    }

    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::Mask {
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    unsafe fn select(mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_blendv_ps(b, a, mask) }
    }

    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V, count: usize) {
        let mut values = [0_i32; 8];
        // SAFETY: the array has eight entries; the first `count` lanes are writable, by the trait's contract.
        unsafe {
            _mm256_storeu_si256(values.as_mut_ptr().cast(), _mm256_cvttps_epi32(v));
            for (lane, value) in values.into_iter().enumerate().take(count) {
                *to.add(lane) = value as u8;
            }
        }
    }

    #[inline(always)]
    unsafe fn bytes_equal(from: *const u8, value: u8, count: usize) -> Self::Mask {
        let mut bytes = [0_u8; 8];
        // SAFETY: `count` is at most 8, and the first `count` lanes are readable, by the trait's contract.
        unsafe {
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count);
            let wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.as_ptr().cast()));
            let equal = _mm256_cmpeq_epi32(wide, _mm256_set1_epi32(i32::from(value)));
            _mm256_castsi256_ps(_mm256_and_si256(equal, first(count)))
        }
    }
}
