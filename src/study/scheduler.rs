//! Parallel execution of runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::run::{Event, Experiment, RunEnd, RunError, Runner};
use crate::store::{RunRecord, Store};
use crate::util::deep_stack;

/// A run of a study that is not finished.
pub struct PlannedRun<'a> {
    /// The experiment to run.
    pub experiment: &'a dyn Experiment,
    /// The run's record; its name must be in the store.
    pub run: RunRecord,
}

/// Events in the runs of a study.
#[derive(Clone, Copy, Debug)]
pub enum ComparisonEvent<'a> {
    /// Trials were committed to the store.
    Committed {
        /// The number of trials.
        trials: u64,
    },
    /// A run finished.
    Finished {
        /// The run's name.
        run: &'a str,
        /// The number of its trials.
        trials: u64,
    },
}

/// The error that stopped a run of a study.
#[derive(Debug, thiserror::Error)]
#[error("run `{run}` stopped")]
pub struct RunFailure {
    /// The run's name.
    pub run: String,
    /// Its index among the runs.
    pub index: usize,
    /// The cause.
    #[source]
    pub error: Box<RunError>,
}

/// Executes runs, at most `threads` of them at once, each on its own thread.
///
/// Runs do not influence each other. If one fails, the others stop at the next opportunity and can be resumed
/// later.
///
/// # Errors
/// Returns the failure of the first failed run, in the order of `runs`.
pub fn run_all(
    store: &Store,
    runs: &[PlannedRun<'_>],
    threads: usize,
    stop: &AtomicBool,
    observer: &(dyn Fn(ComparisonEvent<'_>) + Sync),
) -> Result<RunEnd, RunFailure> {
    let next = AtomicUsize::new(0);
    let interrupted = AtomicBool::new(false);
    let failed: Mutex<Option<RunFailure>> = Mutex::new(None);
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(planned) = runs.get(index) else { return };
            match carry_out(store, planned, stop, observer) {
                Ok(RunEnd::Finished) => {}
                Ok(RunEnd::Interrupted) => interrupted.store(true, Ordering::Relaxed),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    let run = planned.run.name.clone();
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    if failed.as_ref().is_none_or(|first| index < first.index) {
                        *failed = Some(RunFailure { run, index, error: Box::new(error) });
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, runs.len().max(1)) {
            deep_stack::builder().spawn_scoped(scope, work).expect("a thread can be started");
        }
    });
    if let Some(failure) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    let left = next.load(Ordering::Relaxed) < runs.len();
    let stopped = left || interrupted.load(Ordering::Relaxed);
    Ok(if stopped { RunEnd::Interrupted } else { RunEnd::Finished })
}

fn carry_out(
    store: &Store,
    planned: &PlannedRun<'_>,
    stop: &AtomicBool,
    observer: &(dyn Fn(ComparisonEvent<'_>) + Sync),
) -> Result<RunEnd, RunError> {
    let mut observe = |event: Event<'_>| {
        if let Event::Committed { trials, .. } = event {
            observer(ComparisonEvent::Committed { trials: trials.len() as u64 });
        }
    };
    let runner = Runner {
        experiment: planned.experiment,
        store,
        run: planned.run.clone(),
        threads: 1,
        stop,
        observer: &mut observe,
    };
    let (end, progress) = runner.run()?;
    if end == RunEnd::Finished {
        let trials = progress.steps();
        observer(ComparisonEvent::Finished { run: &planned.run.name, trials });
    }
    Ok(end)
}
