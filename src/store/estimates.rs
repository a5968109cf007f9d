//! Estimates of accelerators, by the hashes of their inputs; runs share them.

use super::error::StoreError;
use super::store::Store;
use crate::util::checksum::hashed;

impl Store {
    /// Returns an estimate, if it is stored.
    ///
    /// # Errors
    /// The store fails, or the estimate is damaged.
    pub fn estimate(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.estimates.get(key).map_err(|error| self.failed(error))?;
        value.map(|value| self.whole(&format!("estimate {key}"), &value)).transpose()
    }

    /// Stores an estimate. It is flushed with the trial that needed it.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_estimate(&self, key: &str, estimate: &[u8]) -> Result<(), StoreError> {
        self.estimates.insert(key, hashed(estimate)).map_err(|error| self.failed(error))?;
        Ok(())
    }
}
