//! Cycles of pooling, on the pooling engine and on the convolution engine.

use super::Configuration;
use super::maths::div_ceil;
use super::operation::{Bottleneck, Cycles, Work};
use super::platform::Platform;

/// Words of the pooling engine's line buffer.
const LINE_BUFFER_WORDS: i64 = 2048;
/// Cycles to start a plane on the pooling engine.
const PLANE_LATENCY: i64 = 30;
/// Cycles to start a word of channels on the convolution engine.
const WORD_LATENCY: i64 = 20;

/// The cycles of max pooling on the pooling engine.
///
/// For each stage of rows, planes of 16 channels are read, reduced two output rows at a time, and written;
/// these steps overlap.
pub(super) fn pool_engine_cycles(work: &Work, platform: &Platform) -> Cycles {
    let planes = div_ceil(work.input.channels as i64, 16);
    let (kernel, stride) = (work.kernel as i64, work.stride as i64);
    let (height, width) = (work.input.height as i64, work.input.width as i64);
    let (output_height, output_width) = (work.output.height as i64, work.output.width as i64);

    let buffered = LINE_BUFFER_WORDS / width;
    let output_rows =
        (buffered / stride - if stride == 1 { 2 } else { 1 }).min(output_height).max(1);
    let input_rows = (output_rows * stride + kernel - stride).min(height);
    let stages = div_ceil(output_height, output_rows) as f64;

    let read = platform.burst_cycles((input_rows * width) as f64);
    let pairs = div_ceil(output_rows, 2);
    let reduce = (pairs * output_width * kernel * kernel + PLANE_LATENCY) as f64;
    let write = platform.burst_cycles((output_rows * output_width) as f64);
    let steady = read.max(reduce).max(write);
    Cycles {
        cycles: stages * (read + (planes - 1) as f64 * steady + reduce + write),
        bound: bound(read, reduce, write),
    }
}

/// The cycles of pooling on the convolution engine: each stage of rows is reduced, then written, while the
/// next is read.
pub(super) fn convolution_engine_cycles(
    work: &Work,
    configuration: &Configuration,
    platform: &Platform,
) -> Cycles {
    let channels = work.input.channels as i64;
    let (kernel, stride) = (work.kernel as i64, work.stride as i64);
    let (height, width) = (work.input.height as i64, work.input.width as i64);
    let (output_height, output_width) = (work.output.height as i64, work.output.width as i64);
    let (words, planes) = (div_ceil(channels, 32), div_ceil(channels, 16));
    let input_depth = i64::from(configuration.input_buffer_depth);
    let output_depth = i64::from(configuration.output_buffer_depth);

    // A row that does not fit is split by channels.
    let mut split = 1;
    let mut rows_that_fit = output_depth / (words * output_width);
    while rows_that_fit == 0 && split < 16 {
        split *= 2;
        rows_that_fit = output_depth / ((words / split).max(1) * output_width);
    }
    let words_per_row = (words / split).max(1) * width;
    let mut input_rows = (rows_that_fit - 1) * stride + kernel;
    while input_rows * words_per_row > input_depth && input_rows > kernel {
        input_rows -= stride;
    }
    input_rows = input_rows.min(height);
    let output_rows = if input_rows == height && rows_that_fit >= output_height {
        output_height
    } else {
        ((input_rows - kernel).div_euclid(stride) + 1).max(1)
    };
    let stages = div_ceil(output_height, output_rows);

    let reduce =
        (words * output_rows * output_width * kernel * kernel + words * WORD_LATENCY) as f64;
    let planes = planes as f64;
    let write = planes * platform.burst_cycles((2 * output_rows * output_width) as f64);
    let read = planes * platform.burst_cycles((input_rows * width) as f64);
    Cycles {
        cycles: read + (stages - 1) as f64 * read.max(reduce + write) + reduce + write,
        bound: bound(read, reduce, write),
    }
}

fn bound(read: f64, reduce: f64, write: f64) -> Bottleneck {
    if reduce >= read.max(write) {
        Bottleneck::Compute
    } else if read >= write {
        Bottleneck::Input
    } else {
        Bottleneck::Output
    }
}
