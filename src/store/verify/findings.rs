//! What was found.

/// Findings that are kept; of the others only the number is.
const KEPT: usize = 1000;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something is lost or wrong.
    Damage,
    /// Something is worth knowing and harms nothing.
    Note,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// Where.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What can be done.
    pub remedy: String,
}

/// What was found, and how much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first findings.
    pub list: Vec<Finding>,
    /// Findings of damage, those that are not in the list included.
    pub damages: u64,
    /// Notes, those that are not in the list included.
    pub notes: u64,
    /// Runs that were looked at.
    pub runs: u64,
    /// Trials of theirs.
    pub trials: u64,
    /// Checkpoints of theirs.
    pub checkpoints: u64,
    /// Studies.
    pub studies: u64,
    /// Texts of scripts.
    pub scripts: u64,
    /// Records of trainings.
    pub trainings: u64,
    /// Estimates of accelerators.
    pub estimates: u64,
    /// Files beside the database.
    pub files: u64,
}

impl Findings {
    /// Findings that are not in the list.
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
