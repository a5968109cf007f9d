//! The runs that a question is about.

use crate::query::Facts;
use crate::store::{Reader, RunRecord, StoreError, Stretch};

/// A run that a question is about.
#[derive(Clone)]
pub struct Subject {
    /// What expressions see of it.
    pub facts: Facts,
    /// Its trials.
    pub trials: u64,
}

impl Subject {
    /// A run with the trials that it has.
    ///
    /// # Errors
    /// The store fails.
    pub fn new(reader: &dyn Reader, record: RunRecord) -> Result<Self, StoreError> {
        let trials = reader.trial_count(&record.name)?;
        Ok(Self { facts: Facts::new(record), trials })
    }

    pub(super) const fn stretches(&self) -> u64 {
        self.trials.div_ceil(Stretch::LEN)
    }
}

/// The runs of some names, each once: a run's name, or a study's, which stands for all its runs. All
/// runs of the store if there are no names.
///
/// # Errors
/// There is no run or study of a name, or the store fails.
pub fn select(reader: &dyn Reader, names: &[String]) -> Result<Vec<RunRecord>, StoreError> {
    if names.is_empty() {
        return reader.runs();
    }
    let mut selected: Vec<RunRecord> = Vec::new();
    let mut add = |run: RunRecord| {
        if selected.iter().all(|known| known.name != run.name) {
            selected.push(run);
        }
    };
    for name in names {
        match reader.run(name) {
            Ok(run) => add(run),
            Err(error @ StoreError::NoRun { .. }) => {
                if !reader.studies()?.iter().any(|study| study.name == *name) {
                    return Err(error);
                }
                let prefix = format!("{name}/");
                let runs = reader.runs()?.into_iter();
                runs.filter(|run| run.name.starts_with(&prefix)).for_each(&mut add);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(selected)
}
