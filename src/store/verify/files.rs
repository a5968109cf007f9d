//! Checks of the files beside the database.

use std::fs;

use super::super::place;
use super::super::store::Store;
use super::Findings;
use crate::util::checksum;

impl Store {
    /// Reports ends of logs that were cut off or will be.
    pub(super) fn verify_ends(&self, findings: &mut Findings) {
        let remedy = "after a kill or a loss of power `tandem resume` makes it again; else `tandem store \
                      salvage` reads more of it";
        if let Some(hole) = self.db.hole() {
            findings.note("db", hole, remedy);
        }
        for torn in place::torn(&self.path) {
            let place = torn.display().to_string();
            findings.note(
                place,
                "is the end of a log that was cut off",
                format!("{remedy}; it can be removed"),
            );
        }
    }

    /// Checks the files of checkpoints of training runs.
    pub(super) fn verify_training_files(&self, findings: &mut Findings) {
        let files = match self.training_files() {
            Ok(files) => files,
            Err(error) => {
                return findings.damage("trainings", error.to_string(), "see to its permissions");
            }
        };
        for (name, path) in files {
            findings.files += 1;
            let place = path.display().to_string();
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) => {
                    findings.damage(place, error.to_string(), "see to its permissions");
                    continue;
                }
            };
            if checksum::body(&bytes).is_none() {
                let remedy = "remove it: the training starts anew";
                findings.damage(place, "has another hash", remedy);
            } else if self.accuracies.contains_key(name.as_encoded_bytes()).unwrap_or(false) {
                findings.note(place, "is of a training that is done", "it can be removed");
            }
        }
    }
}
