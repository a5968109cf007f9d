//! Archives: a store in one file, for backups and transfers.
//!
//! An archive is a tar file compressed with zstd; `docs/store.md` describes the format for other readers. It
//! contains everything in a store except facts about its folder, so that an imported store exports to the
//! same bytes.

mod export;
mod format;
mod import;

pub(super) use export::training_files;
pub use format::{Totals, TreeTotals};
pub(super) use import::claim;

#[cfg(test)]
mod tests;
