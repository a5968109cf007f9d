//! Estimates that cost much more than a look-up, each computed once.

use std::sync::{Arc, OnceLock};

use crate::util::keep_error::KeepError;
use crate::util::single_flight::SingleFlight;

/// Storage for estimates between runs of the program.
pub trait Estimates: Send + Sync {
    /// Returns the estimate stored under a key, if there is one.
    ///
    /// # Errors
    /// The storage cannot be read.
    fn get(&self, key: &str) -> Result<Option<String>, KeepError>;

    /// Stores an estimate under a key.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn put(&self, key: &str, estimate: &str) -> Result<(), KeepError>;

    /// The keys whose estimates are being computed.
    fn flights(&self) -> &SingleFlight;
}

/// The estimates of one experiment, cached in [`Estimates`] if that is set.
#[derive(Default)]
pub struct EstimateCache {
    kept: OnceLock<Arc<dyn Estimates>>,
}

impl EstimateCache {
    /// Sets the storage; calls after the first have no effect.
    pub fn keep_in(&self, kept: Arc<dyn Estimates>) {
        let _ = self.kept.set(kept);
    }

    /// Returns the estimate of a key, and true if it came from the storage.
    ///
    /// The key must name everything that the estimate depends on. A missing estimate is computed by one
    /// thread and stored; without storage, every call computes.
    ///
    /// # Errors
    /// The computation fails, which is not stored, or the storage cannot be read or written.
    pub fn get_or<E: From<KeepError>>(
        &self,
        key: &str,
        compute: impl FnOnce() -> Result<String, E>,
    ) -> Result<(String, bool), E> {
        let Some(kept) = self.kept.get() else { return Ok((compute()?, false)) };
        let _claim = kept.flights().claim(key);
        if let Some(known) = kept.get(key)? {
            return Ok((known, true));
        }
        let estimate = compute()?;
        kept.put(key, &estimate)?;
        Ok((estimate, false))
    }
}
