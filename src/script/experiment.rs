//! An experiment script: loaded once, called for every trial.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::serde::to_dynamic;
use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, Module, Scope};

use super::diagnostic::Diagnostic;
use super::engine::engine;
use super::error::ScriptError;
use super::host::Host;
use super::limits::Limits;
use super::modules::{PhaseReward, ScriptPart, ScriptPhase, ScriptRun, reward_of, script_point};
use super::options::number;
use super::settings::Settings;
use super::sources::Sources;
use super::table::SummaryTable;
use crate::pareto::{Objective, Weighted, Worth};
use crate::search::{ControllerSpec, ReinforceSettings};
use crate::space::{Part, Point, Space};
use crate::study::{Experiment, Failure, Metrics, Phase, Progress, Reward, RewardFn};

/// The functions that an experiment may define, with their parameters.
const CONTRACT: [(&str, &[&str]); 8] = [
    ("args", &[]),
    ("space", &[]),
    ("objectives", &[]),
    ("evaluate", &["point"]),
    ("reward", &["metrics"]),
    ("schedule", &["run"]),
    ("sweep", &[]),
    ("summary", &["run"]),
];

/// The functions without which there is no experiment, and without which nothing can be run; a
/// script that defines `sweep` can do without the latter.
const REQUIRED: [&str; 1] = ["space"];
const TO_RUN: [&str; 2] = ["evaluate", "reward"];

/// Trials of the single phase of a script without a schedule.
const DEFAULT_STEPS: u64 = 1_000;

/// The module that the script's own functions are called through.
const SELF: &str = "experiment";

/// Messages that are kept in full for the end of a run.
const KEPT_MESSAGES: usize = 64;

/// A loaded experiment script.
pub struct Script {
    core: Arc<Core>,
    space: Arc<Space>,
    parts: Arc<Vec<ScriptPart>>,
    objectives: Vec<Objective>,
    args: BTreeMap<String, Dynamic>,
}

struct Core {
    engine: Engine,
    ast: AST,
    /// For each function of the contract that the script defines, a call of it.
    calls: BTreeMap<&'static str, AST>,
    /// What `reward()` without a parameter gives.
    declared: Option<Arc<Weighted>>,
    label: String,
    sources: Sources,
    limits: Limits,
    host: Arc<Host>,
    messages: Mutex<BTreeMap<String, Diagnostic>>,
}

impl Core {
    fn refuse(&self, diagnostic: Diagnostic) -> ScriptError {
        let diagnostic = Box::new(diagnostic);
        ScriptError::Script { diagnostic, sources: self.sources.clone() }
    }

    fn defines(&self, function: &str) -> bool {
        self.calls.contains_key(function)
    }

    fn call(&self, function: &'static str, argument: Dynamic) -> Result<Dynamic, Diagnostic> {
        let Some(call) = self.calls.get(function) else {
            return Err(Diagnostic::new(format!("the script defines no function `{function}`")));
        };
        let mut scope = Scope::new();
        scope.push_dynamic("argument", argument);
        self.limits
            .timed(|| self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, call))
            .map_err(|error| diagnose(function, &error))
    }

    /// The message of a diagnostic, which itself is kept.
    fn failure(&self, diagnostic: Diagnostic) -> Failure {
        let message = diagnostic.to_string();
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() < KEPT_MESSAGES {
            messages.insert(message.clone(), diagnostic);
        }
        Failure(message)
    }

    fn reward(&self, own: Option<&PhaseReward>, metrics: &Metrics) -> Result<Reward, Failure> {
        let objective = match own {
            Some(PhaseReward::Objective(objective)) => Some(objective),
            Some(PhaseReward::Function(_)) => None,
            None => self.declared.as_ref(),
        };
        if let Some(objective) = objective {
            let worth = objective.worth(|name| metrics.get(name).copied());
            return match worth {
                Ok(Worth { reward, valid }) => Ok(Reward { value: reward, valid }),
                Err(metric) => {
                    let known: Vec<&str> = metrics.keys().map(String::as_str).collect();
                    let message = format!(
                        "the objective is about `{metric}`, which evaluate() does not give"
                    );
                    let help = format!("it gives {}", known.join(", "));
                    Err(self.failure(Diagnostic::new(message).with_help(help)))
                }
            };
        }
        let map: Map = metrics.iter().map(|(name, &v)| (name.as_str().into(), v.into())).collect();
        let value = match own {
            Some(PhaseReward::Function(function)) => self
                .limits
                .timed(|| function.call(&self.engine, map.into()))
                .map_err(|error| self.failure(Diagnostic::of_error(&error, &self.label)))?,
            _ => self.call("reward", map.into()).map_err(|diagnostic| self.failure(diagnostic))?,
        };
        reward_of(&value)
    }
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
        sources.put(&label, &text);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let host = Arc::new(Host::new(data));
        let engine = engine(folder, &sources, &host, &settings.limits);
        let refuse = |diagnostic: Diagnostic| ScriptError::Script {
            diagnostic: Box::new(diagnostic),
            sources: sources.clone(),
        };
        let mut ast = engine
            .compile(&text)
            .map_err(|error| refuse(Diagnostic::of_parse_error(&error, &label)))?;
        ast.set_source(label.as_str());
        let calls = contract(&engine, &ast).map_err(&refuse)?;
        let mut core = Core {
            engine,
            ast,
            calls,
            declared: None,
            label,
            sources: sources.clone(),
            limits: settings.limits,
            host,
            messages: Mutex::default(),
        };
        let args = core.bind_args(settings)?;
        core.bind_self(&core.ast.clone())?;
        core.bind_declared_reward()?;
        let core = Arc::new(core);
        let (space, parts) = read_space(&core)?;
        let objectives = read_objectives(&core)?;
        Ok(Self { core, space: Arc::new(space), parts: Arc::new(parts), objectives, args })
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
        let description = format!(
            "{} {:?} {:?} {} {:?} {:?} {:?} {}",
            script.name,
            search,
            script.fixed,
            script.steps,
            script.valid,
            script.controller,
            script.keep,
            described
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

    fn evaluate(&self, point: &Point) -> Result<Metrics, Failure> {
        let point = script_point(&self.space, &self.parts, point).map_err(Failure)?;
        let value = self
            .core
            .call("evaluate", Dynamic::from(point))
            .map_err(|diagnostic| self.core.failure(diagnostic))?;
        let kind = value.type_name();
        let map = value
            .try_cast::<Map>()
            .ok_or_else(|| Failure(format!("evaluate(point) returned {kind}, not a map")))?;
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

impl Core {
    /// Makes the script's functions callable as a module of their own.
    fn bind_self(&mut self, ast: &AST) -> Result<(), ScriptError> {
        let module = self
            .limits
            .timed(|| Module::eval_ast_as_new(Scope::new(), ast, &self.engine))
            .map_err(|error| self.refuse(Diagnostic::of_error(&error, &self.label)))?;
        self.engine.register_static_module(SELF, module.into());
        Ok(())
    }

    /// Reads the objective that `reward()` without a parameter gives.
    fn bind_declared_reward(&mut self) -> Result<(), ScriptError> {
        let takes_none = |f: &rhai::ScriptFnMetadata| f.name == "reward" && f.params.is_empty();
        if !self.defines("reward") || !self.ast.iter_functions().any(|f| takes_none(&f)) {
            return Ok(());
        }
        let value = self.call("reward", Dynamic::UNIT).map_err(|d| self.refuse(d))?;
        let kind = value.type_name();
        let objective = value.try_cast::<Arc<Weighted>>().ok_or_else(|| {
            let message = format!("reward() returned {kind}, not an objective");
            let help = "write `fn reward(metrics)` for a function of the metrics, or return \
                        objective::weighted(...)";
            self.refuse(Diagnostic::new(message).with_help(help))
        })?;
        self.declared = Some(objective);
        Ok(())
    }

    /// Reads the arguments that the script declares, applies the settings and makes them known as
    /// `args::<name>`.
    fn bind_args(&mut self, settings: &Settings) -> Result<BTreeMap<String, Dynamic>, ScriptError> {
        let mut args = BTreeMap::new();
        if self.defines("args") {
            // The statements around the functions may use the arguments: functions first.
            self.bind_self(&self.ast.clone_functions_only())?;
            let value = self.call("args", Dynamic::UNIT).map_err(|d| self.refuse(d))?;
            let kind = value.type_name();
            let map = value.try_cast::<Map>().ok_or_else(|| {
                self.refuse(Diagnostic::new(format!("args() returned {kind}, not a map")))
            })?;
            args = map.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
            if let Some(name) = args.keys().find(|name| Settings::NAMES.contains(&name.as_str())) {
                let message = format!("argument `{name}` has the name of a setting");
                let help = "rename it in args(), so that `--set` and YAML can tell them apart";
                return Err(self.refuse(Diagnostic::new(message).with_help(help)));
            }
        }
        for (name, given) in &settings.args {
            let Some(known) = args.get_mut(name) else {
                let declared: Vec<&str> = args.keys().map(String::as_str).collect();
                let message = format!("there is no setting or argument `{name}`");
                let help = if declared.is_empty() {
                    "the script declares no arguments; `fn args() { #{ name: default } }` would"
                        .to_owned()
                } else {
                    format!("the script declares {}", declared.join(", "))
                };
                return Err(self.refuse(Diagnostic::new(message).with_help(help)));
            };
            let given = to_dynamic(given).map_err(|error| {
                self.refuse(Diagnostic::new(format!("argument `{name}`: {error}")))
            })?;
            *known = match (known.is_float(), given.as_int()) {
                #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
                (true, Ok(int)) => Dynamic::from(int as f64),
                _ if given.type_id() == known.type_id() => given,
                _ => {
                    let (is, takes) = (given.type_name(), known.type_name());
                    let message = format!("argument `{name}` is {given} ({is}); it takes {takes}");
                    return Err(self.refuse(Diagnostic::new(message)));
                }
            };
        }
        let mut module = Module::new();
        for (name, value) in &args {
            module.set_var(name.as_str(), value.clone());
        }
        self.engine.register_static_module("args", module.into());
        Ok(args)
    }
}

/// The diagnostic of a function of the contract, the call of which has no text of its own.
fn diagnose(function: &str, error: &EvalAltResult) -> Diagnostic {
    let mut diagnostic = Diagnostic::of_error(error, "");
    // Errors of limits carry no calls.
    if diagnostic.stack.is_empty() {
        diagnostic.stack.push(format!("in `{function}`"));
    }
    diagnostic
}

/// Compiles a call for every function of the contract that the script defines.
fn contract(engine: &Engine, ast: &AST) -> Result<BTreeMap<&'static str, AST>, Diagnostic> {
    let mut calls = BTreeMap::new();
    let can_sweep = ast.iter_functions().any(|f| f.name == "sweep" && f.params.is_empty());
    for (name, parameters) in CONTRACT {
        let defined: Vec<usize> =
            ast.iter_functions().filter(|f| f.name == name).map(|f| f.params.len()).collect();
        // A reward without a parameter is an objective.
        let declared = name == "reward" && defined.contains(&0);
        if defined.contains(&parameters.len()) || declared {
            let argument = if parameters.is_empty() || declared { "" } else { "argument" };
            let call = engine
                .compile(format!("{SELF}::{name}({argument})"))
                .map_err(|error| Diagnostic::of_parse_error(&error, ""))?;
            calls.insert(name, call);
        } else if let Some(given) = defined.first() {
            let message = format!("function `{name}` takes {given} parameters");
            let help = format!("write `fn {}`", signature(name));
            return Err(Diagnostic::new(message).with_help(help));
        } else if REQUIRED.contains(&name) || (TO_RUN.contains(&name) && !can_sweep) {
            let near = ast
                .iter_functions()
                .filter(|f| CONTRACT.iter().all(|(known, _)| *known != f.name))
                .map(|f| (strsim::damerau_levenshtein(f.name, name), f.name))
                .min();
            return Err(match near {
                Some((distance, near)) if distance <= 2 => {
                    undefined(name).with_help(format!("is `{near}` meant to be `{name}`?"))
                }
                _ => undefined(name),
            });
        }
    }
    Ok(calls)
}

/// A function of the contract with its parameters.
fn signature(name: &str) -> String {
    let parameters = CONTRACT.iter().find(|(known, _)| *known == name).map_or(&[][..], |f| f.1);
    format!("{name}({})", parameters.join(", "))
}

fn undefined(name: &str) -> Diagnostic {
    Diagnostic::new(format!("the script defines no function `{}`", signature(name)))
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
        let kind = value.type_name();
        let part = value.try_cast::<ScriptPart>().ok_or_else(|| {
            let message = format!("part `{name}` of the space is {kind}, not a space");
            core.refuse(Diagnostic::new(message).with_help(help))
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
