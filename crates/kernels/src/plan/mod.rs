//! A network's training step as a list of kernels, with its memory laid out before it runs.

mod buffers;
mod build;
mod step;

pub use buffers::{BufferId, Buffers, Place};
pub use build::{Plan, plan};
pub use step::{
    ConvolutionKernel, ConvolutionStep, GradientTarget, OutputPart, Sources, Step, Summand,
};
