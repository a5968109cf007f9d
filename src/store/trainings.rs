//! Records of training runs, by the hashes of their inputs; runs share them.

use std::path::PathBuf;

use super::error::StoreError;
use super::store::Store;
use crate::util::checksum::{body, hashed};

impl Store {
    /// Returns the record of a training run, if it is stored.
    ///
    /// # Errors
    /// The store fails, or the record is damaged.
    pub fn training(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.accuracies.get(key).map_err(|error| self.failed(error))?;
        value.map(|value| self.whole(&format!("the record of training {key}"), &value)).transpose()
    }

    /// Stores the record of a training run and syncs it to disk, since training is expensive.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_training(&self, key: &str, record: &[u8]) -> Result<(), StoreError> {
        self.accuracies.insert(key, hashed(record)).map_err(|error| self.failed(error))?;
        self.sync()
    }

    /// Returns the keys of all training runs, in order.
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

    /// Returns the path of the checkpoint that a training run keeps until it ends.
    pub fn training_checkpoint(&self, key: &str) -> PathBuf {
        self.trainings.join(key)
    }

    /// Returns the bytes after a value's hash; an error that names `what` if the hash does not match.
    pub(super) fn whole(&self, what: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let whole = body(value).map(<[u8]>::to_vec);
        whole.ok_or_else(|| self.damaged(format!("{what} has another hash")))
    }
}
