//! Sets of labelled images: where they are found, how they are read, and how they get there.
//!
//! Pixels are bytes, image by image, row by row, the channels of a pixel side by side.

mod download;
mod error;
mod readers;
mod registry;
mod set;

pub use download::{
    AcquireError, Acquired, Client, DownloadError, FetchEvent, Official, Source, fetch, import,
};
pub use error::DataError;
pub use registry::{DataSpec, open, sets};
pub use set::{Dataset, Images};
