//! Records of runs.

use std::sync::PoisonError;

use super::engine::Tree;
use super::error::StoreError;
use super::format::record::{RunRecord, Status};
use super::store::Store;
use crate::util::suggest::nearest;

/// The most names that are suggested for an unknown one.
const SUGGESTIONS: usize = 3;

/// Replaces all characters of a name but letters, digits, `.` and `_` by hyphens, for use on a command line.
pub fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "._".contains(c) { c } else { '-' };
    name.chars().map(plain).collect()
}

/// Returns a name that no tree contains, and its number: the given name, a hyphen and a number above all that
/// are in use.
pub(super) fn first_free(trees: &[&Tree], name: &str) -> (String, u32) {
    let stem = plain_name(name);
    let keys = trees.iter().flat_map(|tree| tree.scan_prefix(format!("{stem}-")).keys());
    let taken = keys.filter_map(|key| {
        let key = key.ok()?;
        // A run of a study has the study's name and a slash before its own.
        std::str::from_utf8(&key[stem.len() + 1..]).ok()?.split('/').next()?.parse::<u32>().ok()
    });
    let number = taken.max().map_or(1, |number| number.saturating_add(1));
    (format!("{stem}-{number}"), number)
}

/// Returns a sort key by which numbers within names are ordered by their values.
///
/// For each number in the name, it has the text before it, the number of its digits and the digits.
fn natural(name: &str) -> Vec<(String, usize, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let number = tail[..end].trim_start_matches('0');
        parts.push((text.to_owned(), number.len(), number.to_owned()));
        rest = &tail[end..];
    }
    parts
}

impl Store {
    /// Adds a run under a new name, the given one with a hyphen and a number, and returns its record.
    ///
    /// Characters that are awkward on a command line become hyphens: see [`plain_name`].
    ///
    /// # Errors
    /// The store fails.
    pub fn create_run(&self, mut run: RunRecord) -> Result<RunRecord, StoreError> {
        (run.name, run.number) = first_free(&[&self.runs, &self.studies], &run.name);
        self.update_run(&run)?;
        self.flush()?;
        Ok(run)
    }

    /// Adds runs under their own names; runs whose names are in use are left out.
    ///
    /// # Errors
    /// The store fails.
    pub fn add_runs(&self, runs: &[RunRecord]) -> Result<(), StoreError> {
        for run in runs {
            if !self.runs.contains_key(&run.name).map_err(|error| self.failed(error))? {
                self.update_run(run)?;
            }
        }
        self.flush()
    }

    /// Writes or replaces the record of a run. A run with the status "running" counts as one of this process.
    ///
    /// # Errors
    /// The store fails.
    pub fn update_run(&self, run: &RunRecord) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(run).map_err(|error| StoreError::Encode {
            what: format!("run `{}`", run.name),
            reason: error.to_string(),
        })?;
        self.runs.insert(&run.name, bytes).map_err(|error| self.failed(error))?;
        let mut own = self.own_runs.lock().unwrap_or_else(PoisonError::into_inner);
        match run.status {
            Status::Running => own.insert(run.name.clone()),
            _ => own.remove(&run.name),
        };
        Ok(())
    }

    /// Returns the record of a run. A running one that is not of this process is returned as interrupted.
    ///
    /// # Errors
    /// There is no such run, the journal has fewer trials than its record counts, or the store fails.
    pub fn run(&self, name: &str) -> Result<RunRecord, StoreError> {
        // sled passes over what it cannot read of its log, and may so have lost one of the two.
        let trials = self.trial_count(name)?;
        match self.runs.get(name).map_err(|error| self.failed(error))? {
            Some(bytes) => {
                let run = self.decode_run(name, &bytes)?;
                if trials < run.trials {
                    let what = format!("run `{name}` had {} trials and has {trials}", run.trials);
                    return Err(self.damaged(what));
                }
                Ok(run)
            }
            None if trials > 0 => {
                Err(self.damaged(format!("the record of run `{name}` is missing")))
            }
            None => Err(StoreError::NoRun {
                name: name.to_owned(),
                store: self.path.clone(),
                nearest: self.nearest(name)?,
            }),
        }
    }

    /// Returns the records of all runs, in the order of their creation.
    ///
    /// # Errors
    /// The store fails.
    pub fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        let mut runs = Vec::new();
        for entry in &self.runs {
            let (name, bytes) = entry.map_err(|error| self.failed(error))?;
            runs.push(self.decode_run(&String::from_utf8_lossy(&name), &bytes)?);
        }
        runs.sort_by_cached_key(|run: &RunRecord| (run.created_s, natural(&run.name)));
        Ok(runs)
    }

    /// Returns the names of the runs that this process is working on, in order.
    pub(super) fn own_runs(&self) -> Vec<String> {
        let own = self.own_runs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = own.iter().cloned().collect();
        names.sort();
        names
    }

    fn decode_run(&self, name: &str, bytes: &[u8]) -> Result<RunRecord, StoreError> {
        let mut run: RunRecord = serde_json::from_slice(bytes)
            .map_err(|error| self.damaged(format!("the record of run `{name}`: {error}")))?;
        let own = || self.own_runs.lock().unwrap_or_else(PoisonError::into_inner);
        if run.status == Status::Running && !own().contains(name) {
            run.status = Status::Interrupted;
        }
        Ok(run)
    }

    fn nearest(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let keys = self.runs.iter().keys().collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|error| self.failed(error))?;
        let known: Vec<_> = keys.iter().map(|key| String::from_utf8_lossy(key)).collect();
        let near = nearest(name, known.iter().map(AsRef::as_ref));
        Ok(near.into_iter().take(SUGGESTIONS).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_their_numbers() {
        let mut names = ["b-1", "a-10", "s-1/b/c/10", "a-9", "a", "s-1/b/c/2", "a-09x", "a-100"];
        names.sort_by_cached_key(|name| natural(name));
        let ordered = ["a", "a-9", "a-09x", "a-10", "a-100", "b-1", "s-1/b/c/2", "s-1/b/c/10"];
        assert_eq!(names, ordered);
    }
}
