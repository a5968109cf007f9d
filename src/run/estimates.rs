//! Estimates kept in a store.

use std::sync::Arc;

use crate::accel::Estimates;
use crate::store::Store;
use crate::util::keep_error::KeepError;
use crate::util::single_flight::SingleFlight;

/// Estimates kept in a store, shared by its runs.
#[derive(Debug)]
pub struct StoredEstimates(pub Arc<Store>);

impl Estimates for StoredEstimates {
    fn get(&self, key: &str) -> Result<Option<String>, KeepError> {
        let kept = self.0.estimate(key).map_err(KeepError::new)?;
        let text = kept.map(String::from_utf8).transpose();
        text.map_err(|_| KeepError::new(format!("the estimate {key} in the store is no text")))
    }

    fn put(&self, key: &str, estimate: &str) -> Result<(), KeepError> {
        self.0.put_estimate(key, estimate.as_bytes()).map_err(KeepError::new)
    }

    fn flights(&self) -> &SingleFlight {
        self.0.flights()
    }
}
