//! Sets of labelled images: where they are found, how they are read, and how they get there.
//!
//! Pixels are bytes, image by image, row by row, the channels of a pixel side by side.

mod download;
mod error;
mod image_set;
mod publication;
mod readers;
mod registry;
mod set;

pub use download::{
    AcquireError, Acquired, Client, DownloadError, FetchEvent, Official, Source, fetch, import,
};
pub use error::DataError;
pub use image_set::{ImageFamily, ImageSet};
pub use publication::{Download, Publication};
pub use registry::{DataSpec, REGISTRY, open, sets};
pub use set::{Dataset, Images};
