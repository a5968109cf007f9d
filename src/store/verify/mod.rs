//! A check of everything that a store contains.
//!
//! Every record is read, decoded and compared with the records to which it refers. The check does not stop at
//! a finding; all findings are counted, the first of them are kept, and the store is not changed.

mod files;
mod findings;
mod journal;
mod records;

pub use findings::{Finding, Findings, Weight};

#[cfg(test)]
mod tests;

use super::disk::watchdog::without_panic;
use super::store::Store;

/// The advice for a lost record.
const IMPORT: &str = "`tandem store import` makes a store of an archive that has it";

/// A check of one kind of record.
type Check = fn(&Store, &mut Findings);

impl Store {
    /// Checks everything that the store contains, and returns the findings.
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
