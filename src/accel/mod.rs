//! Accelerators: what a network costs on hardware.

mod accelerator;
pub mod chaidnn;
mod estimates;
mod metric;
mod scan;
pub mod table;

pub use accelerator::{Accelerator, Breakdown, LayerCost, Metrics, PartCost};
pub use estimates::{EstimateCache, Estimates};
pub use metric::{MetricNameError, check_metric_name};
pub use scan::{Found, Level, Scan};
