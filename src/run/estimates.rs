//! Estimates kept in a store.

use std::sync::Arc;

use crate::accel::Estimates;
use crate::store::Store;
use crate::util::single_flight::Flights;

/// Estimates kept in a store, shared by its runs.
#[derive(Debug)]
pub struct StoredEstimates(pub Arc<Store>);

impl Estimates for StoredEstimates {
    fn get(&self, key: &str) -> Result<Option<String>, String> {
        let kept = self.0.estimate(key).map_err(|error| error.to_string())?;
        let text = kept.map(String::from_utf8).transpose();
        text.map_err(|_| format!("the estimate {key} in the store is no text"))
    }

    fn put(&self, key: &str, estimate: &str) -> Result<(), String> {
        self.0.put_estimate(key, estimate.as_bytes()).map_err(|error| error.to_string())
    }

    fn flights(&self) -> &Flights {
        self.0.flights()
    }
}
