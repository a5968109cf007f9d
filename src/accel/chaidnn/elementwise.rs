//! Cycles of the sum of two feature maps, on the convolution engine.

use super::Configuration;
use super::maths::div_ceil;
use super::operation::{Bottleneck, Cycles, Work};
use super::platform::Platform;

/// The cycles of a sum.
///
/// Planes of 16 channels are read from both maps and written through ports of 64 bits. Reading and writing
/// overlap, except for the last stage's writing. A stage is the rows that fit both buffers.
pub(super) fn cycles(work: &Work, configuration: &Configuration, platform: &Platform) -> Cycles {
    let (height, width) = (work.input.height as i64, work.input.width as i64);
    let channels = work.input.channels as i64;
    let planes = div_ceil(channels, 16);
    let words_per_row = div_ceil(channels, 32) * width;
    let rows = height
        .min(i64::from(configuration.input_buffer_depth) / words_per_row)
        .max(1)
        .min((i64::from(configuration.output_buffer_depth) / words_per_row).max(1));
    let stages = div_ceil(height, rows) as f64;

    let write = platform.feature_cycles((2 * height * width * planes) as f64);
    let read = 2.0 * write;
    let bursts = planes as f64 * stages * 3.0 * platform.cycles_of_ns(platform.burst_ns);
    let reading = read + bursts * 2.0 / 3.0;
    let writing = write + bursts / 3.0;
    Cycles { cycles: reading.max(writing) + writing / stages, bound: Bottleneck::Input }
}
