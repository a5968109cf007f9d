//! Archives: a store in one file, to keep, to move, and to come back from.
//!
//! An archive is a tar file compressed with zstd. `docs/store.md` describes it for those who want to read one
//! by other means. It has everything that a store has but what is about its folder alone, so that a store that
//! is imported exports to the same bytes.

mod export;
mod format;
mod import;

pub(super) use export::training_files;
pub use format::{Totals, TreeTotals};
pub(super) use import::claim;

#[cfg(test)]
mod tests;
