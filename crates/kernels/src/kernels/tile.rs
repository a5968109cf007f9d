//! The inner loops of convolutions: a few pixels by one or two vectors of channels, kept in registers.

use super::gather::{load, store};
use crate::simd::Simd;

/// One position of a convolution's window: the places of its input and of its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The offset of the input from the start of an output pixel's window, in values of the gathered image.
    pub from: usize,
    /// The index of the tap in the packed weights.
    pub weights: usize,
}

/// The way in which a tile's sums are written.
#[derive(Clone, Copy, Debug)]
pub struct Put {
    /// True to add the sums to the values there, false to overwrite them.
    pub add: bool,
    /// Null, or values laid out like the output, with stride `positive_step`: sums count as 0 unless the
    /// value here is positive.
    pub positive: *const f32,
    /// The stride of `positive`.
    pub positive_step: usize,
}

/// A row of output pixels.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The input of the first pixel's window.
    pub from: *const f32,
    /// Values from one pixel's window to the next.
    pub from_step: usize,
    /// The first output pixel.
    pub to: *mut f32,
    /// Values from an output pixel to the next.
    pub to_step: usize,
    /// The number of pixels.
    pub pixels: usize,
    /// The way in which the sums are written.
    pub put: Put,
}

/// A block of output channels.
#[derive(Clone, Copy, Debug)]
pub struct ChannelBlock<'a> {
    /// The taps.
    pub taps: &'a [Tap],
    /// Input channels.
    pub inputs: usize,
    /// The block's packed weights: taps x inputs x (vectors x lanes).
    pub weights: *const f32,
    /// The block's first channel.
    pub channel: usize,
    /// The number of channels.
    pub channels: usize,
}

/// Computes a block of channels for a row of pixels.
///
/// # Safety
/// For each of the row's pixels, `from` has every tap's inputs, `to` takes the block's channels, and `positive`
/// has them if it is not null; the weights are as long as [`ChannelBlock::weights`] says for every tap; the
/// block's channels are at most two vectors; the processor has `S`.
#[inline(always)]
pub unsafe fn row<S: Simd>(row: &Row, block: &ChannelBlock<'_>) {
    // SAFETY: `pixels` asks for what this function does, with as many vectors as the channels need.
    unsafe {
        if block.channels > S::LANES {
            if S::MANY {
                pixels::<S, 2, 8>(row, block);
            } else {
                pixels::<S, 2, 6>(row, block);
            }
        } else if S::MANY {
            pixels::<S, 1, 16>(row, block);
        } else {
            pixels::<S, 1, 8>(row, block);
        }
    }
}

/// Computes a row of pixels, `P` at a time as long as there are so many.
///
/// # Safety
/// As [`row`]; the block's channels fill more than `N - 1` vectors and at most `N`.
#[inline(always)]
unsafe fn pixels<S: Simd, const N: usize, const P: usize>(row: &Row, block: &ChannelBlock<'_>) {
    let mut pixel = 0;
    // SAFETY: every tile lies within what is left of the row, which has what a tile needs by this function's
    // contract.
    unsafe {
        while row.pixels - pixel >= P {
            tile::<S, N, P>(row, block, pixel);
            pixel += P;
        }
        if P > 8 && row.pixels - pixel >= 8 {
            tile::<S, N, 8>(row, block, pixel);
            pixel += 8;
        }
        match row.pixels - pixel {
            0 => {}
            1 => tile::<S, N, 1>(row, block, pixel),
            2 => tile::<S, N, 2>(row, block, pixel),
            3 => tile::<S, N, 3>(row, block, pixel),
            4 => tile::<S, N, 4>(row, block, pixel),
            5 => tile::<S, N, 5>(row, block, pixel),
            6 => tile::<S, N, 6>(row, block, pixel),
            _ => tile::<S, N, 7>(row, block, pixel),
        }
    }
}

/// `P` pixels by `N` vectors of channels.
///
/// # Safety
/// As [`pixels`]; the row has `P` pixels from `pixel` on.
#[inline(always)]
unsafe fn tile<S: Simd, const N: usize, const P: usize>(
    row: &Row,
    block: &ChannelBlock<'_>,
    pixel: usize,
) {
    // SAFETY: pixels `pixel..pixel + P` are in the row, which has the inputs of every tap there, and takes the
    // channels; the weights of a tap are `inputs` times `N` vectors; all by this function's contract.
    unsafe {
        let mut sums = [[S::zero(); N]; P];
        let from = row.from.add(pixel * row.from_step);
        for tap in block.taps {
            let from = from.add(tap.from);
            let mut weights = block.weights.add(tap.weights * block.inputs * N * S::LANES);
            for input in 0..block.inputs {
                let mut w = [S::zero(); N];
                for n in 0..N {
                    w[n] = S::load(weights.add(n * S::LANES));
                }
                weights = weights.add(N * S::LANES);
                for p in 0..P {
                    let x = S::splat(*from.add(p * row.from_step + input));
                    for n in 0..N {
                        sums[p][n] = S::mul_add(x, w[n], sums[p][n]);
                    }
                }
            }
        }
        let last = block.channels - (N - 1) * S::LANES;
        for (p, sums) in sums.iter().enumerate() {
            let pixel = pixel + p;
            let to = row.to.add(pixel * row.to_step + block.channel);
            for (n, &sum) in sums.iter().enumerate() {
                let at = n * S::LANES;
                let positive = match row.put.positive.is_null() {
                    true => std::ptr::null(),
                    false => {
                        row.put.positive.add(pixel * row.put.positive_step + block.channel + at)
                    }
                };
                if n + 1 == N && last < S::LANES {
                    put::<S, false>(row.put.add, positive, to.add(at), sum, last);
                } else {
                    put::<S, true>(row.put.add, positive, to.add(at), sum, S::LANES);
                }
            }
        }
    }
}

/// Writes the first lanes of a sum, or adds them to the values there; if `positive` is not null, lanes count
/// as 0 unless its values are positive.
///
/// # Safety
/// `lanes` values, which are all of a vector if `FULL`, are readable and writable at `to`, and readable at
/// `positive` if it is not null; the processor has `S`.
#[inline(always)]
pub unsafe fn put<S: Simd, const FULL: bool>(
    add: bool,
    positive: *const f32,
    to: *mut f32,
    mut sum: S::V,
    lanes: usize,
) {
    // SAFETY: both hold the lanes, by this function's contract.
    unsafe {
        if !positive.is_null() {
            let counts = S::greater(load::<S, FULL>(positive, lanes), S::zero());
            sum = S::select(counts, sum, S::zero());
        }
        if add {
            sum = S::add(sum, load::<S, FULL>(to, lanes));
        }
        store::<S, FULL>(to, sum, lanes);
    }
}
