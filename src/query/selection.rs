//! The runs that a query is about.

use crate::query::RunContext;
use crate::store::{Reader, RunRecord, StoreError, TrialBlock};

/// A run that a query is about.
#[derive(Clone)]
pub struct SelectedRun {
    /// The facts that expressions may refer to.
    pub context: RunContext,
    /// The number of its trials.
    pub trials: u64,
}

impl SelectedRun {
    /// Creates a subject from a run's record and the number of its stored trials.
    ///
    /// # Errors
    /// The store fails.
    pub fn new(reader: &dyn Reader, record: RunRecord) -> Result<Self, StoreError> {
        let trials = reader.trial_count(&record.name)?;
        Ok(Self { context: RunContext::new(record), trials })
    }

    pub(super) const fn blocks(&self) -> u64 {
        self.trials.div_ceil(TrialBlock::LEN)
    }
}

/// Selects runs by name, each once. A study's name stands for all its runs; without names, all runs of the
/// store are selected.
///
/// # Errors
/// A name belongs to no run or study, or the store fails.
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
