//! Estimates of accelerators, by the hash of what decides them; runs share them.

use super::error::StoreError;
use super::store::Store;
use crate::util::checksum::hashed;

impl Store {
    /// An estimate, if it is known.
    ///
    /// # Errors
    /// The store fails, or the estimate is not what was written.
    pub fn estimate(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.estimates.get(key).map_err(|error| self.failed(error))?;
        value.map(|value| self.whole(&format!("estimate {key}"), &value)).transpose()
    }

    /// Keeps an estimate. It reaches the disk with the trial that asked for it.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_estimate(&self, key: &str, estimate: &[u8]) -> Result<(), StoreError> {
        self.estimates.insert(key, hashed(estimate)).map_err(|error| self.failed(error))?;
        Ok(())
    }
}
