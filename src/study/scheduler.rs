//! Many runs, several at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::run::{End, Event, Experiment, RunError, Runner};
use crate::store::{RunRecord, Store};
use crate::util::deep_stack;

/// A run of a study that is not finished.
pub struct Planned<'a> {
    /// What is searched.
    pub experiment: &'a dyn Experiment,
    /// The run's record; its name must be in the store.
    pub run: RunRecord,
}

/// What happens in the runs of a study.
#[derive(Clone, Copy, Debug)]
pub enum ComparisonEvent<'a> {
    /// Trials were committed to the store.
    Committed {
        /// How many.
        trials: u64,
    },
    /// A run came to its end.
    Finished {
        /// Its name.
        run: &'a str,
        /// Its trials.
        trials: u64,
    },
}

/// What stopped a run of a study.
#[derive(Debug, thiserror::Error)]
#[error("run `{run}` stopped")]
pub struct RunFailure {
    /// The run's name.
    pub run: String,
    /// Its place among the runs.
    pub index: usize,
    /// Why.
    #[source]
    pub error: Box<RunError>,
}

/// Carries out runs, at most `threads` of them at once, each on a thread of its own.
///
/// What a run comes to does not depend on the others. When one fails, the others stop at the next
/// opportunity and can go on later.
///
/// # Errors
/// The failure of the first run, in their order, that failed.
pub fn run_all(
    store: &Store,
    runs: &[Planned<'_>],
    threads: usize,
    stop: &AtomicBool,
    observer: &(dyn Fn(ComparisonEvent<'_>) + Sync),
) -> Result<End, RunFailure> {
    let next = AtomicUsize::new(0);
    let interrupted = AtomicBool::new(false);
    let failed: Mutex<Option<RunFailure>> = Mutex::new(None);
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(planned) = runs.get(index) else { return };
            match carry_out(store, planned, stop, observer) {
                Ok(End::Finished) => {}
                Ok(End::Interrupted) => interrupted.store(true, Ordering::Relaxed),
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
    Ok(if stopped { End::Interrupted } else { End::Finished })
}

fn carry_out(
    store: &Store,
    planned: &Planned<'_>,
    stop: &AtomicBool,
    observer: &(dyn Fn(ComparisonEvent<'_>) + Sync),
) -> Result<End, RunError> {
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
    if end == End::Finished {
        let trials = progress.steps();
        observer(ComparisonEvent::Finished { run: &planned.run.name, trials });
    }
    Ok(end)
}
