//! A store that this process has open.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::disk::free_space::check_room;
use super::disk::fsync::{Durable, write_synced};
use super::disk::lock::Lock;
use super::disk::lock_owner::{HeldLock, LockOwner};
use super::disk::watchdog::WriteWatch;
use super::engine::{StoreEngine, Tree};
use super::engine_error::EngineError;
use super::error::{StoreError, damaged};
use super::format::record::now_s;
use super::layout::{FREE_BYTES, META, SYNCED_KEY};
use super::packing::Tail;
use crate::util::single_flight::SingleFlight;

/// A store that this process has open.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    /// The folder of checkpoints of training runs.
    pub(super) trainings: PathBuf,
    /// The file that names this process as the holder; `None` while the store is only read. Dropped before
    /// the database, so that the file is removed while the lock is held.
    pub(super) holding: Option<HeldLock>,
    pub(super) runs: Tree,
    pub(super) studies: Tree,
    pub(super) journal: Tree,
    pub(super) checkpoints: Tree,
    pub(super) scripts: Tree,
    pub(super) accuracies: Tree,
    pub(super) estimates: Tree,
    pub(super) meta: Tree,
    /// The ends of the journals to which this process has appended.
    pub(super) tails: Mutex<HashMap<String, Tail>>,
    /// The runs that this process is working on.
    pub(super) own_runs: Mutex<HashSet<String>>,
    flights: SingleFlight,
    pub(super) synced: Mutex<Synced>,
    pub(super) watch: WriteWatch,
    /// The database; dropped after all of its trees.
    pub(super) db: StoreEngine,
    /// The lock of the folder; dropped last.
    pub(super) lock: Lock,
}

/// The last sync: its number and the files that are known to be on disk.
#[derive(Debug)]
pub(super) struct Synced {
    /// The number of the last sync.
    pub(super) number: u64,
    pub(super) files: Durable,
}

impl Store {
    /// Creates a store on an open database, without a holder's file and unwatched.
    pub(super) fn with(
        path: &Path,
        trainings: PathBuf,
        db: StoreEngine,
        lock: Lock,
    ) -> Result<Self, StoreError> {
        let tree = |name: &[u8]| db.tree(name).map_err(|error| StoreError::of(path, error));
        Ok(Self {
            path: path.to_owned(),
            trainings,
            holding: None,
            runs: tree(b"runs")?,
            studies: tree(b"studies")?,
            journal: tree(b"journal")?,
            checkpoints: tree(b"checkpoints")?,
            scripts: tree(b"scripts")?,
            accuracies: tree(b"accuracies")?,
            estimates: tree(b"estimates")?,
            meta: tree(META)?,
            tails: Mutex::default(),
            own_runs: Mutex::default(),
            flights: SingleFlight::default(),
            synced: Mutex::new(Synced { number: 0, files: Durable::default() }),
            watch: WriteWatch::default(),
            db,
            lock,
        })
    }

    /// Returns the keys whose values this process is computing, so that each is computed once.
    pub const fn flights(&self) -> &SingleFlight {
        &self.flights
    }

    /// Returns the folder of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs everything written so far to disk, so that it survives a loss of power.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let next = synced.number + 1;
        self.meta.insert(SYNCED_KEY, &next.to_be_bytes()).map_err(|error| self.failed(error))?;
        self.flush()?;
        self.watch.over(|| self.bring_to_disk(next, &mut synced.files)).map_err(|source| {
            // What the disk refused once it does not have, even if it says so when it is asked again.
            self.db.give_up(&source);
            StoreError::Io { path: self.path.clone(), source }
        })?;
        synced.number = next;
        Ok(())
    }

    /// Returns the number of the last sync.
    pub(super) fn last_sync(&self) -> u64 {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).number
    }

    fn bring_to_disk(&self, number: u64, files: &mut Durable) -> io::Result<()> {
        files.bring(&self.path)?;
        // Only when the database has the number may the file beside it ask for it.
        write_synced(&self.path, number)
    }

    /// Hands everything written so far to the operating system, so that it survives the death of this
    /// process.
    ///
    /// # Errors
    /// The disk is nearly full or fails.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.check(&self.path)?;
        check_room(&self.path, FREE_BYTES)?;
        let flushed = self.watch.over(|| self.db.flush());
        flushed.map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: EngineError) -> StoreError {
        if let Some(error) = error.io() {
            self.db.give_up(error);
        }
        StoreError::of(&self.path, error)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> StoreError {
        damaged(&self.path, what)
    }

    /// Returns the record of this process as the holder of the store, with its last heartbeat.
    pub fn holder(&self) -> LockOwner {
        let holder = self.holding.as_ref().map(|holding| holding.holder().clone());
        LockOwner { runs: self.own_runs(), ..holder.unwrap_or_else(LockOwner::this_process) }
    }

    /// Writes a heartbeat to the holder's file, with the runs that this process is working on.
    pub fn beat(&self) {
        let Some(holding) = &self.holding else { return };
        holding.holder().heartbeat_s = now_s();
        holding.write(&self.holder());
    }

    /// Writes to the holder's file at which socket this process answers; `None` if it does not.
    pub fn answer_at(&self, socket: Option<PathBuf>) {
        let Some(holding) = &self.holding else { return };
        holding.holder().socket = socket;
        self.beat();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // With nothing behind it, no damage of the end of the log can pass for the work of a kill.
        if self.holding.is_some() && !thread::panicking() && self.db.check(&self.path).is_ok() {
            match self.sync() {
                // What failed for want of room has said so.
                Ok(()) | Err(StoreError::Full { .. }) => {}
                Err(error) => tracing::warn!("closing the store failed: {error}"),
            }
        }
    }
}
