//! Training runs kept in a store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::accuracy::training_cache::{TrainingRecord, Trainings};
use crate::store::Store;
use crate::util::keep_error::KeepError;
use crate::util::single_flight::SingleFlight;

/// Training runs kept in a store, shared by its runs.
#[derive(Debug)]
pub struct StoredTrainings(pub Arc<Store>);

impl Trainings for StoredTrainings {
    fn get(&self, key: &str) -> Result<Option<TrainingRecord>, KeepError> {
        let record = self.0.training(key).map_err(KeepError::new)?;
        record.map(|bytes| decode(key, &bytes).map_err(KeepError::new)).transpose()
    }

    fn put(&self, key: &str, record: &TrainingRecord) -> Result<(), KeepError> {
        let bytes = serde_json::to_vec(record).map_err(KeepError::new)?;
        self.0.put_training(key, &bytes).map_err(KeepError::new)
    }

    fn checkpoint(&self, key: &str) -> PathBuf {
        self.0.training_checkpoint(key)
    }

    fn flights(&self) -> &SingleFlight {
        self.0.flights()
    }
}

/// The record of a training run that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the record of training {key} cannot be read: {source}")]
pub struct TrainingRecordError {
    key: String,
    source: serde_json::Error,
}

/// Decodes the record of a training run, as a store keeps it.
///
/// # Errors
/// The record cannot be read.
pub fn decode(key: &str, bytes: &[u8]) -> Result<TrainingRecord, TrainingRecordError> {
    serde_json::from_slice(bytes)
        .map_err(|source| TrainingRecordError { key: key.to_owned(), source })
}
