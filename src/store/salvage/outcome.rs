//! The result of a salvage.

use std::path::PathBuf;

/// The result of a salvage: what the new store contains and what is lost.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// The salvaged runs, in the order of their names.
    pub runs: Vec<SalvagedRun>,
    /// The names of the studies whose records are intact.
    pub studies: Vec<String>,
    /// The names of the studies whose records are lost (known from their runs) or are from a damaged page.
    pub lost_studies: Vec<String>,
    /// The number of salvaged texts of scripts.
    pub scripts: usize,
    /// The number of salvaged records of training runs.
    pub trainings: usize,
    /// The number of salvaged estimates.
    pub estimates: usize,
    /// The number of salvaged checkpoints of training runs.
    pub files: usize,
    /// The damaged checkpoints of training runs.
    pub lost_files: Vec<PathBuf>,
    /// A description of the damage of the store's database; `None` if it is intact.
    pub damage: Option<String>,
}

impl Salvaged {
    /// Returns the number of salvaged trials.
    pub fn trials(&self) -> u64 {
        self.runs.iter().map(|run| run.trials).sum()
    }

    /// Returns the number of trials that are known to be lost.
    pub fn lost_trials(&self) -> u64 {
        self.runs.iter().map(SalvagedRun::lost_trials).sum()
    }

    /// Returns true if no damage was found.
    pub fn is_all(&self) -> bool {
        self.damage.is_none()
            && self.lost_studies.is_empty()
            && self.lost_files.is_empty()
            && self.runs.iter().all(SalvagedRun::is_whole)
    }
}

/// The result of a salvage for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvagedRun {
    /// Its name.
    pub name: String,
    /// The number of salvaged trials.
    pub trials: u64,
    /// The first and the last step of each series of lost trials that other trials follow.
    pub lost: Vec<(u64, u64)>,
    /// The number of trials at the end that are known to be lost.
    pub lost_at_end: u64,
    /// True if its record is lost.
    pub has_lost_record: bool,
    /// True if its record is from a damaged page.
    pub has_doubtful_record: bool,
    /// True if a newer version of its record was damaged.
    pub has_older_record: bool,
    /// The names of the files of its script whose texts are lost.
    pub lost_sources: Vec<String>,
    /// True if the run can be resumed.
    pub goes_on: bool,
}

impl SalvagedRun {
    /// Returns the number of trials that are known to be lost.
    pub fn lost_trials(&self) -> u64 {
        self.lost.iter().map(|(first, last)| last - first + 1).sum::<u64>() + self.lost_at_end
    }

    /// Returns true if nothing of the run is known to be lost.
    pub const fn is_whole(&self) -> bool {
        self.lost.is_empty()
            && self.lost_at_end == 0
            && !self.has_lost_record
            && !self.has_doubtful_record
            && !self.has_older_record
            && self.lost_sources.is_empty()
    }
}
