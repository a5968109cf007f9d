//! Accelerators: what a network costs on hardware.

pub mod chaidnn;
mod scan;

pub use scan::{Found, Level, Scan};
