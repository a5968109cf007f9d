//! Checkpoints of runs: opaque bytes at a step, behind their hash.

use super::error::StoreError;
use super::format::keys;
use super::store::Store;
use crate::util::checksum::{body, hashed};

/// The number of checkpoints of a run that are kept: the last one and a fallback.
pub(super) const KEPT: usize = 2;

impl Store {
    /// Saves a checkpoint that covers the first `step` trials of a run, or the first `step` networks of a
    /// sweep.
    ///
    /// All but the last two checkpoints of the run are removed.
    ///
    /// # Errors
    /// The store fails.
    pub fn save_checkpoint(&self, run: &str, step: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        self.checkpoints.insert(keys::key(run, step), hashed(bytes)).map_err(failed)?;
        let older = self.checkpoints.scan_prefix_back(keys::prefix(run)).skip(KEPT);
        for (key, _) in older.collect::<Result<Vec<_>, _>>().map_err(failed)? {
            self.checkpoints.remove(key).map_err(failed)?;
        }
        self.flush()
    }

    /// Returns the last intact checkpoint of a run with its step; `None` if the run has no checkpoints.
    ///
    /// # Errors
    /// The store fails, or every checkpoint of the run is damaged.
    pub fn latest_checkpoint(&self, run: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let mut broken = 0;
        for entry in self.checkpoints.scan_prefix_back(keys::prefix(run)) {
            let (key, value) = entry.map_err(|error| self.failed(error))?;
            let step = keys::step(&key);
            if let (Some(step), Some(bytes)) = (step, body(&value)) {
                return Ok(Some((step, bytes.to_vec())));
            }
            tracing::warn!(run, step, "a checkpoint is damaged; the one before is used");
            broken += 1;
        }
        match broken {
            0 => Ok(None),
            _ => Err(self.damaged(format!("no checkpoint of run `{run}` is whole"))),
        }
    }
}
