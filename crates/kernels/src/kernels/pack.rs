//! Weights in the order in which the inner loops read them.

use super::check::{enough, product};

/// The layout of packed weights: blocks of up to two vectors of output channels, each taps x inputs x block,
/// padded with zeros to whole vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Positions of the kernel.
    pub taps: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Values of a vector.
    pub lanes: usize,
}

/// A block of output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first channel.
    pub channel: usize,
    /// The number of channels.
    pub channels: usize,
    /// The number of channels with the padding to whole vectors.
    pub width: usize,
    /// The offset of the block's weights.
    pub at: usize,
}

impl Packing {
    /// Returns the number of values of the packed weights.
    pub const fn values(&self) -> usize {
        product(&[self.taps, self.inputs, self.outputs.next_multiple_of(self.lanes)])
    }

    /// Checks that the weights are packed as they are read, and that `count` values are `positions` such
    /// matrices.
    ///
    /// # Panics
    /// If they are not.
    pub fn check(&self, wanted: &Self, positions: usize, count: usize) {
        assert!(self == wanted, "the packed weights are {self:?}, not {wanted:?}");
        enough("packed weights", count, product(&[positions, self.values()]));
    }

    /// Returns the number of blocks.
    pub const fn count(&self) -> usize {
        self.outputs.div_ceil(2 * self.lanes)
    }

    /// Returns the block with an index.
    pub fn span(&self, index: usize) -> Span {
        let channel = index * 2 * self.lanes;
        let channels = (self.outputs - channel).min(2 * self.lanes);
        let width = channels.next_multiple_of(self.lanes);
        Span { channel, channels, width, at: self.taps * self.inputs * channel }
    }

    /// Packs one block: `weight(output)` is the row of weights of an output channel, in which input
    /// `i` and tap `t` lie at `i * steps.0 + t * steps.1`.
    pub fn pack<'w>(
        &self,
        span: Span,
        weight: impl Fn(usize) -> &'w [f32],
        steps: (usize, usize),
        to: &mut [f32],
    ) {
        if span.channels < span.width {
            to.fill(0.0);
        }
        for lane in 0..span.channels {
            let row = weight(span.channel + lane);
            for tap in 0..self.taps {
                for input in 0..self.inputs {
                    to[(tap * self.inputs + input) * span.width + lane] =
                        row[input * steps.0 + tap * steps.1];
                }
            }
        }
    }
}
