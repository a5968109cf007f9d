//! Readers of image sets, one file for each layout.

pub mod cifar;
pub mod folder;
pub mod idx;
pub mod procedural;
