//! What the accelerator is built on: clock, arithmetic, memory rates.

/// The width of weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 6 bit: every pixel lane works on its own pixel.
    SixBit,
    /// 8 bit: two lanes share a pixel.
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

/// Everything that an estimate depends on beside the network and the configuration.
///
/// The rates are fitted to the 16 throughputs of the 6-bit ZU9 builds that CHaiDNN publishes
/// (docs/PERFORMANCE_SNAPSHOT.md of CHaiDNN v2); they reproduce them to 1.4 % on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Platform {
    /// Clock of the programmable logic, in MHz.
    pub clock_mhz: f64,
    /// Width of weights and activations.
    pub precision: Precision,
    /// What a port for weights sustains, in million beats a second.
    pub weight_port_mbeats: f64,
    /// What a port for feature maps sustains, in million beats a second.
    pub feature_port_mbeats: f64,
    /// What is left of the weights' rate at each halving of the DRAM banks that the weight streams
    /// reach.
    pub bank_factor: f64,
    /// Cost of starting a burst of feature-map data, in ns.
    pub burst_ns: f64,
    /// Cost of launching a layer from the processor, in us.
    pub launch_us: f64,
    /// Look-up tables that the placement packs into a CLB; 8 would be full.
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

    /// A Zynq UltraScale+ ZU7EV, whose memory has fewer banks to spread the streams over.
    pub const fn zu7(clock_mhz: f64, precision: Precision) -> Self {
        Self { weight_port_mbeats: 261.0, bank_factor: 0.569, ..Self::zu9(clock_mhz, precision) }
    }

    /// The setting of the paper: 8 bit at 100 MHz on a ZU9EG.
    ///
    /// The clock is not published; 100 MHz reproduces the paper's baselines best.
    pub const fn codesign_nas() -> Self {
        Self::zu9(100.0, Precision::EightBit)
    }

    /// A time in clock cycles.
    pub(super) fn cycles_of_ns(&self, ns: f64) -> f64 {
        ns * 1e-3 * self.clock_mhz
    }

    /// The cycles that one port for feature maps needs for a number of beats.
    ///
    /// A port takes at most one beat a cycle.
    pub(super) fn feature_cycles(&self, beats: f64) -> f64 {
        beats * (self.clock_mhz / self.feature_port_mbeats).max(1.0)
    }

    /// The cycles that a burst of feature-map data takes.
    pub(super) fn burst_cycles(&self, beats: f64) -> f64 {
        self.feature_cycles(beats) + self.cycles_of_ns(self.burst_ns)
    }
}
