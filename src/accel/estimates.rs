//! Estimates that cost much more than a look-up, each paid for once.

use std::sync::{Arc, OnceLock};

use crate::util::keep_error::KeepError;
use crate::util::single_flight::Flights;

/// Where estimates are kept between runs of the program.
pub trait Estimates: Send + Sync {
    /// What is kept under a key.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, key: &str) -> Result<Option<String>, KeepError>;

    /// Keeps an estimate under a key.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&self, key: &str, estimate: &str) -> Result<(), KeepError>;

    /// What is being estimated.
    fn flights(&self) -> &Flights;
}

/// Estimates of one experiment: kept, if there is a place to keep them.
#[derive(Default)]
pub struct EstimateCache {
    kept: OnceLock<Arc<dyn Estimates>>,
}

impl EstimateCache {
    /// Keeps estimates, and finds those that are kept; the first call counts.
    pub fn keep_in(&self, kept: Arc<dyn Estimates>) {
        let _ = self.kept.set(kept);
    }

    /// The estimate under the key of everything that decides it, and whether it was known; what is not
    /// known is computed, by one thread.
    ///
    /// # Errors
    /// Its computation fails, which is not kept, or what is kept cannot be read or written.
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
