//! A single operation of the accelerator: its work, engine and cycles.

use std::fmt;

use super::Configuration;
use super::platform::Platform;
use crate::network::Shape;

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum OperationKind {
    /// Convolution in one or two groups, including batch normalization and ReLU.
    Convolution { groups: usize },
    /// Maximum over a window.
    MaxPool,
    /// Average over a window.
    AveragePool,
    /// Sum of two feature maps.
    Add,
}

/// The parameters of an operation that determine its cycles.
///
/// Padding is inserted while data enters the input buffer and costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Work {
    pub kind: OperationKind,
    pub input: Shape,
    pub output: Shape,
    pub kernel: usize,
    pub stride: usize,
}

/// An engine of the accelerator; each runs its operations in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The convolution engine or, if it is split, the engine for kernels larger than 1x1. It also runs
    /// average pooling, sums and, without a pooling engine, max pooling.
    Convolution,
    /// The engine for 1x1 kernels, if the convolution engine is split.
    Pointwise,
    /// The engine for max pooling.
    Pool,
}

impl Engine {
    pub(super) const COUNT: usize = 3;
}

/// The engines of a configuration beside the convolution engine; true where present.
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

/// The bottlenecks of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bottleneck {
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

impl fmt::Display for Bottleneck {
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

/// Clock cycles and the bottleneck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cycles {
    pub cycles: f64,
    pub bound: Bottleneck,
}

/// An operation that a configuration cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{configuration} cannot run operation `{operation}`: {reason}")]
pub struct Infeasible {
    /// The operation's name.
    pub operation: String,
    /// The configuration.
    pub configuration: String,
    /// The reason, such as a buffer that is too small.
    pub reason: &'static str,
}

impl Work {
    /// The engine that runs the work.
    pub(super) const fn engine(&self, engines: Engines) -> Engine {
        match self.kind {
            OperationKind::MaxPool if engines.pool => Engine::Pool,
            OperationKind::Convolution { .. } if self.kernel == 1 && engines.pointwise => {
                Engine::Pointwise
            }
            _ => Engine::Convolution,
        }
    }

    /// The time from the launch of the work to its end, in µs.
    pub(super) fn duration_us(cycles: f64, platform: &Platform) -> f64 {
        cycles / platform.clock_mhz + platform.launch_us
    }
}
