//! The experiments of a study: a script for each strategy on each scenario.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::shell_quote::quoted;
use tandem::run::{Experiment, Progress};
use tandem::script::{ScriptError, Settings};
use tandem::session::{Change, Loaded, changes, one_line, read_settings};
use tandem::store::{RunRecord, Store, StoreError, StudyRecord};
use tandem::study::StudyPlan;

/// A strategy on a scenario.
pub struct StrategyOnScenario {
    /// The scenario's name.
    pub scenario: String,
    /// The strategy's name.
    pub strategy: String,
    loaded: Loaded,
}

/// All strategies on all scenarios, loaded and ready to run.
pub struct Experiments {
    entries: Vec<StrategyOnScenario>,
    repeats: usize,
    file: PathBuf,
}

impl Experiments {
    /// Loads the scripts with the arguments of each strategy and asks each for its first phase, so that
    /// errors appear before anything runs.
    ///
    /// `file` is the study's, with its text.
    pub fn load(
        common: &Common,
        (file, text): (&Path, &str),
        plan: &StudyPlan,
    ) -> Result<Self, CliError> {
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let mut entries = Vec::new();
        for (scenario, name) in &plan.scenarios.0 {
            let path = folder.join(name);
            let own = settings(&path).map_err(|error| in_scenario(error, scenario))?;
            if own.seed.is_some() {
                return Err(CliError::Usage {
                    message: format!(
                        "scenario `{scenario}`: {} sets `seed`, which the study gives",
                        path.display()
                    ),
                    hint: Some("take it away; the study's own `seed` is the first".to_owned()),
                });
            }
            for (strategy, arguments) in &plan.strategies.0 {
                let mut settings = Settings { threads: Some(1), ..own.clone() };
                settings.steps = plan.steps.or(settings.steps);
                settings.take_arguments((file, text), &["args"], &plan.args);
                settings.take_arguments((file, text), &["strategies", strategy], arguments);
                let loaded = ready(common, &path, settings)
                    .map_err(|error| in_strategy(error, strategy, scenario))?;
                let (scenario, strategy) = (scenario.clone(), strategy.clone());
                entries.push(StrategyOnScenario { scenario, strategy, loaded });
            }
        }
        Ok(Self { entries, repeats: plan.repeats as usize, file: file.to_path_buf() })
    }

    /// Lets a flag stop trainings, and keeps trainings in the store.
    pub fn prepare(&self, store: &Arc<Store>, stop: &Arc<AtomicBool>) {
        for entry in &self.entries {
            entry.loaded.keep_in(store);
            entry.loaded.script.services().trainer().stop_at(stop.clone());
        }
    }

    /// The initial records of the runs of a study, by scenario, strategy and seed.
    pub fn records(
        &self,
        store: &Store,
        study: &StudyRecord,
        plan: &StudyPlan,
    ) -> Result<Vec<RunRecord>, CliError> {
        let mut records = Vec::new();
        for entry in &self.entries {
            let zero_point = entry.loaded.record(store, None)?;
            for repeat in 0..plan.repeats {
                let mut run = zero_point.clone();
                run.name =
                    StudyPlan::run_name(&study.name, &entry.scenario, &entry.strategy, repeat);
                run.number = u32::try_from(repeat + 1).unwrap_or(u32::MAX);
                run.seed = plan.seed + repeat;
                run.settings["seed"] = run.seed.into();
                records.push(run);
            }
        }
        Ok(records)
    }

    /// Adds runs that are missing in the store, and returns all runs as stored.
    ///
    /// Refuses runs whose scripts, settings, program or models changed.
    pub fn known(
        &self,
        store: &Store,
        study: &StudyRecord,
        runs: Vec<RunRecord>,
    ) -> Result<Vec<RunRecord>, CliError> {
        let changed = |changes: Vec<Change>| CliError::ChangedStudy {
            study: study.name.clone(),
            changes,
            file: self.file.clone(),
        };
        let mut known = Vec::with_capacity(runs.len());
        let mut new = Vec::new();
        for (index, run) in runs.into_iter().enumerate() {
            let stored = match store.run(&run.name) {
                Ok(stored) => stored,
                Err(StoreError::NoRun { .. }) => {
                    new.push(run.clone());
                    known.push(run);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if stored.lost.is_some() {
                let message = format!(
                    "run `{}` was salvaged from a damaged store, and trials or the record of it are \
                     lost",
                    stored.name
                );
                let hint = Some(format!(
                    "`tandem study {} --fork` makes all runs of the study anew",
                    quoted(&self.file.display().to_string())
                ));
                return Err(CliError::Usage { message, hint });
            }
            let changes = changes(store, &stored, self.of_run(index))?;
            if !changes.is_empty() {
                return Err(changed(changes));
            }
            let (before, now) = (deciding(&stored), deciding(&run));
            if before != now {
                return Err(changed(vec![Change {
                    what: format!("a setting of {}", run.file),
                    affects: "its runs".to_owned(),
                    diff: one_line(&before.to_string(), &now.to_string()),
                }]));
            }
            known.push(stored);
        }
        store.add_runs(&new)?;
        Ok(known)
    }

    /// The experiment of the run with an index.
    pub fn of_run(&self, index: usize) -> &Loaded {
        &self.entries[index / self.repeats].loaded
    }

    /// The strategies on a scenario.
    pub fn of_scenario<'a>(
        &'a self,
        scenario: &'a str,
    ) -> impl Iterator<Item = &'a StrategyOnScenario> {
        self.entries.iter().filter(move |entry| entry.scenario == scenario)
    }

    /// One experiment of each scenario, with the scenario's name.
    pub fn scenarios(&self) -> impl Iterator<Item = (&str, &Loaded)> {
        let mut last = None;
        let first = move |entry: &&StrategyOnScenario| {
            last.replace(entry.scenario.clone()).as_ref() != Some(&entry.scenario)
        };
        self.entries.iter().filter(first).map(|entry| (entry.scenario.as_str(), &entry.loaded))
    }
}

impl StrategyOnScenario {
    /// The experiment.
    pub const fn loaded(&self) -> &Loaded {
        &self.loaded
    }
}

/// The settings that determine the result of a run; paths do not.
fn deciding(run: &RunRecord) -> serde_json::Value {
    let mut settings = run.settings.clone();
    if let Some(settings) = settings.as_object_mut() {
        settings.retain(|name, _| name != "script" && name != "data");
    }
    settings
}

/// Reads the settings of an experiment's file, which must exist.
fn settings(file: &Path) -> Result<Settings, CliError> {
    std::fs::metadata(file)
        .map_err(|source| ScriptError::Read { path: file.to_path_buf(), source })?;
    Ok(read_settings(file)?)
}

/// Loads an experiment that can be run and has a valid first phase.
fn ready(common: &Common, file: &Path, settings: Settings) -> Result<Loaded, CliError> {
    let loaded = common.load_with(file, settings)?;
    let script = &loaded.script;
    script.require_run()?;
    let progress = Progress::new(script.objectives().to_vec(), 0);
    let first = script.next_phase(&progress).map_err(|failure| loaded.failure(&failure))?;
    if let Some(phase) = first {
        phase.subspace(script).map_err(CliError::Run)?;
    }
    Ok(loaded)
}

/// The message of an error and of its cause, as it is printed.
pub fn rendered(error: &CliError) -> String {
    if let Some(rendered) = error.rendered() {
        return rendered;
    }
    match error {
        CliError::Run(error) => match std::error::Error::source(error) {
            Some(cause) => format!("error: {error}\n  because: {cause}"),
            None => format!("error: {error}"),
        },
        other => format!("error: {other}"),
    }
}

fn in_scenario(error: CliError, scenario: &str) -> CliError {
    let rendered = format!("error: scenario `{scenario}` cannot be used:\n{}", rendered(&error));
    CliError::Experiment { rendered }
}

fn in_strategy(error: CliError, strategy: &str, scenario: &str) -> CliError {
    let head = format!("error: strategy `{strategy}` cannot run on scenario `{scenario}`:\n");
    CliError::Experiment { rendered: format!("{head}{}", rendered(&error)) }
}
