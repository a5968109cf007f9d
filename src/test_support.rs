//! Tools that several unit tests share.

pub use data_folder::data_dir;

#[path = "../tests/suite/data_folder.rs"]
mod data_folder;
#[path = "../tests/suite/server.rs"]
pub mod server;
