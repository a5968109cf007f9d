//! Latencies of many networks on many configurations at once.
//!
//! They equal those of [`Program::estimate`](super::Program) bit for bit: the same sums and maxima in the
//! same order. Three things make it fast. The durations of the distinct [works](super::operation::Work) are
//! computed once for each configuration; configurations with equal durations are computed once; and the
//! schedule is a fixed program for all configurations with the same engines, run over a vector of them at a
//! time.

mod code;
mod machine;
mod scan;
mod table;

pub use machine::SlotMemory;
pub use scan::{Batch, BatchError};

#[cfg(test)]
mod tests;
