//! The processor's peak rate, for benches to compare with.

use std::hint::black_box;

use super::level::SimdLevel;
use super::vector::{Kernel, Simd};

/// Rounds of multiply-adds.
const ROUNDS: usize = 8_000_000;

/// Independent sums: as many as hide an instruction's latency and stay in 16 registers.
const SUMS: usize = 12;

/// The maximum number of values of a vector.
const MAX_LANES: usize = 16;

struct MultiplyAdds;

impl Kernel for MultiplyAdds {
    fn check(&self, lanes: usize) {
        assert!(lanes <= MAX_LANES, "vectors of {lanes} values");
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut values = [0.0_f32; MAX_LANES];
        // SAFETY: the processor has the instructions, by this function's contract, and the check has found that
        // no vector has more than `MAX_LANES` values.
        unsafe {
            let mut sums = [S::zero(); SUMS];
            let (a, b) = (S::splat(black_box(0.5)), S::splat(black_box(0.25)));
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = S::mul_add(a, *sum, b);
                }
            }
            for sum in sums {
                S::store(values.as_mut_ptr(), sum);
                black_box(values);
            }
        }
    }
}

/// Runs fused multiply-adds in registers with the processor's widest vectors, for a fraction of a second;
/// returns the number of floating-point operations, two for each value.
pub fn multiply_adds() -> f64 {
    let level = SimdLevel::best();
    // SAFETY: the level is the processor's, and the kernel shares no memory.
    unsafe { level.run(MultiplyAdds) };
    (ROUNDS * SUMS * level.lanes() * 2) as f64
}
