//! Records of trainings, by the hash of what decides them; runs share them.

use std::path::PathBuf;

use super::error::StoreError;
use super::open::Store;

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
        let value = [blake3::hash(record).as_bytes().as_slice(), record].concat();
        self.accuracies.insert(key, value).map_err(|error| self.failed(error))?;
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
        self.path.join("trainings").join(key)
    }

    /// What follows its own hash, if that holds.
    pub(super) fn whole(&self, what: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        match value.split_first_chunk::<32>() {
            Some((hash, record)) if blake3::hash(record) == *hash => Ok(record.to_vec()),
            _ => Err(self.damaged(format!("{what} has another hash"))),
        }
    }
}
