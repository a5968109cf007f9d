//! Resuming a run, or forking a new one from it.

use std::path::{Path, PathBuf};

use super::drift::{changes, forked_settings};
use super::end_reason::EndReason;
use super::error::SessionError;
use super::load::{Loaded, load_with, stored_settings, to_stored};
use crate::run::Experiment;
use crate::store::{RunRecord, Status, Store, SweepRecord};

/// Settings that override those of the run that is resumed or forked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The limit of trials of the whole run.
    pub steps: Option<u64>,
    /// The folder of benchmark tables and image sets.
    pub data: Option<PathBuf>,
}

/// Loads the experiment of an interrupted run. [`Loaded::run`] then continues with the same trials as an
/// uninterrupted run; a sweep is continued through [`Sweep::resume`](super::Sweep::resume).
///
/// # Errors
/// Something that decides the run has changed or is lost, the run is finished, or the limit of trials is
/// below their number.
pub fn resume(
    store: &Store,
    run: &str,
    overrides: &Overrides,
) -> Result<(Loaded, RunRecord), SessionError> {
    let mut known = store.run(run)?;
    refuse_lost(&known)?;
    let mut settings = stored_settings(&known)?;
    settings.steps = overrides.steps.or(settings.steps);
    let file = Path::new(&known.file);
    let experiment = load_with(file, settings, overrides.data.as_deref())?;
    let drift = changes(store, &known, &experiment)?;
    if !drift.is_empty() {
        return Err(SessionError::Changed { run: known.name, changes: drift });
    }
    if known.status == Status::Finished {
        refuse_finished(store, &known, &experiment, overrides.steps)?;
    }
    if known.sweep.is_none() {
        refuse_fewer(&known.name, store.trial_count(&known.name)?, overrides.steps)?;
    }
    if overrides.steps.is_some() {
        known.steps = overrides.steps;
        known.settings = to_stored(&experiment.settings)?;
    }
    Ok((experiment, known))
}

/// Loads the experiment of a run as it is now, with the same settings, and creates the record of a new run.
/// The record is not yet in the store ([`Store::create_run`]); that of a sweep needs
/// [`Sweep::describe`](super::Sweep::describe).
///
/// # Errors
/// The experiment is unknown, or cannot be loaded.
pub fn fork(
    store: &Store,
    run: &str,
    overrides: &Overrides,
) -> Result<(Loaded, RunRecord), SessionError> {
    let known = store.run(run)?;
    if known.file.is_empty() {
        return Err(SessionError::UnknownExperiment { run: known.name });
    }
    let mut settings = forked_settings(&known)?;
    settings.steps = overrides.steps.or(settings.steps);
    let file = Path::new(&known.file);
    let experiment = load_with(file, settings, overrides.data.as_deref())?;
    let mut record = experiment.record(store, Some(known.name))?;
    record.sweep = known.sweep.map(|_| SweepRecord::default());
    Ok((experiment, record))
}

/// Refuses a run of which something was lost, as the next trials would be those of another run.
fn refuse_lost(known: &RunRecord) -> Result<(), SessionError> {
    let Some(lost) = &known.lost else { return Ok(()) };
    let is_known = !known.file.is_empty();
    Err(SessionError::Lost { run: known.name.clone(), record: lost.record, is_known })
}

/// Refuses a finished run, unless a limit or a threshold ended it and more trials are asked for.
fn refuse_finished(
    store: &Store,
    known: &RunRecord,
    experiment: &Loaded,
    steps: Option<u64>,
) -> Result<(), SessionError> {
    let name = &known.name;
    let shows = format!("`tandem show {name}` shows it");
    let refuse =
        |why: String, help: String| Err(SessionError::Finished { run: name.clone(), why, help });
    if known.sweep.is_some() {
        let help = format!("{shows}, `tandem query true --run {name}` its pairs");
        return refuse(String::new(), help);
    }
    let more = steps.filter(|&steps| steps > known.trials);
    let anew = format!("then `tandem resume {name} --fork` starts a new run with it");
    match EndReason::of(store, known, experiment.script.thresholds())? {
        // A run that comes to its threshold again says so.
        EndReason::Limit(_) | EndReason::Threshold(..) if more.is_some() => Ok(()),
        EndReason::Limit(limit) => refuse(
            format!(": its limit of {limit} trials ended it"),
            format!("{shows}; `tandem resume {name} --steps N` goes on to N trials"),
        ),
        EndReason::Threshold(threshold, _) => refuse(
            format!(": its threshold `{threshold}` ended it"),
            format!("{shows}; for more trials change the threshold, {anew}"),
        ),
        EndReason::Schedule => {
            let but = more.map(|steps| format!(", which `--steps {steps}` does not change"));
            refuse(
                format!(": its schedule has no more phases{}", but.unwrap_or_default()),
                format!("{shows}; for more trials raise `steps` of a phase in its script, {anew}"),
            )
        }
    }
}

/// Refuses a limit below the number of trials.
fn refuse_fewer(name: &str, trials: u64, steps: Option<u64>) -> Result<(), SessionError> {
    match steps.filter(|&steps| steps < trials) {
        Some(steps) => Err(SessionError::Fewer { run: name.to_owned(), trials, steps }),
        None => Ok(()),
    }
}
