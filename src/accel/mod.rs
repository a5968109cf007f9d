//! Accelerators: what a network costs on hardware.

pub mod chaidnn;
