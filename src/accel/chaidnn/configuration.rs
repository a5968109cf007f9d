//! The parameters of one accelerator design.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Options for the number of kernels computed in parallel (CHaiDNN's XI_KER_PROC).
pub(super) const FILTER_PAR: [u32; 2] = [8, 16];
/// Options for the number of pixels computed in parallel (XI_PIX_PROC).
pub(super) const PIXEL_PAR: [u32; 5] = [4, 8, 16, 32, 64];
/// Options for the words of the input buffer (XI_ISTAGEBUFF_DEPTH).
pub(super) const INPUT_BUFFER_DEPTH: [u32; 4] = [1024, 2048, 4096, 8192];
/// Options for the words of the weight buffer (XI_WEIGHTBUFF_DEPTH).
pub(super) const WEIGHT_BUFFER_DEPTH: [u32; 3] = [1024, 2048, 4096];
/// Options for the words of the output buffer (XI_OSTAGEBUFF_DEPTH).
pub(super) const OUTPUT_BUFFER_DEPTH: [u32; 3] = [1024, 2048, 4096];
/// Options for the width in bits of the memory interface for weights.
pub(super) const MEM_INTERFACE_WIDTH: [u32; 2] = [256, 512];
/// Options for the share of the pixels in the engine for kernels larger than 1x1; 1 is a single engine.
pub(super) const RATIO_CONV_ENGINES: [f64; 6] = [1.0, 0.75, 0.67, 0.5, 0.33, 0.25];

/// One accelerator design: the eight parameters of the paper's space.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// Kernels computed in parallel.
    pub filter_par: u32,
    /// Pixels computed in parallel.
    pub pixel_par: u32,
    /// Words of each input buffer.
    pub input_buffer_depth: u32,
    /// Words of each weight buffer.
    pub weight_buffer_depth: u32,
    /// Words of each output buffer.
    pub output_buffer_depth: u32,
    /// True if max pooling has an engine of its own; otherwise it runs on the convolution engine.
    pub pool_engine: bool,
    /// Width in bits of the memory interface for weights; a port has 128.
    pub mem_interface_width: u32,
    /// 1 for one general convolution engine. Below 1, kernels larger than 1x1 and kernels of 1x1 have an
    /// engine each, and this is the former's share of the pixels.
    pub ratio_conv_engines: f64,
}

impl Configuration {
    /// Returns the pixels of the only convolution engine and `None`, or the pixels of the engine for larger
    /// kernels and of the engine for 1x1 kernels.
    pub fn engine_pixels(&self) -> (u32, Option<u32>) {
        if self.ratio_conv_engines >= 1.0 {
            return (self.pixel_par, None);
        }
        let share = (f64::from(self.pixel_par) * self.ratio_conv_engines).round() as u32;
        let large = share.clamp(1, self.pixel_par.saturating_sub(1).max(1));
        (large, Some((self.pixel_par - large).max(1)))
    }
}

impl fmt::Display for Configuration {
    /// Writes, for example, `16x32-i8K-w2K-o2K-m512-pool-r0.5`: filters x pixels, buffer depths in
    /// units of 1,024 words, memory interface in bits, `pool` or `nopool`, ratio of the engines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}x{}-i{}K-w{}K-o{}K-m{}-{}-r{}",
            self.filter_par,
            self.pixel_par,
            self.input_buffer_depth / 1024,
            self.weight_buffer_depth / 1024,
            self.output_buffer_depth / 1024,
            self.mem_interface_width,
            if self.pool_engine { "pool" } else { "nopool" },
            self.ratio_conv_engines
        )
    }
}

/// Reasons that a text is not a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseConfigurationError {
    /// The text does not have the form of a configuration.
    #[error("`{0}` is not a configuration; write it like `16x32-i8K-w2K-o2K-m512-pool-r0.5`")]
    Form(String),
    /// A parameter has a value that the space does not have.
    #[error("the configuration's {parameter} is `{given}`; it must be one of {known}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// The value in the text.
        given: String,
        /// The legal values, separated by commas.
        known: String,
    },
}

impl FromStr for Configuration {
    type Err = ParseConfigurationError;

    /// Reads the text that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ParseConfigurationError> {
        let fields: Vec<&str> = text.split('-').collect();
        let form = || ParseConfigurationError::Form(text.to_owned());
        let &[engine, input, weight, output, memory, pool, ratio] = fields.as_slice() else {
            return Err(form());
        };
        let (filters, pixels) = engine.split_once('x').ok_or_else(form)?;
        let depth = |field: &str, letter: char| {
            field.strip_prefix(letter).and_then(|rest| rest.strip_suffix('K')).map(str::to_owned)
        };
        let kilo = |options: &[u32]| options.iter().map(|words| words / 1024).collect::<Vec<_>>();
        Ok(Self {
            filter_par: one_of("filter_par", filters, &FILTER_PAR)?,
            pixel_par: one_of("pixel_par", pixels, &PIXEL_PAR)?,
            input_buffer_depth: 1024
                * one_of(
                    "input_buffer_depth",
                    &depth(input, 'i').ok_or_else(form)?,
                    &kilo(&INPUT_BUFFER_DEPTH),
                )?,
            weight_buffer_depth: 1024
                * one_of(
                    "weight_buffer_depth",
                    &depth(weight, 'w').ok_or_else(form)?,
                    &kilo(&WEIGHT_BUFFER_DEPTH),
                )?,
            output_buffer_depth: 1024
                * one_of(
                    "output_buffer_depth",
                    &depth(output, 'o').ok_or_else(form)?,
                    &kilo(&OUTPUT_BUFFER_DEPTH),
                )?,
            mem_interface_width: one_of(
                "mem_interface_width",
                memory.strip_prefix('m').ok_or_else(form)?,
                &MEM_INTERFACE_WIDTH,
            )?,
            pool_engine: one_of("pool_engine", pool, &["pool", "nopool"])? == "pool",
            ratio_conv_engines: one_of(
                "ratio_conv_engines",
                ratio.strip_prefix('r').ok_or_else(form)?,
                &RATIO_CONV_ENGINES,
            )?,
        })
    }
}

fn one_of<T: Copy + fmt::Display>(
    parameter: &'static str,
    given: &str,
    options: &[T],
) -> Result<T, ParseConfigurationError> {
    let matching = options.iter().copied().find(|option| option.to_string() == given);
    matching.ok_or_else(|| {
        let known: Vec<String> = options.iter().map(T::to_string).collect();
        ParseConfigurationError::Value {
            parameter,
            given: given.to_owned(),
            known: known.join(", "),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "16x32-i8K-w2K-o4K-m512-pool-r0.67";

    #[test]
    fn texts_are_written_and_read() {
        let configuration: Configuration = TEXT.parse().unwrap();
        assert_eq!(configuration.input_buffer_depth, 8192);
        assert_eq!(configuration.weight_buffer_depth, 2048);
        assert_eq!(configuration.output_buffer_depth, 4096);
        assert!(configuration.pool_engine);
        assert_eq!(configuration.to_string(), TEXT);
    }

    #[test]
    fn a_wrong_text_says_what_is_expected() {
        let error = |text: &str| text.parse::<Configuration>().unwrap_err().to_string();
        assert_eq!(
            error("16x32"),
            "`16x32` is not a configuration; write it like `16x32-i8K-w2K-o2K-m512-pool-r0.5`"
        );
        assert_eq!(
            error(&TEXT.replace("x32", "x33")),
            "the configuration's pixel_par is `33`; it must be one of 4, 8, 16, 32, 64"
        );
        assert_eq!(
            error(&TEXT.replace("r0.67", "r0.6")),
            "the configuration's ratio_conv_engines is `0.6`; it must be one of 1, 0.75, 0.67, \
             0.5, 0.33, 0.25"
        );
    }

    #[test]
    fn engines_share_the_pixels() {
        let mut configuration: Configuration = TEXT.parse().unwrap();
        for pixels in PIXEL_PAR {
            for ratio in RATIO_CONV_ENGINES {
                configuration.pixel_par = pixels;
                configuration.ratio_conv_engines = ratio;
                let (large, small) = configuration.engine_pixels();
                assert_eq!(large + small.unwrap_or(0), pixels);
                assert_eq!(small.is_none(), ratio == 1.0);
                assert!(large >= 1 && small != Some(0));
            }
        }
        configuration.pixel_par = 64;
        configuration.ratio_conv_engines = 0.67;
        assert_eq!(configuration.engine_pixels(), (43, Some(21)));
    }
}
