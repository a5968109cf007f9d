//! Sets of labelled images: where they are found and how they are read.
//!
//! Pixels are bytes, image by image, row by row, the channels of a pixel side by side.

mod cifar;
mod error;
mod folder;
mod idx;
mod locate;
mod procedural;
mod set;

pub use error::DataError;
pub use locate::{DataSpec, open};
pub use set::{Dataset, Images};
