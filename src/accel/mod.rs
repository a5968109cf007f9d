//! Accelerators: what a network costs on hardware.

mod accelerator;
pub mod chaidnn;
mod estimates;
mod scan;
pub mod table;

pub use accelerator::{Accelerator, Breakdown, LayerCost, PartCost};
pub use estimates::{EstimateCache, Estimates};

pub use scan::{Found, Level, Scan};
