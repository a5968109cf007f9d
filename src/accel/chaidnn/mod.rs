//! The FPGA accelerator of the paper: a model of CHaiDNN's area and latency.
//!
//! CHaiDNN v2 (Xilinx, Apache-2.0) computes convolutions with `filter_par` x `pixel_par` processing
//! elements behind on-chip buffers, always two images at once. A network is [lowered](lower) to a
//! [`Program`] of the operations that it runs; a program and a [`Configuration`] have an
//! [`ChaidnnEstimate`]: the latency of one batch on a [`Platform`], from the cycles of each operation and
//! the in-order queue of each engine, and the [`Area`].
//!
//! Constants that are fitted to CHaiDNN's published throughputs are fields of [`Platform`];
//! constants of its structure stand where they are used.

mod accelerator;
mod area;
mod batch;
mod configuration;
mod convolution;
mod cost;
mod elementwise;
mod estimate;
mod lower;
mod maths;
mod operation;
mod platform;
mod pooling;
mod program;
mod queue;
mod space;

pub use accelerator::{Chaidnn, model_version};
pub use area::{Area, AreaPart, Blocks};
pub use batch::{Batch, BatchError, SlotMemory};
pub use configuration::{Configuration, ParseConfigurationError};
pub use estimate::ChaidnnEstimate;
pub use lower::{LowerError, lower};
pub use operation::{Bottleneck, Engine, Infeasible};
pub use platform::{Platform, Precision};
pub use program::{OperationShare, Program};
pub use space::ChaidnnSpace;

#[cfg(test)]
mod published_tests;
#[cfg(test)]
mod reference_tests;
