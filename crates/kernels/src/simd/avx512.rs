//! Vectors of AVX-512.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "each is one instruction under the contract of `Simd`: the processor has it, and pointers are valid"
)]

use std::arch::x86_64::*;

use super::vector::Simd;

/// Sixteen values of AVX-512.
#[derive(Clone, Copy)]
pub struct Avx512;

/// Returns a mask of the first `count` lanes.
#[inline(always)]
const fn first(count: usize) -> __mmask16 {
    (0xffff_u32 >> (16 - count)) as u16
}

// SAFETY: reads and writes `count` or `LANES` values and nothing else.
unsafe impl Simd for Avx512 {
    const LANES: usize = 16;
    const MANY: bool = true;
    type V = __m512;
    type Mask = __mmask16;

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        unsafe { _mm512_maskz_loadu_ps(first(count), from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, v: Self::V, count: usize) {
        unsafe { _mm512_mask_storeu_ps(to, first(count), v) }
    }

    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::Mask {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    unsafe fn select(mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }

    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, v: Self::V, count: usize) {
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v));
            _mm_mask_storeu_epi8(to.cast(), first(count), bytes);
        }
    }

    #[inline(always)]
    unsafe fn bytes_equal(from: *const u8, value: u8, count: usize) -> Self::Mask {
        unsafe {
            let bytes = _mm_maskz_loadu_epi8(first(count), from.cast());
            _mm_mask_cmpeq_epi8_mask(first(count), bytes, _mm_set1_epi8(value as i8))
        }
    }
}
