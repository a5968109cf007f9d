//! One operation as the accelerator runs it, and what it takes there.

use std::fmt;

use super::Configuration;
use super::platform::Platform;
use crate::network::Shape;

/// What kind of work an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Convolution in one or two groups; batch normalisation and rectifier are part of it.
    Convolution { groups: usize },
    /// Maximum over a window.
    MaxPool,
    /// Average over a window.
    AveragePool,
    /// Sum of two feature maps.
    Add,
}

/// The work of an operation: what its cycles depend on.
///
/// Padding is inserted on the way into the input buffer and costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Work {
    pub kind: Kind,
    pub input: Shape,
    pub output: Shape,
    pub kernel: usize,
    pub stride: usize,
}

/// An engine of the accelerator; each works off its operations in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The convolution engine, or of two the one for kernels larger than 1x1. Average pooling,
    /// sums, and without a pooling engine max pooling, run here too.
    Convolution,
    /// The engine for 1x1 kernels, where the convolution engine is split.
    Pointwise,
    /// The engine for max pooling.
    Pool,
}

impl Engine {
    pub(super) const COUNT: usize = 3;
}

/// Which engines a configuration has beside the convolution engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Engines {
    pub pool: bool,
    pub pointwise: bool,
}

impl Engines {
    pub(super) fn of(configuration: &Configuration) -> Self {
        Self {
            pool: configuration.pool_engine,
            pointwise: configuration.engine_pixels().1.is_some(),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Convolution => "convolution",
            Self::Pointwise => "pointwise",
            Self::Pool => "pool",
        })
    }
}

/// What an operation spends most of its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Multiply-accumulates, maxima or sums.
    Compute,
    /// Reading weights from DRAM.
    Weights,
    /// Filling the feeding buffers from the input buffer.
    Feeding,
    /// Reading feature maps from DRAM.
    Input,
    /// Writing feature maps to DRAM.
    Output,
    /// The launch by the processor.
    Launch,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compute => "compute",
            Self::Weights => "weights",
            Self::Feeding => "feeding",
            Self::Input => "input",
            Self::Output => "output",
            Self::Launch => "launch",
        })
    }
}

/// Clock cycles, and what they are spent on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cycles {
    pub cycles: f64,
    pub bound: Bound,
}

/// An operation that a configuration cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{configuration} cannot run operation `{operation}`: {reason}")]
pub struct Infeasible {
    /// The operation's name.
    pub operation: String,
    /// The configuration.
    pub configuration: String,
    /// What does not fit.
    pub reason: &'static str,
}

impl Work {
    /// The engine that does the work.
    pub(super) const fn engine(&self, engines: Engines) -> Engine {
        match self.kind {
            Kind::MaxPool if engines.pool => Engine::Pool,
            Kind::Convolution { .. } if self.kernel == 1 && engines.pointwise => Engine::Pointwise,
            _ => Engine::Convolution,
        }
    }

    /// The time from the launch of the work to its end, in us.
    pub(super) fn duration_us(cycles: f64, platform: &Platform) -> f64 {
        cycles / platform.clock_mhz + platform.launch_us
    }
}
