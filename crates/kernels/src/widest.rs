//! Code that is compiled for several widths of vector registers.

/// Work with loops that the compiler vectorizes.
///
/// The results are the same at every width: IEEE 754 specifies its operations exactly, and the compiler never
/// reorders a sum.
pub trait Wide {
    /// The result.
    type Output;

    /// Does the work. Implementations and the functions that they call must be `#[inline(always)]`; otherwise
    /// they are compiled for the narrowest registers.
    fn run(self) -> Self::Output;
}

/// Runs work in code that is compiled for the processor's widest registers.
#[inline]
pub fn widest<W: Wide>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the feature.
            return unsafe { run_avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the feature.
            return unsafe { run_avx2(work) };
        }
    }
    work.run()
}

/// Runs work at every width that the processor has, and returns each width's name and result, the narrowest
/// first; for tests that compare them.
pub fn every_width<W: Wide + Copy>(work: W) -> Vec<(&'static str, W::Output)> {
    let mut outputs = vec![("portable", work.run())];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the feature.
            outputs.push(("avx2", unsafe { run_avx2(work) }));
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the feature.
            outputs.push(("avx512", unsafe { run_avx512(work) }));
        }
    }
    outputs
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn run_avx512<W: Wide>(work: W) -> W::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<W: Wide>(work: W) -> W::Output {
    work.run()
}
