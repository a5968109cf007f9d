//! Records of trainings, by the hash of what decides them; runs share them.

use std::path::PathBuf;

use super::error::StoreError;
use super::store::Store;
use crate::util::checksum::{body, hashed};

impl Store {
    /// The record of a training, if it is known.
    ///
    /// # Errors
    /// The store fails, or the record is not what was written.
    pub fn training(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.accuracies.get(key).map_err(|error| self.failed(error))?;
        value.map(|value| self.whole(&format!("the record of training {key}"), &value)).transpose()
    }

    /// Keeps the record of a training, and brings it to the disk: it was paid for.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_training(&self, key: &str, record: &[u8]) -> Result<(), StoreError> {
        self.accuracies.insert(key, hashed(record)).map_err(|error| self.failed(error))?;
        self.sync()
    }

    /// The keys of all trainings, in order.
    ///
    /// # Errors
    /// The store fails.
    pub fn training_keys(&self) -> Result<Vec<String>, StoreError> {
        let keys = self.accuracies.iter().keys();
        keys.map(|key| {
            let key = key.map_err(|error| self.failed(error))?;
            Ok(String::from_utf8_lossy(&key).into_owned())
        })
        .collect()
    }

    /// Where a training keeps its own checkpoint while it lasts.
    pub fn training_checkpoint(&self, key: &str) -> PathBuf {
        self.trainings.join(key)
    }

    /// What follows its own hash, if that holds.
    pub(super) fn whole(&self, what: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let whole = body(value).map(<[u8]>::to_vec);
        whole.ok_or_else(|| self.damaged(format!("{what} has another hash")))
    }
}
