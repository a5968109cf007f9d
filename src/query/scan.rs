//! Scans of the stretches of runs, several at once.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::selection::Subject;
use crate::query::QueryError;
use crate::store::{Reader, StoreError, Stretch};

/// The number of stretches in memory at once.
const AT_ONCE: usize = 64;

/// Reasons that a query cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An expression is wrong, or fails for a trial.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// Scans every stretch of some runs. `look` processes several stretches at once, on all threads; `take` gets
/// the results in the order of runs and steps, until it breaks.
///
/// `look` also gets the index of the run in `subjects`.
///
/// # Errors
/// The first error in the order of runs and steps.
pub fn scan<T: Send, E: From<StoreError> + Send>(
    reader: &dyn Reader,
    subjects: &[Subject],
    look: impl Fn(usize, &Stretch) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let all = subjects.iter().enumerate();
    let mut jobs =
        all.flat_map(|(run, subject)| (0..subject.stretches()).map(move |number| (run, number)));
    loop {
        let batch: Vec<(usize, u64)> = jobs.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let looked: Vec<Result<Option<T>, E>> = batch
            .into_par_iter()
            .map(|(run, number)| {
                let stretch = reader.stretch(&subjects[run].facts.record.name, number)?;
                stretch.map(|stretch| look(run, &stretch)).transpose()
            })
            .collect();
        for result in looked {
            if let Some(result) = result?
                && take(result)?.is_break()
            {
                return Ok(());
            }
        }
    }
}
