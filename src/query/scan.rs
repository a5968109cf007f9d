//! Scans of the blocks of runs, several at once.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::selection::SelectedRun;
use crate::query::QueryError;
use crate::store::{Reader, StoreError, TrialBlock};

/// The number of blocks in memory at once.
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

/// Scans every block of some runs. `look` processes several blocks at once, on all threads; `take` gets
/// the results in the order of runs and steps, until it breaks.
///
/// `look` also gets the index of the run in `subjects`.
///
/// # Errors
/// The first error in the order of runs and steps.
pub fn scan<T: Send, E: From<StoreError> + Send>(
    reader: &dyn Reader,
    subjects: &[SelectedRun],
    look: impl Fn(usize, &TrialBlock) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let all = subjects.iter().enumerate();
    let mut jobs =
        all.flat_map(|(run, subject)| (0..subject.blocks()).map(move |number| (run, number)));
    loop {
        let batch: Vec<(usize, u64)> = jobs.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let looked: Vec<Result<Option<T>, E>> = batch
            .into_par_iter()
            .map(|(run, number)| {
                let block = reader.block(&subjects[run].context.record.name, number)?;
                block.map(|block| look(run, &block)).transpose()
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
