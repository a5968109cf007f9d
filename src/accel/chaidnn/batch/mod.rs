//! Many networks on many configurations at once.
//!
//! A network's latency on a configuration is the one of [`Program::estimate`](super::Program), bit
//! for bit: the same sums and maxima in the same order. What makes it fast is that the durations of
//! the different [works](super::operation::Work) are computed once for each configuration, that
//! configurations with equal durations are computed once, and that the schedule is a fixed program
//! for all configurations with the same engines, run over a vector of them at a time.

mod code;
mod machine;
mod scan;
mod table;

pub use machine::Memory;
pub use scan::{Batch, BatchError};

#[cfg(test)]
mod tests;
