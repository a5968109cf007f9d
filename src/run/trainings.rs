//! Training runs kept in a store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::accuracy::training_cache::{TrainingRecord, Trainings};
use crate::store::Store;
use crate::util::single_flight::Flights;

/// Training runs kept in a store, shared by its runs.
#[derive(Debug)]
pub struct StoredTrainings(pub Arc<Store>);

impl Trainings for StoredTrainings {
    fn get(&self, key: &str) -> Result<Option<TrainingRecord>, String> {
        let record = self.0.training(key).map_err(|error| error.to_string())?;
        record.map(|bytes| decode(key, &bytes)).transpose()
    }

    fn put(&self, key: &str, record: &TrainingRecord) -> Result<(), String> {
        let bytes = serde_json::to_vec(record).map_err(|error| error.to_string())?;
        self.0.put_training(key, &bytes).map_err(|error| error.to_string())
    }

    fn checkpoint(&self, key: &str) -> PathBuf {
        self.0.training_checkpoint(key)
    }

    fn flights(&self) -> &Flights {
        self.0.flights()
    }
}

/// Decodes the record of a training run, as a store keeps it.
///
/// # Errors
/// The record cannot be read; the message names its key.
pub fn decode(key: &str, bytes: &[u8]) -> Result<TrainingRecord, String> {
    serde_json::from_slice(bytes)
        .map_err(|error| format!("the record of training {key} cannot be read: {error}"))
}
