//! Records of studies.

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::runs::first_free;
use super::store::Store;

/// A study: a comparison of many runs. The name of each run begins with the study's name and a slash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyRecord {
    /// Its name, unique in the store.
    pub name: String,
    /// The path of the study's file, as given.
    pub file: String,
    /// The hash of the file's text.
    pub source: String,
    /// The parsed content of the file.
    pub plan: serde_json::Value,
    /// The name and version of the program.
    pub program: String,
    /// The study that it was forked from.
    pub forked_from: Option<String>,
    /// The time of its creation, in seconds since 1970.
    pub created_s: u64,
    /// Its number among the studies of the same name, from 1.
    pub number: u32,
}

impl Store {
    /// Adds a study under a new name, the given one with a hyphen and a number, and returns its record.
    ///
    /// # Errors
    /// The store fails.
    pub fn create_study(&self, mut study: StudyRecord) -> Result<StudyRecord, StoreError> {
        (study.name, study.number) = first_free(&[&self.runs, &self.studies], &study.name);
        self.update_study(&study)?;
        Ok(study)
    }

    /// Writes or replaces the record of a study.
    ///
    /// # Errors
    /// The store fails.
    pub fn update_study(&self, study: &StudyRecord) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(study).map_err(|error| StoreError::Encode {
            what: format!("study `{}`", study.name),
            reason: error.to_string(),
        })?;
        self.studies.insert(&study.name, bytes).map_err(|error| self.failed(error))?;
        self.flush()
    }

    /// Returns the records of all studies, in the order of their names.
    ///
    /// # Errors
    /// The store fails.
    pub fn studies(&self) -> Result<Vec<StudyRecord>, StoreError> {
        let records = self.studies.iter().map(|entry| {
            let (name, bytes) = entry.map_err(|error| self.failed(error))?;
            serde_json::from_slice(&bytes).map_err(|error| {
                let name = String::from_utf8_lossy(&name).into_owned();
                self.damaged(format!("the record of study `{name}`: {error}"))
            })
        });
        records.collect()
    }
}
