//! Accelerators: what a network costs on hardware.

pub mod chaidnn;
mod estimates;
mod scan;

pub use estimates::{EstimateCache, Estimates};
pub use scan::{Found, Level, Scan};
