//! The findings of a check.

/// The most findings that are kept; the others are only counted.
const KEPT: usize = 1000;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something is lost or wrong.
    Damage,
    /// Something is worth knowing and harms nothing.
    Note,
}

/// A finding: a fact, its place and a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The severity.
    pub weight: Weight,
    /// The record or file.
    pub place: String,
    /// A description of the fact, as a predicate or clause.
    pub what: String,
    /// Advice on how to repair it.
    pub remedy: String,
}

/// The findings of a check, and the number of things that were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first findings, in the order of the checks.
    pub list: Vec<Finding>,
    /// The number of findings of damage, including those that are not in the list.
    pub damages: u64,
    /// The number of notes, including those that are not in the list.
    pub notes: u64,
    /// The number of runs.
    pub runs: u64,
    /// The number of trials.
    pub trials: u64,
    /// The number of checkpoints of runs.
    pub checkpoints: u64,
    /// The number of studies.
    pub studies: u64,
    /// The number of texts of scripts.
    pub scripts: u64,
    /// The number of records of training runs.
    pub trainings: u64,
    /// The number of estimates of accelerators.
    pub estimates: u64,
    /// The number of files beside the database.
    pub files: u64,
}

impl Findings {
    /// Returns the number of findings that are not in the list.
    pub const fn omitted(&self) -> u64 {
        self.damages + self.notes - self.list.len() as u64
    }

    pub(super) fn damage(
        &mut self,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.damages += 1;
        self.push(Weight::Damage, place.into(), what.into(), remedy.into());
    }

    pub(super) fn note(
        &mut self,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.notes += 1;
        self.push(Weight::Note, place.into(), what.into(), remedy.into());
    }

    fn push(&mut self, weight: Weight, place: String, what: String, remedy: String) {
        if self.list.len() < KEPT {
            self.list.push(Finding { weight, place, what, remedy });
        }
    }
}
