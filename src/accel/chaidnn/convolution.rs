//! Cycles of a convolution.
//!
//! Work is nested. A *stage* is as many rows as the buffers hold. A stage consists of *pixel groups*, each of
//! as many pixels as the engine computes at once. A group takes as many passes over the input channels as the
//! feeding buffers require. A pass consists of *weight chunks*, each of as many kernels as the weight buffer
//! holds; a chunk is computed `filter_par` kernels at a time.
//!
//! Reading the next stage and writing the previous one overlap with computing; within a pass, reading the
//! next weights overlaps with computing on the current ones. The structure is that of CHaiDNN v2's kernel.

use super::Configuration;
use super::maths::{align, div_ceil};
use super::operation::{Bottleneck, Cycles, Engine, Work};
use super::platform::{Platform, Precision};

/// Bits of a memory port.
const PORT_BITS: u32 = 128;
/// Ports through which feature maps are read and written.
const FEATURE_PORTS: u32 = 2;
/// Words of a feeding buffer that one pass can use; double buffering halves them.
const FEEDING_WORDS: i64 = 1023 / 2;
/// Channels in a word of a feature-map buffer.
const CHANNELS_PER_WORD: i64 = 32;
/// Channels of a plane, which pass the memory ports together.
const CHANNELS_PER_PLANE: i64 = 16;
/// The maximum number of `filter_par` groups of kernels in a weight chunk.
const MAX_CHUNKS: i64 = 15;

/// Cycles to fill and drain the multiply-accumulate pipeline, not counting half the pixels.
const COMPUTE_LATENCY: f64 = 20.0;
/// Cycles to start writing results to the output buffer.
const RESULT_LATENCY: f64 = 8.0;
/// Cycles to start a chunk of kernels.
const CHUNK_LATENCY: f64 = 10.0;
/// Cycles to start a pixel group.
const GROUP_LATENCY: f64 = 20.0;
/// Cycles to start filling the feeding buffers.
const FEEDING_LATENCY: f64 = 20.0;
/// Cycles to start reading weights.
const WEIGHT_LATENCY: f64 = 10.0;
/// DRAM latency of reading weights, in ns.
const WEIGHT_LATENCY_NS: f64 = 150.0;
/// Cycles to start a convolution.
const START_LATENCY: f64 = 200.0;

/// log2 of the bytes in a DRAM page.
const PAGE_BITS: u32 = 13;
/// log2 of the banks of the DRAM.
const BANK_BITS: u32 = 3;

/// The parameters of the engine that computes a convolution.
pub(super) struct ConvolutionEngine {
    pixels: u32,
    /// The share of a weight port's rate that this engine gets.
    weight_share: f64,
}

impl ConvolutionEngine {
    /// Returns the parameters of an engine of a configuration.
    ///
    /// Two engines read weights through the same ports, each at half the rate. Counting the half even while
    /// the other engine is idle keeps an operation's cycles independent of the schedule.
    pub(super) fn new(configuration: &Configuration, engine: Engine) -> Self {
        match (configuration.engine_pixels(), engine) {
            ((pixels, None), _) => Self { pixels, weight_share: 1.0 },
            ((_, Some(pixels)), Engine::Pointwise) | ((pixels, Some(_)), _) => {
                Self { pixels, weight_share: 0.5 }
            }
        }
    }
}

/// The partition of a convolution that fits the buffers.
struct Tiling {
    /// The number of passes over the input channels.
    passes: i64,
    /// Input channels in a pass.
    pass_channels: i64,
    /// Multiply-accumulate cycles of a pass for `filter_par` kernels.
    pass_cycles: i64,
    /// Input rows in a stage.
    input_rows: i64,
    /// Output rows in a stage.
    output_rows: i64,
    /// Kernels in a chunk, in units of `filter_par`.
    chunk: i64,
    /// True if all kernels stay in the weight buffers, so that they are read once.
    single_load: bool,
    /// True if the layer reads the image, which has a line buffer of its own.
    is_first: bool,
}

/// Sizes of a convolution as signed numbers, since differences may be negative.
struct Sizes {
    groups: i64,
    kernel: i64,
    stride: i64,
    input_channels: i64,
    input_height: i64,
    input_width: i64,
    output_channels: i64,
    output_height: i64,
    output_width: i64,
}

impl Sizes {
    fn new(work: &Work, groups: usize) -> Self {
        Self {
            groups: groups as i64,
            kernel: work.kernel as i64,
            stride: work.stride as i64,
            input_channels: work.input.channels as i64,
            input_height: work.input.height as i64,
            input_width: work.input.width as i64,
            output_channels: work.output.channels as i64,
            output_height: work.output.height as i64,
            output_width: work.output.width as i64,
        }
    }

    fn kernel_area(&self) -> i64 {
        self.kernel * self.kernel
    }
}

fn tile(sizes: &Sizes, configuration: &Configuration) -> Result<Tiling, &'static str> {
    let filter_par = i64::from(configuration.filter_par);
    let input_depth = i64::from(configuration.input_buffer_depth);
    let weight_depth = i64::from(configuration.weight_buffer_depth);
    let output_depth = i64::from(configuration.output_buffer_depth);
    let is_first = sizes.input_channels < 4;
    let aligned_input = align(sizes.input_channels, 4);
    let aligned_output = align(sizes.output_channels, 8);
    let group_input = aligned_input / sizes.groups;
    let group_output = aligned_output / sizes.groups;

    let mut passes = 1;
    while (group_input / passes) / 4 * sizes.kernel_area() > FEEDING_WORDS {
        passes *= 2;
    }
    let shared = passes * if is_first { 1 } else { sizes.groups };
    let pass_channels = align(aligned_input / shared, 4);

    let output_words = div_ceil(group_output, CHANNELS_PER_WORD);
    let input_words = div_ceil(group_input, CHANNELS_PER_WORD);
    let rows_that_fit = output_depth / (output_words * sizes.output_width);
    if rows_that_fit < 1 {
        return Err("a row of its output does not fit the output buffer");
    }
    let rows_needed = (rows_that_fit - 1) * sizes.stride + sizes.kernel;
    let mut input_rows = if is_first {
        let lines = match input_depth {
            4096.. => 8,
            2048.. => 4,
            _ => 2,
        };
        rows_needed.min(lines * 8)
    } else {
        let words_per_row = input_words * sizes.input_width;
        let excess = (rows_needed * words_per_row - input_depth).max(0);
        rows_needed - div_ceil(excess, words_per_row * sizes.stride) * sizes.stride
    };
    input_rows = input_rows.min(sizes.input_height);
    let output_rows = if input_rows == sizes.input_height && rows_that_fit >= sizes.output_height {
        sizes.output_height
    } else {
        (input_rows - sizes.kernel).div_euclid(sizes.stride) + 1
    };
    if input_rows < 1 || output_rows < 1 {
        return Err("the rows under one row of kernels do not fit the input buffer");
    }

    let pass_cycles = sizes.kernel_area() * (pass_channels / 4);
    let kernels = align(sizes.output_channels, filter_par);
    let group_kernels =
        if sizes.groups == 2 && sizes.output_channels > filter_par { kernels / 2 } else { kernels };
    let mut chunk = MAX_CHUNKS.min((weight_depth - 1) / pass_cycles);
    while chunk > 0 && group_kernels % (chunk * filter_par) != 0 {
        chunk -= 1;
    }
    if chunk < 1 {
        return Err("its kernels do not fit the weight buffer");
    }
    let full_cycles = sizes.kernel_area() * (aligned_input / 4);
    let single_load = kernels / (2 * filter_par) * full_cycles < weight_depth - 1
        && passes == 1
        && 2 * chunk * filter_par >= kernels;
    Ok(Tiling {
        passes,
        pass_channels,
        pass_cycles,
        input_rows,
        output_rows,
        chunk,
        single_load,
        is_first,
    })
}

/// The share of the weights' rate that remains when their streams share DRAM banks: `bank_factor` to the
/// power log2(ports / distinct banks).
fn bank_share(sizes: &Sizes, configuration: &Configuration, platform: &Platform) -> f64 {
    let ports = i64::from(configuration.mem_interface_width / PORT_BITS);
    let kernels = align(sizes.output_channels, i64::from(configuration.filter_par));
    let channels = align(sizes.input_channels / sizes.groups, 4);
    let stream = kernels * channels * sizes.kernel_area() * sizes.groups / ports;
    let banks = (0..ports).fold(0u32, |banks, port| {
        banks | 1 << (((port * stream) >> PAGE_BITS) & ((1 << BANK_BITS) - 1))
    });
    platform.bank_factor.powf((ports as f64 / f64::from(banks.count_ones())).log2())
}

/// The cycles of reading or writing some rows of a feature map.
///
/// A whole map is one burst; otherwise each plane of channels is a burst.
fn transfer(rows: i64, width: i64, planes: i64, whole: bool, platform: &Platform) -> f64 {
    let beats = (rows * width * i64::from(256 / (FEATURE_PORTS * PORT_BITS))) as f64;
    let planes = planes as f64;
    if whole {
        platform.burst_cycles(beats * planes)
    } else {
        planes * platform.burst_cycles(beats)
    }
}

/// The cycles of a convolution in one or two groups.
///
/// # Errors
/// The reason if a buffer is too small for the convolution.
pub(super) fn cycles(
    work: &Work,
    groups: usize,
    configuration: &Configuration,
    engine: &ConvolutionEngine,
    platform: &Platform,
) -> Result<Cycles, &'static str> {
    let sizes = Sizes::new(work, groups);
    let tiling = tile(&sizes, configuration)?;
    let pass = Pass::new(&sizes, &tiling, configuration, engine, platform);

    let input_planes = div_ceil(sizes.input_channels / sizes.groups, CHANNELS_PER_PLANE);
    let output_planes = div_ceil(sizes.output_channels / sizes.groups, CHANNELS_PER_PLANE);
    let load = |rows: i64| {
        if tiling.is_first {
            platform.burst_cycles((rows * sizes.input_width) as f64)
        } else {
            let whole = tiling.input_rows == sizes.input_height;
            transfer(rows, sizes.input_width, input_planes, whole, platform)
        }
    };
    let store = |rows: i64| {
        let whole = tiling.output_rows == sizes.output_height;
        transfer(rows, sizes.output_width, output_planes, whole, platform)
    };

    let stages = div_ceil(sizes.output_height, tiling.output_rows);
    let last_rows = sizes.output_height - (stages - 1) * tiling.output_rows;
    let overlap = (sizes.kernel - sizes.stride).max(0);
    let next_rows = ((tiling.output_rows * sizes.stride).min(sizes.input_height) + overlap)
        .min(tiling.input_rows);

    let mut total = load(tiling.input_rows) + START_LATENCY;
    let process = pass.stage(tiling.output_rows * sizes.output_width);
    let (store_full, load_next) = (store(tiling.output_rows), load(next_rows));
    // All stages but the first and the last are alike: load the next, store the previous.
    if stages == 1 {
        total += pass.stage(last_rows * sizes.output_width);
    } else {
        total += process.max(load_next);
        total += (stages - 2) as f64 * process.max(store_full).max(load_next);
        total += pass.stage(last_rows * sizes.output_width).max(store_full);
    }
    total += store(last_rows);
    total *= sizes.groups as f64;

    // A single stage overlaps with nothing: what counts is the larger share.
    let (load_share, store_share) = if stages == 1 {
        (load(tiling.input_rows), store(last_rows))
    } else {
        (load_next, store_full)
    };
    let bound = if process >= load_share.max(store_share) {
        pass.bound()
    } else if load_share >= store_share {
        Bottleneck::Input
    } else {
        Bottleneck::Output
    };
    Ok(Cycles { cycles: total, bound })
}

/// Cycles of the steps of a pixel group's pass over its share of the input channels.
struct Pass {
    /// Passes over the input channels for each pixel group.
    passes: i64,
    /// Pixels in a group.
    pixels: i64,
    /// Cycles to fill the feeding buffers.
    feeding: f64,
    /// Cycles to read a chunk of weights.
    weights: f64,
    /// Cycles to compute with a chunk of weights.
    compute: f64,
    /// Cycles of all chunks if weights are read.
    with_weights: f64,
    /// Cycles of all chunks in later passes; weights are not read again where all of them stay.
    afterwards: f64,
}

impl Pass {
    fn new(
        sizes: &Sizes,
        tiling: &Tiling,
        configuration: &Configuration,
        engine: &ConvolutionEngine,
        platform: &Platform,
    ) -> Self {
        let lanes = i64::from(engine.pixels);
        let half = platform.precision == Precision::EightBit;
        let pixels = if half { (lanes / 2).max(1) } else { lanes };
        let filter_par = i64::from(configuration.filter_par);

        let group_channels = sizes.output_channels / sizes.groups;
        let chunks = div_ceil(align(group_channels, 16), filter_par * tiling.chunk);
        let multiply = tiling.pass_cycles as f64 + 1.0 + lanes as f64 / 2.0 + COMPUTE_LATENCY;
        let write = pixels as f64 + RESULT_LATENCY;
        let compute =
            write + multiply + (tiling.chunk - 1) as f64 * write.max(multiply) + CHUNK_LATENCY;

        // A weight word is 4 bytes for each of the filters.
        let words = (tiling.chunk * tiling.pass_cycles) as f64;
        let beats = words * f64::from(32 * configuration.filter_par)
            / f64::from(configuration.mem_interface_width);
        let rate = platform.weight_port_mbeats
            * engine.weight_share
            * bank_share(sizes, configuration, platform);
        let weights = beats * (platform.clock_mhz / rate).max(1.0)
            + WEIGHT_LATENCY
            + platform.cycles_of_ns(WEIGHT_LATENCY_NS);

        let feeding = if tiling.is_first {
            let pairs = lanes / 2;
            let columns = sizes.kernel + sizes.stride * (pairs - 1);
            let each = tiling.pass_channels / 4 * sizes.kernel * columns + 6;
            (each * if half { 1 } else { 2 }) as f64
        } else {
            let words = div_ceil(tiling.pass_channels, 64) * div_ceil(pixels, 16) * 16;
            (words * sizes.kernel_area() * if half { 2 } else { 1 }) as f64
        } + lanes as f64
            + FEEDING_LATENCY;

        let with_weights = weights + (chunks - 1) as f64 * weights.max(compute) + compute;
        let afterwards = if tiling.single_load { chunks as f64 * compute } else { with_weights };
        Self { passes: tiling.passes, pixels, feeding, weights, compute, with_weights, afterwards }
    }

    /// The cycles of a stage of `pixels` output pixels.
    fn stage(&self, pixels: i64) -> f64 {
        let groups = if pixels > self.pixels { div_ceil(pixels, self.pixels) } else { 1 };
        let passes = groups * self.passes;
        if passes == 1 {
            return self.feeding + self.with_weights + GROUP_LATENCY;
        }
        self.feeding
            + self.feeding.max(self.with_weights)
            + GROUP_LATENCY
            + (passes - 2) as f64 * (self.feeding.max(self.afterwards) + GROUP_LATENCY)
            + self.afterwards
            + GROUP_LATENCY
    }

    /// The bottleneck of a pass.
    fn bound(&self) -> Bottleneck {
        if self.feeding > self.afterwards {
            Bottleneck::Feeding
        } else if self.afterwards == self.with_weights && self.weights > self.compute {
            Bottleneck::Weights
        } else {
            Bottleneck::Compute
        }
    }
}
