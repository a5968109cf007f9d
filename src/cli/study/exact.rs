//! The exact best pairs of each scenario, from a sweep.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::experiments::{Experiments, rendered};
use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::sweep::{bar, prepared};
use tandem::pareto::Weighted;
use tandem::run::{Experiment, RunEnd};
use tandem::script::Settings;
use tandem::session::{Loaded, Swept};
use tandem::space::{Point, Space};
use tandem::store::{RunRecord, Status, Store, Trial};
use tandem::study::Optimum;

/// The maximum number of best pairs that runs are compared with.
const TOP: usize = 100;

/// The experiment whose sweep provides the best pairs.
pub struct Exact {
    loaded: Loaded,
}

/// A finished sweep.
pub struct SweptPairs {
    /// The record of the sweep.
    pub record: RunRecord,
    /// The frontier, then the best pairs for each objective.
    pub trials: Vec<Trial>,
}

impl Exact {
    /// Loads the experiment; fails unless it sweeps the space of the scenarios for their rewards.
    pub fn load(
        common: &Common,
        study: &Path,
        file: &Path,
        experiments: &Experiments,
    ) -> Result<Self, CliError> {
        let file = study.parent().unwrap_or_else(|| Path::new("")).join(file);
        let load = || {
            let loaded = common.load(&file, &[])?;
            let plan = loaded.script.sweep_plan()?;
            Ok((loaded, plan))
        };
        let (loaded, plan) = load().map_err(|error: CliError| CliError::Experiment {
            rendered: format!("error: `exact` cannot be used:\n{}", rendered(&error)),
        })?;
        let refuse = |message: String, hint: &str| {
            let rendered = format!("error: {message}\nhint: {hint}");
            Err(CliError::Experiment { rendered })
        };
        for (name, scenario) in experiments.scenarios() {
            let Some(objective) = scenario.script.objective() else {
                let message = format!(
                    "scenario `{name}` has a reward that is a function, of which the exact best pairs \
                     cannot be found"
                );
                let hint =
                    "return objective::weighted(...) from `fn reward()`, or leave `exact` out";
                return refuse(message, hint);
            };
            if !plan.goals.iter().any(|goal| goal.objective == *objective) {
                let message = format!(
                    "scenario `{name}` has the reward {objective}, which is no objective of sweep() in {}",
                    file.display()
                );
                return refuse(message, "add it to `objectives` of sweep()");
            }
            if parts(loaded.script.space()) != parts(scenario.script.space()) {
                let message =
                    format!("scenario `{name}` has another space than {} sweeps", file.display());
                return refuse(message, "name an experiment with the same space as `exact`");
            }
        }
        if plan.top == 0 {
            return refuse(
                format!("sweep() in {} keeps no best pairs", file.display()),
                "raise `top`",
            );
        }
        Ok(Self { loaded })
    }

    /// Returns a stored sweep of the same sources, data and settings, or runs a new one.
    ///
    /// Returns `None` if the sweep is interrupted.
    pub fn sweep(&self, store: &Store, stop: &AtomicBool) -> Result<Option<SweptPairs>, CliError> {
        let sweep = prepared(&self.loaded)?;
        let new = sweep.record(store, None)?;
        let same = |run: &RunRecord| {
            run.sweep.is_some()
                && (&run.sources, &run.program) == (&new.sources, &new.program)
                && asked(run) == asked(&new)
                && sweep.changes(run).is_empty()
        };
        let mut known: Vec<RunRecord> = store.runs()?.into_iter().filter(same).collect();
        known.retain(|run| !matches!(run.status, Status::Failed { .. }));
        known.sort_by_key(|run| run.status != Status::Finished);
        let mut fit = None;
        for run in known {
            if run.status != Status::Finished || self.is_of_the_same(store, &run)? {
                fit = Some(run);
                break;
            }
        }
        let record = match fit {
            Some(known) => known,
            None => store.create_run(new)?,
        };
        if record.status == Status::Finished {
            return read(store, record).map(Some);
        }
        let mut bar = bar(&sweep, &record);
        let swept = sweep.run(store, record, stop, &mut |progress| bar.observe(&progress));
        drop(bar);
        let Swept { end, record, .. } = swept?;
        match end {
            RunEnd::Finished => read(store, record).map(Some),
            RunEnd::Interrupted => Ok(None),
        }
    }

    /// Returns true if a finished sweep used the current data; for data that only evaluations use, evaluates
    /// one of its pairs.
    fn is_of_the_same(&self, store: &Store, run: &RunRecord) -> Result<bool, CliError> {
        let script = &self.loaded.script;
        if let Some(first) = store.trials(&run.name)?.next()
            && script.defines("evaluate")
        {
            // What goes wrong is said where the sweep is judged.
            let _outcome = script.evaluate(&Point(first?.point));
        }
        let now = script.provenance().versions;
        Ok(now.iter().all(|(what, now)| run.data.get(what).is_none_or(|before| before == now)))
    }
}

fn read(store: &Store, record: RunRecord) -> Result<SweptPairs, CliError> {
    let trials = store.trials(&record.name)?.collect::<Result<_, _>>()?;
    Ok(SweptPairs { record, trials })
}

impl SweptPairs {
    /// The best pairs of all for a reward, and the number of pairs that satisfy its constraints.
    pub fn target(&self, objective: &Weighted) -> Option<(Optimum, u64)> {
        let goals = self.record.sweep.as_ref().map_or(&[][..], |sweep| &sweep.goals);
        let index = goals.iter().position(|goal| goal.objective == *objective)?;
        let of_goal = self.trials.iter().filter(|trial| trial.phase as usize == index + 1);
        Some((Optimum::new(of_goal.take(TOP)), goals[index].valid))
    }
}

/// The settings of a run that determine the result of a sweep.
fn asked(run: &RunRecord) -> Option<Settings> {
    let settings: Settings = serde_json::from_value(run.settings.clone()).ok()?;
    Some(Settings { script: None, seed: None, steps: None, threads: None, data: None, ..settings })
}

fn parts(space: &Space) -> Vec<(String, &'static str, u128)> {
    let part =
        |part: &tandem::space::Part| (part.name.clone(), part.domain.kind(), part.domain.count());
    space.parts().iter().map(part).collect()
}
