//! Accelerators: the cost of a network on hardware.

mod accelerator;
pub mod chaidnn;
mod estimates;
pub mod registry;
mod scan;
pub mod table;
mod workload;

pub use accelerator::{Accelerator, AcceleratorError, Breakdown, LayerCost, PartCost};
pub use estimates::{EstimateCache, Estimates};
pub use workload::{NetworkForm, PreparedNetwork, Workload, WrongForm};

pub use scan::{LatencyLevel, Scan, ScannedPair};
