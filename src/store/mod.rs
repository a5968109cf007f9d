//! The durable store of runs, trials and checkpoints, in a sled database.
//!
//! The database has one tree for each kind of record: `runs` (by name), `studies` (by name), `journal` (by
//! run and step), `checkpoints` (by run and step), `scripts` (by the hash of the text), `accuracies` (by the
//! hash of a training run's inputs), `estimates` (by the hash of an estimate's inputs) and `meta` (the
//! version of the layout; a newer one is refused). Trials are appended to their run's journal and never
//! change. One process at a time has a store open for writing.

mod archive;
mod bytes;
mod checkpoints;
mod disk;
mod disk_usage;
mod engine;
mod engine_error;
mod error;
mod estimates;
mod format;
mod image;
mod journal;
mod layout;
mod marker;
mod open;
mod packing;
mod place;
mod preflight;
mod reader;
mod runs;
mod salvage;
pub mod server;
mod sources;
#[expect(clippy::module_inception, reason = "the module is named after its main type")]
mod store;
mod studies;
mod trainings;
mod verify;

pub use archive::{Totals, TreeTotals};
pub use disk::compact::Compacted;
pub use disk::lock_owner::{HEARTBEAT, LockOwner};
pub use disk::watchdog::{Reporter, end_with};
pub use disk_usage::{DiskUsage, UsagePart};
pub use error::StoreError;
pub use format::record::{GoalRecord, Lost, PhaseRecord, RunRecord, Status, SweepRecord, now_s};
pub use format::trial::{Entry, Outcome, Reused, Trial, TrialCost};
pub use format::trial_block::TrialBlock;
pub use open::OpenMode;
pub use reader::{Blocks, Entries, Reader};
pub use runs::plain_name;
pub use salvage::{Salvaged, SalvagedRun};
pub use store::Store;
pub use studies::StudyRecord;
pub use verify::{Finding, Findings, Weight};

#[cfg(test)]
mod tests;
