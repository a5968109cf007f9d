//! The result of a salvage.

use std::path::PathBuf;

/// What was brought into a new store, and what was not.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// The runs, in the order of their names.
    pub runs: Vec<SalvagedRun>,
    /// Studies that were brought back.
    pub studies: Vec<String>,
    /// Studies whose records are lost, known by their runs, or were read from a damaged page.
    pub lost_studies: Vec<String>,
    /// Texts of scripts that were brought back.
    pub scripts: usize,
    /// Trainings that were brought back.
    pub trainings: usize,
    /// Estimates that were brought back.
    pub estimates: usize,
    /// Checkpoints of trainings that were brought back.
    pub files: usize,
    /// Checkpoints of trainings that are not whole.
    pub lost_files: Vec<PathBuf>,
    /// What is wrong with the store's database, if anything is.
    pub damage: Option<String>,
}

impl Salvaged {
    /// Trials that were brought back.
    pub fn trials(&self) -> u64 {
        self.runs.iter().map(|run| run.trials).sum()
    }

    /// Trials that are known to be lost.
    pub fn lost_trials(&self) -> u64 {
        self.runs.iter().map(SalvagedRun::lost_trials).sum()
    }

    /// Whether nothing was damaged.
    pub fn is_all(&self) -> bool {
        self.damage.is_none()
            && self.lost_studies.is_empty()
            && self.lost_files.is_empty()
            && self.runs.iter().all(SalvagedRun::is_whole)
    }
}

/// What was brought back of a run, and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvagedRun {
    /// Its name.
    pub name: String,
    /// Trials that were brought back.
    pub trials: u64,
    /// The first and the last step of each stretch of lost trials that others follow.
    pub lost: Vec<(u64, u64)>,
    /// Trials that are known to be lost at the end.
    pub lost_at_end: u64,
    /// Whether its record is lost.
    pub has_lost_record: bool,
    /// Whether its record was read from a damaged page.
    pub has_doubtful_record: bool,
    /// Whether a newer version of its record was damaged.
    pub has_older_record: bool,
    /// The files of its script whose texts are lost.
    pub lost_sources: Vec<String>,
    /// Whether it can go on.
    pub goes_on: bool,
}

impl SalvagedRun {
    /// Trials that are known to be lost.
    pub fn lost_trials(&self) -> u64 {
        self.lost.iter().map(|(first, last)| last - first + 1).sum::<u64>() + self.lost_at_end
    }

    /// Whether nothing of it is known to be lost.
    pub const fn is_whole(&self) -> bool {
        self.lost.is_empty()
            && self.lost_at_end == 0
            && !self.has_lost_record
            && !self.has_doubtful_record
            && !self.has_older_record
            && self.lost_sources.is_empty()
    }
}
