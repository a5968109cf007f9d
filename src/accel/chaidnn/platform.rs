//! The technology of an accelerator: clock, precision, memory rates.

/// The width of weights and activations, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 6 bits: each pixel lane works on its own pixel.
    SixBit,
    /// 8 bits: two lanes share a pixel.
    EightBit,
}

impl TryFrom<u64> for Precision {
    type Error = ();

    fn try_from(bits: u64) -> Result<Self, ()> {
        match bits {
            6 => Ok(Self::SixBit),
            8 => Ok(Self::EightBit),
            _ => Err(()),
        }
    }
}

/// The parameters of an estimate that neither the network nor the configuration determines.
///
/// The rates are fitted to the 16 throughputs that CHaiDNN publishes for its 6-bit ZU9 builds
/// (docs/PERFORMANCE_SNAPSHOT.md of CHaiDNN v2), with a mean error of 1.4 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Platform {
    /// Clock of the programmable logic, in MHz.
    pub clock_mhz: f64,
    /// Width of weights and activations.
    pub precision: Precision,
    /// Sustained rate of a port for weights, in million beats per second.
    pub weight_port_mbeats: f64,
    /// Sustained rate of a port for feature maps, in million beats per second.
    pub feature_port_mbeats: f64,
    /// Factor on the weights' rate for each halving of the DRAM banks that the weight streams reach.
    pub bank_factor: f64,
    /// Time to start a burst of feature-map data, in ns.
    pub burst_ns: f64,
    /// Time to launch a layer from the processor, in µs.
    pub launch_us: f64,
    /// Look-up tables placed per CLB, of at most 8.
    pub luts_per_clb: f64,
}

impl Platform {
    /// A Zynq UltraScale+ ZU9EG.
    pub const fn zu9(clock_mhz: f64, precision: Precision) -> Self {
        Self {
            clock_mhz,
            precision,
            weight_port_mbeats: 261.931_654_793_016_2,
            feature_port_mbeats: 260.0,
            bank_factor: 0.704_523_017_822_864_5,
            burst_ns: 518.039_141_020_011_1,
            launch_us: 11.521_542_755_697_542,
            luts_per_clb: 4.8,
        }
    }

    /// A Zynq UltraScale+ ZU7EV, whose memory has fewer banks for the streams.
    pub const fn zu7(clock_mhz: f64, precision: Precision) -> Self {
        Self { weight_port_mbeats: 261.0, bank_factor: 0.569, ..Self::zu9(clock_mhz, precision) }
    }

    /// The setting of the paper: 8 bit at 100 MHz on a ZU9EG.
    ///
    /// The clock is not published; 100 MHz reproduces the paper's baselines best.
    pub const fn codesign_nas() -> Self {
        Self::zu9(100.0, Precision::EightBit)
    }

    /// Converts a time in ns to clock cycles.
    pub(super) fn cycles_of_ns(&self, ns: f64) -> f64 {
        ns * 1e-3 * self.clock_mhz
    }

    /// The cycles that one port for feature maps needs for a number of beats, at most one beat a cycle.
    pub(super) fn feature_cycles(&self, beats: f64) -> f64 {
        beats * (self.clock_mhz / self.feature_port_mbeats).max(1.0)
    }

    /// The cycles of a burst of feature-map data.
    pub(super) fn burst_cycles(&self, beats: f64) -> f64 {
        self.feature_cycles(beats) + self.cycles_of_ns(self.burst_ns)
    }
}
