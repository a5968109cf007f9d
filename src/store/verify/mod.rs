//! Looking at everything that a store holds.
//!
//! Every record is read, decoded and held against the records that it names. A finding stops nothing: all of
//! them are collected, up to a bound, and the store is not changed.

mod files;
mod findings;
mod journal;
mod records;

pub use findings::{Finding, Findings, Weight};

#[cfg(test)]
mod tests;

use super::disk::watchdog::without_panic;
use super::store::Store;

/// What brings back a record that is lost.
const IMPORT: &str = "`tandem store import` makes a store of an archive that has it";

/// Looks at one kind of record.
type Check = fn(&Store, &mut Findings);

impl Store {
    /// Looks at everything that the store holds and says what is wrong with it.
    pub fn verify(&self) -> Findings {
        let mut findings = Findings::default();
        let checks: [(&str, Check); 8] = [
            ("meta", Self::verify_trees),
            ("runs", Self::verify_runs),
            ("journals", Self::verify_journal_keys),
            ("studies", Self::verify_studies),
            ("checkpoints", Self::verify_checkpoints),
            ("scripts", Self::verify_scripts),
            ("accuracies", Self::verify_trainings),
            ("estimates", Self::verify_estimates),
        ];
        for (place, check) in checks {
            // sled panics at some of what it does not expect in a file.
            if let Err(reason) = without_panic(|| check(self, &mut findings)) {
                findings.damage(place, format!("cannot be read ({reason})"), IMPORT);
            }
        }
        self.verify_training_files(&mut findings);
        self.verify_ends(&mut findings);
        findings
    }
}
