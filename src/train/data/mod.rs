//! Sets of labeled images: lookup, reading, and downloading.
//!
//! Pixels are bytes in the order images x rows x columns x channels.

mod download;
mod error;
mod image_set;
mod publication;
mod readers;
mod registry;
mod set;

pub use download::{
    AcquireError, Acquired, DownloadError, FetchEvent, HttpClient, Official, RemoteFile, fetch,
    import,
};
pub use error::DataError;
pub use image_set::{ImageFamily, ImageSet};
pub use publication::{Download, Publication};
pub use registry::{DataSpec, REGISTRY, open, sets};
pub use set::{Dataset, Images};
