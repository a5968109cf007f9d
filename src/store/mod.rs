//! The durable store of runs, trials and checkpoints, in a sled database.
//!
//! One tree for each kind: `runs` (name), `studies` (name), `journal` (run, step), `checkpoints` (run,
//! step), `scripts` (hash of the text), `accuracies` (hash of a training),
//! `estimates` (hash of what is estimated) and `meta` (the version of this
//! layout; a newer one is refused).
//! Trials are appended to their run's journal and never change. One process at a time has a store
//! open.

mod checkpoints;
mod database;
mod durable;
mod error;
mod estimates;
mod journal;
mod keys;
mod last_resort;
mod migration;
mod open;
mod packing;
mod reader;
mod record;
mod remains;
mod runs;
mod sources;
mod stretch;
mod studies;
mod trainings;
mod trial;

pub use error::StoreError;
pub use last_resort::{Report, end_with};
pub use open::{OpenMode, Store};
pub use reader::{Entries, Reader, Stretches};
pub use record::{GoalRecord, PhaseRecord, RunRecord, Status, SweepRecord, now_s};
pub use runs::plain_name;
pub use stretch::Stretch;
pub use studies::StudyRecord;
pub use trial::{Effort, Entry, Outcome, Reused, Trial};

#[cfg(test)]
mod tests;
