//! The durable store of runs, trials and checkpoints, in a sled database.
//!
//! One tree for each kind: `runs` (name), `studies` (name), `journal` (run, step), `checkpoints` (run,
//! step), `scripts` (hash of the text), `accuracies` (hash of a training),
//! `estimates` (hash of what is estimated) and `meta` (the version of this
//! layout; a newer one is refused).
//! Trials are appended to their run's journal and never change. One process at a time has a store
//! open.

mod archive;
mod checkpoints;
mod compact;
mod database;
mod durable;
mod engine;
mod error;
mod estimates;
mod holder;
mod image;
mod journal;
mod keys;
mod last_resort;
mod lock;
mod migration;
mod open;
mod packing;
mod place;
mod preflight;
mod reader;
mod record;
mod remains;
mod runs;
mod salvage;
pub mod server;
mod sources;
mod space;
mod stretch;
mod studies;
mod swap;
mod trainings;
mod trees;
mod trial;
mod verify;

pub use archive::{Totals, TreeTotals};
pub use compact::Compacted;
pub use error::StoreError;
pub use holder::{HEARTBEAT, Holder};
pub use last_resort::{Report, end_with};
pub use open::{OpenMode, Store};
pub use reader::{Entries, Reader, Stretches};
pub use record::{GoalRecord, Lost, PhaseRecord, RunRecord, Status, SweepRecord, now_s};
pub use runs::plain_name;
pub use salvage::{Salvaged, SalvagedRun};
pub use space::{Part, Space};
pub use stretch::Stretch;
pub use studies::StudyRecord;
pub use trial::{Effort, Entry, Outcome, Reused, Trial};
pub use verify::{Finding, Findings, Weight};

#[cfg(test)]
mod tests;
