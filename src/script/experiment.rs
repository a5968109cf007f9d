//! An experiment script: loaded once, called for every trial.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use rhai::{Dynamic, Map};

use super::contract::{TO_RUN, undefined};
use super::core::Core;
use super::diagnostic::Diagnostic;
use super::error::ScriptError;
use super::host::Host;
use super::modules::{
    PartError, PhaseReward, ScriptPart, ScriptPhase, ScriptRun, TrainingPlan, script_point,
};
use super::options::number;
use super::resolver::Resolver;
use super::settings::Settings;
use super::sources::Sources;
use super::table::SummaryTable;
use crate::pareto::{Objective, Weighted};
use crate::search::{ControllerSpec, ReinforceSettings};
use crate::space::{Part, Point, Space};
use crate::store::Reused;
use crate::study::{
    Experiment, Failure, Metrics, Obstacle, Origins, Phase, Progress, Reward, RewardFn, ScreenFn,
    Threshold, ThresholdError,
};

/// Trials of the single phase of a script without a schedule.
const DEFAULT_STEPS: u64 = 1_000;

/// A loaded experiment script.
pub struct Script {
    core: Arc<Core>,
    space: Arc<Space>,
    parts: Arc<Vec<ScriptPart>>,
    objectives: Vec<Objective>,
    thresholds: Vec<Threshold>,
    args: BTreeMap<String, Dynamic>,
}

impl Script {
    /// Loads an experiment: compiles its script, resolves imports, reads its space.
    ///
    /// `data` is the folder of benchmark tables.
    ///
    /// # Errors
    /// The file cannot be read, the script does not parse or fails, a function of the contract is
    /// missing or returns something else, or a setting does not exist.
    pub fn load(path: &Path, settings: &Settings, data: PathBuf) -> Result<Self, ScriptError> {
        settings.validate()?;
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::Read { path: path.to_path_buf(), source })?;
        let label = path.display().to_string();
        let sources = Sources::default();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let host = Arc::new(Host::new(data, settings.threads()));
        let resolver = Resolver::new(folder, sources.clone());
        let (core, args) = Core::load((&label, &text), (resolver, sources), settings, host)?;
        let core = Arc::new(core);
        let (space, parts) = read_space(&core)?;
        let objectives = read_objectives(&core)?;
        let thresholds = read_thresholds(&core, settings)?;
        let (space, parts) = (Arc::new(space), Arc::new(parts));
        Ok(Self { core, space, parts, objectives, thresholds, args })
    }

    /// The script texts by name: the experiment's file name, and imports as they are written.
    pub fn sources(&self) -> BTreeMap<String, Arc<str>> {
        let name = |label: String| {
            if label != self.core.label {
                return label;
            }
            Path::new(&label).file_name().map_or(label.clone(), |n| n.to_string_lossy().into())
        };
        self.core.sources.all().into_iter().map(|(label, text)| (name(label), text)).collect()
    }

    /// The values of the script's arguments, defaults included.
    pub fn args(&self) -> BTreeMap<String, String> {
        self.args.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
    }

    /// What messages call the experiment's own text.
    pub(super) fn label(&self) -> &str {
        &self.core.label
    }

    /// What the native functions share.
    pub fn host(&self) -> &Host {
        &self.core.host
    }

    /// The texts that diagnostics point into.
    pub fn texts(&self) -> &Sources {
        &self.core.sources
    }

    /// The full diagnostic behind a failure's message, if it is still known.
    pub fn diagnostic(&self, message: &str) -> Option<Diagnostic> {
        let messages = self.core.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.get(message).cloned()
    }

    /// The tables that the script's `summary(run)` gives; none if it does not define it.
    ///
    /// # Errors
    /// The function fails or returns something else.
    pub fn summary(&self, progress: &Progress) -> Result<Vec<SummaryTable>, Failure> {
        if !self.core.defines("summary") {
            return Ok(Vec::new());
        }
        let run = ScriptRun::new(progress, self.parts.clone(), self.space.clone());
        let result = self.core.call("summary", Dynamic::from(run));
        let value = result.map_err(|diagnostic| self.core.failure(diagnostic))?;
        SummaryTable::read(value).map_err(Failure)
    }

    /// Refuses a script that can be swept but not run.
    ///
    /// # Errors
    /// It does not define `evaluate(point)` or `reward(metrics)`.
    pub fn require_run(&self) -> Result<(), ScriptError> {
        TO_RUN.into_iter().try_for_each(|function| self.require(function))
    }

    /// Refuses a script that does not define a function of the contract.
    ///
    /// # Errors
    /// It does not.
    pub fn require(&self, function: &str) -> Result<(), ScriptError> {
        if self.core.defines(function) {
            return Ok(());
        }
        Err(self.core.refuse(undefined(function)))
    }

    /// Whether the script defines a function of the contract.
    pub fn defines(&self, function: &str) -> bool {
        self.core.defines(function)
    }

    /// What the script's own reward makes of metrics.
    ///
    /// # Errors
    /// The function fails or gives no number.
    pub fn reward(&self, metrics: &Metrics) -> Result<Reward, Failure> {
        self.core.reward(None, metrics)
    }

    /// The script's own reward, if it is an objective and not a function.
    pub fn objective(&self) -> Option<&Weighted> {
        self.core.declared.as_deref()
    }

    /// How the network of a point is trained, as the script's `training(point)` says.
    ///
    /// # Errors
    /// The function fails or gives something else.
    pub fn training(&self, point: &Point) -> Result<TrainingPlan, Failure> {
        let point = script_point(&self.space, &self.parts, point).map_err(Failure)?;
        let value = self
            .core
            .call("training", Dynamic::from(point))
            .map_err(|diagnostic| self.core.failure(diagnostic))?;
        let kind = value.type_name();
        value.try_cast::<TrainingPlan>().ok_or_else(|| {
            Failure(format!("training(point) returned {kind}; it must return train::plan(...)"))
        })
    }

    /// Calls a function of the contract that takes nothing.
    pub(super) fn call(&self, function: &'static str) -> Result<Dynamic, ScriptError> {
        self.core.call(function, Dynamic::UNIT).map_err(|diagnostic| self.core.refuse(diagnostic))
    }

    /// An error about the script as a whole.
    pub(super) fn refuse(&self, message: impl Into<String>, help: &str) -> ScriptError {
        self.core.refuse(Diagnostic::new(message).with_help(help))
    }

    fn phase(&self, script: &ScriptPhase) -> Phase {
        let all = || self.space.parts().iter().map(|part| part.name.clone()).collect();
        let search: Vec<String> = script.search.clone().unwrap_or_else(all);
        let (core, own) = (self.core.clone(), script.reward.clone());
        let reward: RewardFn = Arc::new(move |metrics| core.reward(own.as_ref(), metrics));
        let described =
            script.reward.as_ref().map_or_else(|| "reward".to_owned(), PhaseReward::describe);
        let screen = script.screen.clone().map(|own| {
            let (core, space, parts) = (self.core.clone(), self.space.clone(), self.parts.clone());
            let screen: ScreenFn = Arc::new(move |point| {
                let point = script_point(&space, &parts, point).map_err(Failure)?;
                metrics_of("screen", core.screen(&own, Dynamic::from(point))?)
            });
            screen
        });
        let screened = script.screen.as_ref().map(|screen| format!(" {}", screen.describe()));
        let description = format!(
            "{} {:?} {:?} {} {:?} {:?} {:?} {}{}",
            script.name,
            search,
            script.fixed,
            script.steps,
            script.valid,
            script.controller,
            script.keep,
            described,
            screened.unwrap_or_default()
        );
        Phase {
            name: script.name.clone(),
            search,
            held: script.fixed.clone(),
            steps: Some(script.steps),
            valid: script.valid,
            controller: script.controller.clone(),
            keep: script.keep.clone(),
            reward,
            screen,
            description,
        }
    }
}

impl Experiment for Script {
    fn space(&self) -> &Space {
        &self.space
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }

    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure> {
        let point = script_point(&self.space, &self.parts, point).map_err(Failure)?;
        let value = self
            .core
            .call("evaluate", Dynamic::from(point))
            .map_err(|diagnostic| self.core.failure(diagnostic))?;
        metrics_of("evaluate(point)", value)
    }

    fn take_reused(&self) -> Reused {
        self.core.host.take_reused()
    }

    fn obstacle(&self) -> Option<Obstacle> {
        let host = &self.core.host;
        if host.trainer().was_interrupted() {
            return Some(Obstacle::Interrupted);
        }
        host.is_unusable().then_some(Obstacle::Unusable)
    }

    fn origins(&self) -> Origins {
        self.core.host.origins()
    }

    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure> {
        if !self.core.defines("schedule") {
            let first = progress.phases().is_empty();
            return Ok(first.then(|| {
                self.phase(&ScriptPhase {
                    name: "search".to_owned(),
                    search: None,
                    fixed: None,
                    steps: DEFAULT_STEPS,
                    valid: None,
                    controller: ControllerSpec::Reinforce(ReinforceSettings::default()),
                    keep: None,
                    reward: None,
                    screen: None,
                })
            }));
        }
        let run = ScriptRun::new(progress, self.parts.clone(), self.space.clone());
        let value = self
            .core
            .call("schedule", Dynamic::from(run))
            .map_err(|diagnostic| self.core.failure(diagnostic))?;
        if value.is_unit() {
            return Ok(None);
        }
        let kind = value.type_name();
        match value.try_cast::<ScriptPhase>() {
            Some(phase) => Ok(Some(self.phase(&phase))),
            None => Err(Failure(format!(
                "schedule(run) returned {kind}; it must return phase(...), or nothing to end the run"
            ))),
        }
    }
}

/// The metrics that a function gives.
fn metrics_of(function: &str, value: Dynamic) -> Result<Metrics, Failure> {
    let kind = value.type_name();
    let map = value
        .try_cast::<Map>()
        .ok_or_else(|| Failure(format!("{function} returned {kind}, not a map")))?;
    map.into_iter()
        .map(|(name, value)| match number(&value) {
            Some(number) => Ok((name.to_string(), number)),
            None => Err(Failure(format!(
                "metric `{name}` is {value} ({}); a metric is a number",
                value.type_name()
            ))),
        })
        .collect()
}

fn read_space(core: &Core) -> Result<(Space, Vec<ScriptPart>), ScriptError> {
    let value = core.call("space", Dynamic::UNIT).map_err(|d| core.refuse(d))?;
    let kind = value.type_name();
    let help = "write for example `#{ cnn: nasbench201::space(), hw: chaidnn::space() }`";
    let map = value.try_cast::<Map>().ok_or_else(|| {
        let message = format!("space() returned {kind}, not a map of named parts");
        core.refuse(Diagnostic::new(message).with_help(help))
    })?;
    let mut parts = Vec::with_capacity(map.len());
    let mut scripts = Vec::with_capacity(map.len());
    for (name, value) in map {
        let part = ScriptPart::of(&name, value).map_err(|error| {
            let help = match error {
                PartError::Mixed { .. } => "see space() in the script",
                PartError::NotAPart { .. } => help,
            };
            core.refuse(Diagnostic::new(error.to_string()).with_help(help))
        })?;
        parts.push(Part { name: name.to_string(), domain: part.domain.clone() });
        scripts.push(part);
    }
    let space = Space::new(parts).map_err(|error| {
        core.refuse(Diagnostic::new(error.to_string()).with_help("see space() in the script"))
    })?;
    Ok((space, scripts))
}

fn read_objectives(core: &Core) -> Result<Vec<Objective>, ScriptError> {
    if !core.defines("objectives") {
        return Ok(Vec::new());
    }
    let value = core.call("objectives", Dynamic::UNIT).map_err(|d| core.refuse(d))?;
    let wrong = |reason: String| {
        let message = format!("objectives() {reason}");
        let help = "write for example `[\"accuracy:max\", \"latency_ms:min\"]`";
        core.refuse(Diagnostic::new(message).with_help(help))
    };
    let kind = value.type_name();
    let items =
        value.into_array().map_err(|_| wrong(format!("returned {kind}, not an array of texts")))?;
    let mut objectives: Vec<Objective> = Vec::with_capacity(items.len());
    for item in items {
        let text = item.into_string().map_err(|kind| wrong(format!("lists {kind}, not a text")))?;
        let objective: Objective =
            text.parse().map_err(|error| wrong(format!("is wrong: {error}")))?;
        if objectives.iter().any(|known| known.metric == objective.metric) {
            return Err(wrong(format!("lists `{}` twice", objective.metric)));
        }
        objectives.push(objective);
    }
    Ok(objectives)
}

/// What the script and the settings say must hold, in this order.
fn read_thresholds(core: &Core, settings: &Settings) -> Result<Vec<Threshold>, ScriptError> {
    let mut thresholds = Vec::new();
    if core.defines("thresholds") {
        let value = core.call("thresholds", Dynamic::UNIT).map_err(|d| core.refuse(d))?;
        let wrong = |reason: String| {
            let help = "write for example `[\"best.accuracy >= 0.93\", \"valid >= 100\"]`";
            core.refuse(Diagnostic::new(format!("thresholds() {reason}")).with_help(help))
        };
        let kind = value.type_name();
        let items = value
            .into_array()
            .map_err(|_| wrong(format!("returned {kind}, not an array of texts")))?;
        for item in items {
            let text =
                item.into_string().map_err(|kind| wrong(format!("lists {kind}, not a text")))?;
            thresholds.push(text.parse().map_err(|error: ThresholdError| {
                let mut diagnostic = Diagnostic::new(error.to_string());
                diagnostic.place = core.place_of(&text);
                core.refuse(diagnostic)
            })?);
        }
    }
    for text in &settings.thresholds {
        thresholds.push(text.parse().map_err(|error: ThresholdError| {
            core.refuse(Diagnostic::new(format!("the setting `thresholds`: {error}")))
        })?);
    }
    Ok(thresholds)
}
