//! The progress of stored runs, and the reasons that finished ones ended.

use std::path::Path;
use std::sync::Arc;

use super::error::SessionError;
use super::load::{data_folder, stored_settings};
use crate::pareto::MissingMetric;
use crate::run::{Experiment, Progress, RunError, Threshold};
use crate::script::Script;
use crate::store::{Reader, RunRecord};

/// Reasons that a run finished.
#[derive(Clone, Debug, PartialEq)]
pub enum EndReason {
    /// The limit of trials.
    Limit(u64),
    /// A threshold that could no longer hold, with the value of its quantity.
    Threshold(Threshold, f64),
    /// The schedule, which has no more phases.
    Schedule,
}

impl EndReason {
    /// Finds the reason that a run with the given thresholds finished.
    ///
    /// # Errors
    /// The store fails.
    pub fn of(
        store: &dyn Reader,
        run: &RunRecord,
        thresholds: &[Threshold],
    ) -> Result<Self, SessionError> {
        let mut stopping = thresholds.iter().filter(|threshold| threshold.stops).peekable();
        if stopping.peek().is_some() {
            let progress = progress(store, run)?;
            let lost = stopping.find_map(|threshold| {
                let value = threshold.lost(&progress, progress.trials())?;
                Some(Self::Threshold(threshold.clone(), value))
            });
            if let Some(lost) = lost {
                return Ok(lost);
            }
        }
        let limit = run.steps.filter(|&limit| run.trials >= limit && !is_last_phase_over(run));
        Ok(limit.map_or(Self::Schedule, Self::Limit))
    }
}

/// Returns true if the last phase of a run has all its trials. A limit of trials that coincides with the end
/// of a phase stops the run in the phase that follows.
fn is_last_phase_over(run: &RunRecord) -> bool {
    let end = run.phases.last().and_then(|phase| Some(phase.first_step + phase.steps?));
    end.is_some_and(|end| run.trials >= end)
}

/// Describes the threshold that ended a finished run, with the value of its quantity; `None` if no threshold
/// did. The script that the run started with is used; if it cannot be loaded, the result is `None`.
///
/// # Errors
/// Its settings cannot be read, or the store fails.
pub fn lost_threshold(
    data: Option<&Path>,
    store: &dyn Reader,
    run: &RunRecord,
) -> Result<Option<String>, SessionError> {
    let Some(script) = script_with_stops(data, store, run)? else { return Ok(None) };
    Ok(match EndReason::of(store, run, script.thresholds())? {
        EndReason::Threshold(threshold, value) => {
            let quantity = &threshold.quantity;
            Some(format!("threshold `{threshold}` could no longer hold: {quantity} is {value}"))
        }
        EndReason::Limit(_) | EndReason::Schedule => None,
    })
}

/// The script that a run started with; `None` if it cannot be loaded or cannot have thresholds that stop a
/// run.
fn script_with_stops(
    data: Option<&Path>,
    store: &dyn Reader,
    run: &RunRecord,
) -> Result<Option<Script>, SessionError> {
    const STOPS: &str = "or stop";
    let settings = stored_settings(run)?;
    let path = settings.script.clone().unwrap_or_else(|| Path::new(&run.file).to_path_buf());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let digest = name.and_then(|name| run.sources.get(&name));
    let text = digest.map(|digest| store.source(digest)).transpose()?.flatten();
    let Some(text) = text else { return Ok(None) };
    let may_stop =
        text.contains(STOPS) || settings.thresholds.iter().any(|text| text.ends_with(STOPS));
    if !may_stop {
        return Ok(None);
    }
    let data = data_folder(data, Some(&settings));
    Ok(Script::of_text(&path, &text, &settings, data).ok())
}

/// Computes the progress of a run from its stored trials.
///
/// # Errors
/// The store fails, or a trial lacks an objective.
pub fn progress(store: &dyn Reader, run: &RunRecord) -> Result<Progress, SessionError> {
    let mut progress = Progress::new(run.objectives.clone(), run.seed);
    let mut phases = run.phases.iter().peekable();
    for trial in store.trials(&run.name)? {
        let trial = trial?;
        while let Some(phase) = phases.next_if(|phase| phase.first_step <= trial.step) {
            progress.enter(&phase.name);
        }
        let step = trial.step;
        progress.add(Arc::new(trial)).map_err(|MissingMetric(metric)| {
            SessionError::Run(RunError::MissingObjective { step, metric })
        })?;
    }
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OpenMode, PhaseRecord, Store};

    #[test]
    fn a_limit_ends_a_run_only_where_its_phases_would_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), OpenMode::ReadWrite).unwrap();
        let ending = |steps, trials, of_phase| {
            let (name, digest) = ("all".to_owned(), String::new());
            let phase = PhaseRecord { index: 0, name, first_step: 0, steps: of_phase, digest };
            let phases = vec![phase];
            let run = RunRecord { steps, trials, phases, ..RunRecord::new("x", "x.rhai") };
            EndReason::of(&store, &run, &[]).unwrap()
        };
        assert_eq!(ending(None, 64, Some(64)), EndReason::Schedule);
        assert_eq!(ending(Some(10), 10, Some(64)), EndReason::Limit(10));
        assert_eq!(ending(Some(64), 64, Some(64)), EndReason::Schedule);
        assert_eq!(ending(Some(100), 64, Some(64)), EndReason::Schedule);
        // What older records do not say.
        assert_eq!(ending(Some(10), 10, None), EndReason::Limit(10));
    }
}
