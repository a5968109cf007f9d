//! Area: FPGA resources and the silicon that they stand for.

use super::Configuration;
use super::platform::Platform;

/// Silicon of one CLB, one block RAM of 36 Kbit and one DSP slice in mm2 (recalled from the paper).
const CLB_MM2: f64 = 0.0044;
const BRAM36_MM2: f64 = 0.026;
const DSP_MM2: f64 = 0.044;

/// Resources of a ZU9EG: CLBs, block RAMs and DSP slices (Xilinx DS891).
const ZU9_CLB: f64 = 34_260.0;
const ZU9_BRAM36: f64 = 912.0;
const ZU9_DSP: f64 = 2_520.0;

/// Block RAMs of biases, scales and batch normalization.
const COEFFICIENT_BRAM36: f64 = 35.0;
/// Block RAMs of the AXI interfaces at the widest memory interface.
const AXI_BRAM36: f64 = 21.5;
/// DSP slices of a convolution engine, not counting its multipliers.
const BASE_DSP: f64 = 165.0;

/// Counts of FPGA resources.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blocks {
    /// Look-up tables with six inputs.
    pub lut: f64,
    /// Block RAMs of 36 Kbit; one of 18 Kbit counts half.
    pub bram36: f64,
    /// DSP slices.
    pub dsp: f64,
}

impl std::ops::Add for Blocks {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lut: self.lut + other.lut,
            bram36: self.bram36 + other.bram36,
            dsp: self.dsp + other.dsp,
        }
    }
}

impl Blocks {
    /// The silicon area, in mm2.
    fn area_mm2(&self, platform: &Platform) -> f64 {
        let clb = self.lut / platform.luts_per_clb;
        CLB_MM2 * clb + BRAM36_MM2 * self.bram36 + DSP_MM2 * self.dsp
    }

    /// The input, weight and output buffers of one convolution engine.
    pub(super) fn buffers(configuration: &Configuration) -> Self {
        let filters = f64::from(configuration.filter_par);
        // 2,048 words of 8 bit fill half a block, and 4,096 fill one.
        let weights = if configuration.weight_buffer_depth <= 2048 { 4.0 } else { 8.0 };
        let bram36 = 32.0 * f64::from(configuration.input_buffer_depth) / 1024.0
            + 64.0 * f64::from(configuration.output_buffer_depth) / 1024.0
            + weights * filters;
        Self { bram36, ..Self::default() }
    }

    /// The rest of one convolution engine: multipliers, feeding and result buffers, coefficients and control.
    pub(super) fn engine(filter_par: u32, pixels: u32) -> Self {
        let (filters, pixels) = (f64::from(filter_par), f64::from(pixels));
        // The line through the published builds, all of which have 16 filters; the general formula
        // extends it to other widths by the multipliers' share.
        let lut = if filter_par == 16 {
            60_842.0 + 1_847.0 * pixels
        } else {
            23_200.0 + 2_351.0 * filters + 462.0 * pixels + 86.6 * filters * pixels
        };
        Self {
            lut,
            bram36: 2.0 * pixels + 2.0 * filters + COEFFICIENT_BRAM36,
            dsp: 2.0 * filters * pixels + pixels + BASE_DSP,
        }
    }

    /// The memory interfaces, shared by all engines.
    pub(super) fn interfaces(configuration: &Configuration) -> Self {
        let missing = 4.0 - f64::from(configuration.mem_interface_width) / 128.0;
        Self { bram36: AXI_BRAM36 - 2.0 * missing, ..Self::default() }
    }

    /// The pooling engine.
    pub(super) const fn pool_engine() -> Self {
        Self { lut: 25_000.0, bram36: 66.0, dsp: 100.0 }
    }

    /// The resources of a whole configuration.
    ///
    /// Each convolution engine has its own buffers and control; the memory interfaces and the pooling engine
    /// exist once.
    pub fn of(configuration: &Configuration) -> Self {
        let (large, small) = configuration.engine_pixels();
        let mut blocks = Self::interfaces(configuration);
        for pixels in std::iter::once(large).chain(small) {
            blocks = blocks
                + Self::buffers(configuration)
                + Self::engine(configuration.filter_par, pixels);
        }
        if configuration.pool_engine {
            blocks = blocks + Self::pool_engine();
        }
        blocks
    }
}

/// A part of an accelerator with its resources.
#[derive(Clone, Debug, PartialEq)]
pub struct AreaPart {
    /// The part's name, such as `pool engine`.
    pub name: String,
    /// The FPGA resources of the part.
    pub blocks: Blocks,
    /// The silicon area of these resources, in mm2.
    pub area_mm2: f64,
}

/// The area of a configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Silicon area, in mm2.
    pub area_mm2: f64,
    /// Configurable logic blocks, at the platform's packing of look-up tables.
    pub clb: f64,
    /// Block RAMs of 36 Kbit.
    pub bram36: f64,
    /// DSP slices.
    pub dsp: f64,
    /// True if a ZU9EG has enough of each resource.
    pub fits: bool,
}

impl Area {
    /// Lists the parts of a configuration with their areas.
    pub fn parts(configuration: &Configuration, platform: &Platform) -> Vec<AreaPart> {
        let part = |name: String, blocks: Blocks| {
            let area_mm2 = blocks.area_mm2(platform);
            AreaPart { name, blocks, area_mm2 }
        };
        let (large, small) = configuration.engine_pixels();
        let mut parts = Vec::new();
        for (pixels, kernels) in std::iter::once((large, "convolution"))
            .chain(small.map(|pixels| (pixels, "1x1 convolution")))
        {
            let engine = Blocks::engine(configuration.filter_par, pixels);
            let size = format!("{}x{pixels}", configuration.filter_par);
            parts.push(part(format!("{kernels} engine, {size}"), engine));
            parts.push(part(format!("{kernels} buffers"), Blocks::buffers(configuration)));
        }
        if configuration.pool_engine {
            parts.push(part("pool engine".to_owned(), Blocks::pool_engine()));
        }
        parts.push(part("memory interfaces".to_owned(), Blocks::interfaces(configuration)));
        parts
    }

    /// Computes the area of a configuration.
    pub fn of(configuration: &Configuration, platform: &Platform) -> Self {
        let blocks = Blocks::of(configuration);
        let clb = blocks.lut / platform.luts_per_clb;
        let Blocks { bram36, dsp, .. } = blocks;
        Self {
            area_mm2: blocks.area_mm2(platform),
            clb,
            bram36,
            dsp,
            fits: clb <= ZU9_CLB && bram36 <= ZU9_BRAM36 && dsp <= ZU9_DSP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ChaidnnSpace;
    use super::*;

    #[test]
    fn the_parts_make_up_the_whole() {
        let platform = Platform::codesign_nas();
        for configuration in ChaidnnSpace::new().configurations().step_by(7) {
            let parts = Area::parts(&configuration, &platform);
            let sum: f64 = parts.iter().map(|part| part.area_mm2).sum();
            let whole = Area::of(&configuration, &platform).area_mm2;
            assert!((sum - whole).abs() < 1e-9 * whole, "{configuration}: {sum} {whole}");
            let blocks = parts.iter().fold(Blocks::default(), |sum, part| sum + part.blocks);
            assert_eq!(blocks.bram36, Blocks::of(&configuration).bram36);
        }
    }
}
