//! The reference of functions that scripts define and call, from their registered documentation.
//!
//! A [`FunctionCatalog`] lists the functions of a script's engine; it is written as definitions for editors and as
//! a page of Markdown.

mod catalog;
mod definitions;
mod page;
pub(super) mod vocabulary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::Engine;

use super::engine::engine;
use super::resolver::Resolver;
use super::sandbox::limits::Limits;
use super::services::Services;
use super::sources::Sources;
use catalog::FunctionCatalog;

pub use definitions::definitions;
pub use page::reference_page;

/// Returns an engine as scripts have it, which reads tables and images from a folder of data.
pub(super) fn script_engine(data: PathBuf) -> Engine {
    let resolver = Resolver::new(Path::new("."), "", Sources::default());
    engine(resolver, &Arc::new(Services::new(data, 1)), &Limits::default())
}

#[cfg(test)]
mod tests;
