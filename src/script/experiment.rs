//! An experiment script: loaded once, called for every trial.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map};

use super::compiled::Compiled;
use super::contract::check::{TO_RUN, undefined};
use super::contract::metrics;
use super::diagnostic::Diagnostic;
use super::error::ScriptError;
use super::metric_map::is_name;
use super::modules::{
    PartError, PhaseReward, ScriptPart, ScriptPhase, ScriptRun, TrainingPlan, register_names,
    script_point,
};
use super::read_script::read_text;
use super::resolver::Resolver;
use super::services::Services;
use super::settings::Settings;
use super::sources::Sources;
use super::table::SummaryTable;
use super::truncate::brief_name;
use crate::metrics::Metrics;
use crate::pareto::{Objective, Weighted};
use crate::run::{
    Experiment, Failure, Obstacle, Phase, Progress, Provenance, Reward, RewardFn, ScreenFn,
    Threshold, ThresholdError,
};
use crate::search::ControllerSpec;
use crate::space::{Part, Point, Space};
use crate::store::Reused;

/// The number of trials in the single phase of a script without a schedule.
const DEFAULT_STEPS: u64 = 1_000;

/// A loaded experiment script.
pub struct Script {
    compiled: Arc<Compiled>,
    space: Arc<Space>,
    parts: Arc<Vec<ScriptPart>>,
    objectives: Vec<Objective>,
    thresholds: Vec<Threshold>,
    args: BTreeMap<String, Dynamic>,
}

impl Script {
    /// Loads an experiment: compiles its script, resolves imports, reads its space.
    ///
    /// `data` is the folder of benchmark tables and image sets.
    ///
    /// # Errors
    /// The file cannot be read, the script does not parse or fails, a function of the contract is missing or
    /// returns a wrong value, or a setting is unknown or out of range.
    pub fn load(path: &Path, settings: &Settings, data: PathBuf) -> Result<Self, ScriptError> {
        let text = read_text(path)
            .map_err(|source| ScriptError::Read { path: path.to_path_buf(), source })?;
        Self::of_text(path, &text, settings, data)
    }

    /// Loads an experiment from a text as if it were the content of `path`; see [`Self::load`].
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn of_text(
        path: &Path,
        text: &str,
        settings: &Settings,
        data: PathBuf,
    ) -> Result<Self, ScriptError> {
        settings.validate()?;
        let label = path.display().to_string();
        let sources = Sources::default();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let services = Arc::new(Services::new(data, settings.threads()));
        let resolver = Resolver::new(folder, &label, sources.clone());
        let (mut compiled, args) =
            Compiled::load((&label, text), (resolver, sources), settings, services)?;
        let (space, parts) = read_space(&compiled)?;
        register_names(&mut compiled.engine, space.parts());
        let compiled = Arc::new(compiled);
        let objectives = read_objectives(&compiled)?;
        let thresholds = read_thresholds(&compiled, settings)?;
        let (space, parts) = (Arc::new(space), Arc::new(parts));
        Ok(Self { compiled, space, parts, objectives, thresholds, args })
    }

    /// The texts of the script and its imports: the script's by its file name, imports by their labels.
    pub fn sources(&self) -> BTreeMap<String, Arc<str>> {
        let name = |label: String| {
            if label != self.compiled.label {
                return label;
            }
            Path::new(&label).file_name().map_or(label.clone(), |n| n.to_string_lossy().into())
        };
        self.compiled.sources.all().into_iter().map(|(label, text)| (name(label), text)).collect()
    }

    /// The values of the script's arguments as text, defaults included.
    pub fn args(&self) -> BTreeMap<String, String> {
        self.args.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
    }

    /// The name of the experiment's own text in messages.
    pub(super) fn label(&self) -> &str {
        &self.compiled.label
    }

    /// The state that the native functions share.
    pub fn services(&self) -> &Services {
        &self.compiled.services
    }

    /// The texts that diagnostics point into.
    pub fn texts(&self) -> &Sources {
        &self.compiled.sources
    }

    /// Returns the message about a threshold that cannot be judged, placed at its metric in `thresholds()`.
    pub fn explain_threshold(&self, error: &ThresholdError) -> Diagnostic {
        let place = match error {
            ThresholdError::Metric { metric, .. } => self.compiled.mentioned("thresholds", metric),
            _ => None,
        };
        Diagnostic::new(error.to_string()).in_place(place)
    }

    /// Returns the message about a phase that cannot be searched, placed at its name in `schedule(run)`.
    pub fn explain_phase(&self, phase: &str, message: impl Display) -> Diagnostic {
        let place = self.compiled.mention("schedule", phase);
        Diagnostic::new(message.to_string()).in_place(place)
    }

    /// Returns the tables of the script's `summary(run)`; none if the script does not define it.
    ///
    /// # Errors
    /// The function fails or returns something other than tables.
    pub fn summary(&self, progress: &Progress) -> Result<Vec<SummaryTable>, Failure> {
        if !self.compiled.defines("summary") {
            return Ok(Vec::new());
        }
        let run = ScriptRun::new(progress, self.parts.clone(), self.space.clone());
        let again = || Dynamic::from(run.clone());
        let result = self.compiled.call("summary", Dynamic::from(run.clone()), again);
        let value = result.map_err(Failure::of)?;
        SummaryTable::read(&value).ok_or_else(|| {
            let returned = self.compiled.returned("summary", &value, "table(...), or several");
            let help = "write for example `table(\"best\", [\"accuracy\"], [[0.93]])`";
            Failure::of(returned.with_help(help))
        })
    }

    /// Refuses a script that can be swept but not run.
    ///
    /// # Errors
    /// It does not define `evaluate(point)` or `reward(metrics)`.
    pub fn require_run(&self) -> Result<(), ScriptError> {
        TO_RUN.into_iter().try_for_each(|function| self.require(function))
    }

    /// Refuses a script that does not define a given function of the contract.
    ///
    /// # Errors
    /// The script does not define it.
    pub fn require(&self, function: &str) -> Result<(), ScriptError> {
        if self.compiled.defines(function) {
            return Ok(());
        }
        Err(self.compiled.refuse(undefined(function)))
    }

    /// Returns true if the script defines a given function of the contract.
    pub fn defines(&self, function: &str) -> bool {
        self.compiled.defines(function)
    }

    /// Evaluates the script's own reward on metrics.
    ///
    /// # Errors
    /// The function fails or gives no finite number, or the objective needs a metric that is missing.
    pub fn reward(&self, metrics: &Metrics) -> Result<Reward, Failure> {
        self.compiled.reward(None, metrics)
    }

    /// The script's own reward, if it is an objective and not a function.
    pub fn objective(&self) -> Option<&Weighted> {
        self.compiled.declared.as_deref()
    }

    /// Returns the training plan of a point's network: the result of the script's `training(point)`.
    ///
    /// # Errors
    /// The function is not defined, fails, or returns something other than a plan.
    pub fn training(&self, point: &Point) -> Result<TrainingPlan, Failure> {
        let value = self.call_with_point("training", point)?;
        value.try_cast_result::<TrainingPlan>().map_err(|value| {
            let returned = self.compiled.returned("training", &value, "train::plan(...)");
            let help = "write for example `train::plan(net, #{ data: \"cifar10\", epochs: 12 })`";
            Failure::of(returned.with_help(help))
        })
    }

    fn call_with_point(&self, function: &'static str, point: &Point) -> Result<Dynamic, Failure> {
        let argument = || script_point(&self.space, &self.parts, point).map(Dynamic::from);
        let again = || argument().unwrap_or_default();
        let value = self.compiled.call(function, argument().map_err(Failure::new)?, again);
        value.map_err(Failure::of)
    }

    /// Calls a function of the contract that takes no argument.
    pub(super) fn call(&self, function: &'static str) -> Result<Dynamic, ScriptError> {
        self.compiled.call_plain(function).map_err(|diagnostic| self.compiled.refuse(diagnostic))
    }

    /// Returns an error about the result of a function of the script, placed at its definition.
    pub(super) fn refuse(
        &self,
        function: &str,
        message: impl Into<String>,
        help: &str,
    ) -> ScriptError {
        let place = self.compiled.definition(function);
        self.compiled.refuse(Diagnostic::new(message).with_help(help).in_place(place))
    }

    /// Returns the type of a value in the words of messages, with its article, such as "a map".
    pub(super) fn kind_of(&self, value: &Dynamic) -> String {
        self.compiled.kind_of(value)
    }

    /// The engine that runs the script.
    pub(super) fn engine(&self) -> &Engine {
        &self.compiled.engine
    }

    /// Changes the engine for a test.
    #[cfg(test)]
    pub(super) fn with_engine(&mut self, change: impl FnOnce(&mut Engine)) {
        change(&mut Arc::get_mut(&mut self.compiled).expect("nobody else has the script").engine);
    }

    /// Runs `call` under the limits of a call into the script; its error becomes a message about the script.
    pub(super) fn limited<T>(
        &self,
        call: impl FnOnce() -> Result<T, Box<EvalAltResult>>,
    ) -> Result<T, Diagnostic> {
        let called = self.compiled.limits.timed(call);
        called.map_err(|error| self.compiled.explain(&error, &self.compiled.label, &Metrics::new()))
    }

    fn phase(&self, script: &ScriptPhase) -> Phase {
        let all = || self.space.parts().iter().map(|part| part.name.clone()).collect();
        let search: Vec<String> = script.search.clone().unwrap_or_else(all);
        let (compiled, own) = (self.compiled.clone(), script.reward.clone());
        let reward: RewardFn = Arc::new(move |metrics| compiled.reward(own.as_ref(), metrics));
        let described =
            script.reward.as_ref().map_or_else(|| "reward".to_owned(), PhaseReward::describe);
        let screen = script.screen.clone().map(|own| {
            let (compiled, space, parts) =
                (self.compiled.clone(), self.space.clone(), self.parts.clone());
            let screen: ScreenFn = Arc::new(move |point| {
                let point = script_point(&space, &parts, point).map_err(Failure::new)?;
                let value = compiled.screen(&own, Dynamic::from(point))?;
                let place = || own.place(&compiled.label);
                metrics::screened(&compiled, value, &place).map_err(Failure::of)
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
        let value = self.call_with_point("evaluate", point)?;
        metrics::evaluated(&self.compiled, value, &self.objectives).map_err(Failure::of)
    }

    fn take_reused(&self) -> Reused {
        self.compiled.services.take_reused()
    }

    fn obstacle(&self) -> Option<Obstacle> {
        let services = &self.compiled.services;
        if services.trainer().was_interrupted() {
            return Some(Obstacle::Interrupted);
        }
        services.is_unusable().then_some(Obstacle::Unusable)
    }

    fn provenance(&self) -> Provenance {
        self.compiled.services.provenance()
    }

    fn next_phase(&self, progress: &Progress) -> Result<Option<Phase>, Failure> {
        if !self.compiled.defines("schedule") {
            let first = progress.phases().is_empty();
            return Ok(first.then(|| {
                self.phase(&ScriptPhase {
                    name: "search".to_owned(),
                    search: None,
                    fixed: None,
                    steps: DEFAULT_STEPS,
                    valid: None,
                    controller: ControllerSpec::default(),
                    keep: None,
                    reward: None,
                    screen: None,
                })
            }));
        }
        let run = ScriptRun::new(progress, self.parts.clone(), self.space.clone());
        let again = || Dynamic::from(run.clone());
        let value = self
            .compiled
            .call("schedule", Dynamic::from(run.clone()), again)
            .map_err(Failure::of)?;
        if value.is_unit() {
            return Ok(None);
        }
        match value.try_cast_result::<ScriptPhase>() {
            Ok(phase) => Ok(Some(self.phase(&phase))),
            Err(value) => {
                let expected = "phase(...), or nothing to end the run";
                let help =
                    "write for example `if run.phases == 0 { phase(\"all\", #{ steps: 1000 }) }`";
                let returned = self.compiled.returned("schedule", &value, expected);
                Err(Failure::of(returned.with_help(help)))
            }
        }
    }
}

fn read_space(compiled: &Compiled) -> Result<(Space, Vec<ScriptPart>), ScriptError> {
    let value = compiled.call_plain("space").map_err(|d| compiled.refuse(d))?;
    let help = "write for example `#{ cnn: nasbench201::space(), hw: chaidnn::space() }`";
    let map = value.try_cast_result::<Map>().map_err(|value| {
        compiled.refuse(compiled.returned("space", &value, "a map of named parts").with_help(help))
    })?;
    let mut parts = Vec::with_capacity(map.len());
    let mut scripts = Vec::with_capacity(map.len());
    for (name, value) in map {
        // On the command line, a part is given as `name=text`.
        if !is_name(&name) || name.contains(['=', ' ']) {
            let message = format!("`{}` is no name for a part of the space", brief_name(&name));
            let help = "a name has from 1 to 100 bytes, without spaces and `=`";
            let place = compiled.definition("space");
            return Err(compiled.refuse(Diagnostic::new(message).with_help(help).in_place(place)));
        }
        let part = ScriptPart::of(&name, value).map_err(|error| {
            let place = compiled.mention("space", &name);
            let refuse = |diagnostic: Diagnostic| compiled.refuse(diagnostic.in_place(place));
            match error {
                PartError::NotAPart { path, kind } => {
                    let message = format!("part `{path}` of the space is {kind}, not a space");
                    refuse(Diagnostic::new(message).with_help(help))
                }
                error @ PartError::Mixed { .. } => refuse(Diagnostic::new(error.to_string())),
            }
        })?;
        parts.push(Part { name: name.to_string(), domain: part.domain.clone() });
        scripts.push(part);
    }
    let space = Space::new(parts).map_err(|error| {
        compiled.refuse(Diagnostic::new(error.to_string()).in_place(compiled.definition("space")))
    })?;
    Ok((space, scripts))
}

fn read_objectives(compiled: &Compiled) -> Result<Vec<Objective>, ScriptError> {
    if !compiled.defines("objectives") {
        return Ok(Vec::new());
    }
    let help = "write for example `[\"accuracy:max\", \"latency_ms:min\"]`";
    let mut objectives: Vec<Objective> = Vec::new();
    for text in read_texts(compiled, "objectives", help)? {
        let wrong = |reason: String, place| {
            let message = format!("objectives() {reason}");
            compiled.refuse(Diagnostic::new(message).with_help(help).in_place(place))
        };
        let objective: Objective = text.parse().map_err(|error| {
            let place = compiled.place_of(&text).or_else(|| compiled.definition("objectives"));
            wrong(format!("is wrong: {error}"), place)
        })?;
        if !is_name(&objective.metric) {
            let place = compiled.definition("objectives");
            return Err(wrong("names a metric that no metric can be called".to_owned(), place));
        }
        if objectives.iter().any(|known| known.metric == objective.metric) {
            let place = compiled.mention("objectives", &objective.metric);
            return Err(wrong(format!("lists `{}` twice", objective.metric), place));
        }
        objectives.push(objective);
    }
    Ok(objectives)
}

/// Calls a function of the contract that returns an array of texts.
fn read_texts(
    compiled: &Compiled,
    function: &'static str,
    help: &str,
) -> Result<Vec<String>, ScriptError> {
    let value = compiled.call_plain(function).map_err(|d| compiled.refuse(d))?;
    let wrong = |value: &Dynamic| {
        compiled.refuse(compiled.returned(function, value, "an array of texts").with_help(help))
    };
    let text = |item: &Dynamic| {
        item.clone().into_string().map_err(|_| {
            let message = format!("{function}() lists {}, not a text", compiled.kind_of(item));
            let place = compiled.definition(function);
            compiled.refuse(Diagnostic::new(message).with_help(help).in_place(place))
        })
    };
    let items = value.read_lock::<Array>().ok_or_else(|| wrong(&value))?;
    items.iter().map(text).collect()
}

/// Reads the thresholds of the script, then those of the settings.
fn read_thresholds(
    compiled: &Compiled,
    settings: &Settings,
) -> Result<Vec<Threshold>, ScriptError> {
    let mut thresholds = Vec::new();
    if compiled.defines("thresholds") {
        let help = "write for example `[\"best.accuracy >= 0.93\", \"valid >= 100\"]`";
        for text in read_texts(compiled, "thresholds", help)? {
            thresholds.push(text.parse().map_err(|error: ThresholdError| {
                let place = compiled.place_of(&text).or_else(|| compiled.definition("thresholds"));
                compiled.refuse(Diagnostic::new(error.to_string()).in_place(place))
            })?);
        }
    }
    for text in &settings.thresholds {
        thresholds.push(text.parse().map_err(|error: ThresholdError| {
            compiled.refuse(Diagnostic::new(format!("the setting `thresholds`: {error}")))
        })?);
    }
    Ok(thresholds)
}
