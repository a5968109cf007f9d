//! A compiled script: its engine, its functions and the calls of them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::{AST, Dynamic, Engine, EvalAltResult, Map};

use super::contract::check::{bind_args, contract, undefined};
use super::contract::metrics::script_map;
use super::contract::missing_keys::Witnesses;
use super::diagnostic::replay::Original;
use super::diagnostic::{
    Diagnostic, Diagnostics, Explainer, Import, Outline, Place, a_type, compile, definition,
    meant_or_known, type_name,
};
use super::engine::engine;
use super::error::ScriptError;
use super::functions::Own;
use super::modules::{Closure, PhaseReward, reward_of};
use super::resolver::Resolver;
use super::review::shadowing::refuse_hidden;
use super::sandbox::limit_error::Reached;
use super::sandbox::limit_location::Tracer;
use super::sandbox::limits::Limits;
use super::services::Host;
use super::settings::{Settings, given_argument, refuse_foreign};
use super::sources::Sources;
use crate::metrics::{Metrics, unit_hint};
use crate::pareto::{Weighted, Worth};
use crate::run::{Failure, Reward};

/// Messages that are kept in full for the end of a run.
const KEPT_MESSAGES: usize = 64;

/// What every call needs, shared by the phases' rewards.
pub(crate) struct Core {
    pub(super) engine: Engine,
    pub(super) ast: AST,
    own: Own,
    /// The functions of the contract that the script defines.
    defined: BTreeSet<&'static str>,
    /// What `reward()` without a parameter gives.
    pub(super) declared: Option<Arc<Weighted>>,
    pub(super) label: String,
    pub(super) sources: Sources,
    pub(super) limits: Limits,
    pub(super) host: Arc<Host>,
    pub(super) messages: Mutex<BTreeMap<String, Diagnostic>>,
    /// The arguments that the script knows.
    args: BTreeMap<String, Dynamic>,
    /// What finds the places of limits, once one was reached.
    tracer: OnceLock<Option<Tracer>>,
    /// What tells of the maps at places where an entry was missing.
    witnesses: Witnesses,
}

impl Core {
    /// Compiles a script, gives it its arguments and makes its functions callable; `label` is what
    /// messages call its text. The values of the arguments come with it.
    pub(crate) fn load(
        (label, text): (&str, &str),
        (resolver, sources): (Resolver, Sources),
        settings: &Settings,
        host: Arc<Host>,
    ) -> Result<(Self, BTreeMap<String, Dynamic>), ScriptError> {
        sources.put(label, text);
        let engine = engine(resolver, &host, &settings.limits);
        let refuse = |diagnostics| ScriptError::Script { diagnostics, sources: sources.clone() };
        let mut ast = compile(&engine, label, text).map_err(|found| {
            let error = engine.compile(text).err();
            let reached = error.as_ref().and_then(|e| Reached::of_parse_error(&settings.limits, e));
            if let (Some(error), Some(reached)) = (error, reached) {
                let diagnostic = Diagnostic::new(reached.message).with_help(reached.help);
                return refuse(diagnostic.at(error.position(), label).into());
            }
            let others = broken_imports(&engine, &sources, &settings.limits, (label, text));
            refuse(found.and(others))
        })?;
        ast.set_source(label);
        refuse_hidden(&engine, &ast).map_err(|(message, position)| {
            refuse(Diagnostic::new(message).at(position, label).into())
        })?;
        let defined = contract(&ast, (label, text)).map_err(|d| refuse(d.into()))?;
        let mut core = Self {
            own: Own::none(&engine),
            engine,
            ast,
            defined,
            declared: None,
            label: label.to_owned(),
            sources: sources.clone(),
            limits: settings.limits,
            host,
            messages: Mutex::default(),
            args: BTreeMap::new(),
            tracer: OnceLock::new(),
            witnesses: Witnesses::default(),
        };
        let args = core.bind_args(settings)?;
        core.bind_functions(&core.ast.clone())?;
        core.bind_declared_reward()?;
        Ok((core, args))
    }

    pub(super) fn refuse(&self, diagnostics: impl Into<Diagnostics>) -> ScriptError {
        ScriptError::Script { diagnostics: diagnostics.into(), sources: self.sources.clone() }
    }

    /// Where the script writes a text literally, if it does so once.
    pub(super) fn place_of(&self, text: &str) -> Option<Place> {
        let source = self.sources.get(&self.label)?;
        let quoted = format!("\"{text}\"");
        let mut found = source.match_indices(&quoted);
        let (at, _) = found.next()?;
        found.next().is_none().then(|| Place::of_offset(&self.label, &source, at))
    }

    /// Where a function of the script is defined.
    pub(super) fn definition(&self, function: &str) -> Option<Place> {
        definition(&self.label, &self.sources.get(&self.label)?, function)
    }

    /// Where a function of the script names something that it gives or asks for, else where it is
    /// defined.
    pub(super) fn mention(&self, function: &str, name: &str) -> Option<Place> {
        self.mentioned(function, name).or_else(|| self.definition(function))
    }

    /// Where a function of the script names something that it gives or asks for.
    pub(super) fn mentioned(&self, function: &str, name: &str) -> Option<Place> {
        let source = self.sources.get(&self.label)?;
        let outline = Outline::of(&source);
        let known = outline.functions.iter().find(|known| known.name == function)?;
        let at = outline.mention(known, name)?;
        Some(Place::of_offset(&self.label, &source, at))
    }

    /// The message of a function that returned something else than it should.
    pub(super) fn returned(&self, function: &str, value: &Dynamic, expected: &str) -> Diagnostic {
        let kind = self.kind_of(value);
        let message = format!("{function}() returned {kind}; it must return {expected}");
        let mut diagnostic = Diagnostic::new(message).in_place(self.definition(function));
        if value.is_unit() {
            let note = "a function returns the value of its last statement: `let`, an assignment and a loop have none";
            diagnostic.notes = [note.to_owned()].into();
        }
        diagnostic
    }

    /// The type of a value as people know it, with its article.
    pub(super) fn kind_of(&self, value: &Dynamic) -> String {
        self.kind(value.type_name())
    }

    /// A type of the engine as people know it, with its article.
    pub(super) fn kind(&self, name: &str) -> String {
        a_type(type_name(self.engine.map_type_name(name)))
    }

    pub(super) fn defines(&self, function: &str) -> bool {
        self.defined.contains(function)
    }

    /// Calls a function of the contract; `again` makes its argument once more for what looks for the
    /// place of a limit.
    pub(super) fn call(
        &self,
        function: &'static str,
        argument: Dynamic,
        again: impl FnOnce() -> Dynamic,
    ) -> Result<Dynamic, Diagnostic> {
        self.call_with(function, argument, again, &Metrics::new())
    }

    /// Calls a function of the contract that takes nothing.
    pub(super) fn call_plain(&self, function: &'static str) -> Result<Dynamic, Diagnostic> {
        self.call(function, Dynamic::UNIT, || Dynamic::UNIT)
    }

    fn call_with(
        &self,
        function: &'static str,
        argument: Dynamic,
        again: impl FnOnce() -> Dynamic,
        metrics: &Metrics,
    ) -> Result<Dynamic, Diagnostic> {
        if !self.defines(function) {
            return Err(undefined(function));
        }
        let called = self.limits.timed(|| self.own.call(&self.engine, function, argument));
        called.map_err(|error| self.explain_call(function, &error, again, metrics))
    }

    /// The message of a call that failed.
    #[cold]
    fn explain_call(
        &self,
        function: &str,
        error: &EvalAltResult,
        again: impl FnOnce() -> Dynamic,
        metrics: &Metrics,
    ) -> Diagnostic {
        let again = Cell::new(Some(again));
        let argument = || again.take().map_or_else(Dynamic::default, |again| again());
        let entries = |label: &str, at: usize| {
            self.witnesses.entries(self.original(), (label, at), (function, argument()))
        };
        // The call has no text of its own.
        let mut diagnostic = self.explaining(metrics, |explainer| {
            Explainer { entries: &entries, ..explainer }.explain(error, "")
        });
        if diagnostic.place.is_none() {
            diagnostic.place = self.definition(function);
            if error.is_system_exception() {
                self.trace(function, argument(), &mut diagnostic);
            }
        }
        diagnostic
    }

    /// The engine with the script's functions at hand everywhere.
    pub(crate) fn into_engine(self) -> (Engine, Limits, Sources) {
        let Self { mut engine, own, limits, sources, .. } = self;
        own.register(&mut engine);
        (engine, limits, sources)
    }

    /// Finds where a call reached a limit.
    fn trace(&self, function: &str, argument: Dynamic, diagnostic: &mut Diagnostic) {
        if let Some(tracer) = self.tracer.get_or_init(|| Tracer::new(self.original())) {
            tracer.trace(function, argument, diagnostic);
        }
    }

    const fn original(&self) -> Original<'_> {
        let Self { sources, label, args, host, limits, .. } = self;
        Original { sources, label: label.as_str(), args, host, limits }
    }

    /// The message of an error of evaluation that started in the text of a label.
    pub(super) fn explain(
        &self,
        error: &EvalAltResult,
        label: &str,
        metrics: &Metrics,
    ) -> Diagnostic {
        self.explaining(metrics, |explainer| explainer.explain(error, label))
    }

    /// Asks an explainer that knows the arguments, and the metrics of the failing function.
    fn explaining<T>(&self, metrics: &Metrics, ask: impl FnOnce(Explainer<'_>) -> T) -> T {
        let args: Vec<String> = self.args.keys().cloned().collect();
        let metrics: Vec<String> = metrics.keys().cloned().collect();
        let known = Explainer::new(&self.engine, &self.sources);
        ask(Explainer { args: &args, metrics: &metrics, ..known })
    }

    /// The message of a diagnostic, which itself is kept.
    pub(super) fn failure(&self, diagnostic: Diagnostic) -> Failure {
        let message = diagnostic.to_string();
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() < KEPT_MESSAGES {
            messages.insert(message.clone(), diagnostic);
        }
        Failure(message)
    }

    pub(super) fn reward(
        &self,
        own: Option<&PhaseReward>,
        metrics: &Metrics,
    ) -> Result<Reward, Failure> {
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
                    let function = if own.is_some() { "schedule" } else { "reward" };
                    let place = self.mention(function, &metric);
                    Err(self.failure(missing("the objective", &metric, metrics).in_place(place)))
                }
            };
        }
        let map = || script_map(metrics);
        let value = match own {
            Some(PhaseReward::Function(function)) => self.call_closure(function, map(), metrics)?,
            _ => self.call_with("reward", map(), map, metrics).map_err(|d| self.failure(d))?,
        };
        let place = || match own {
            Some(PhaseReward::Function(function)) => function.place(&self.label),
            _ => self.definition("reward"),
        };
        match reward_of(&value) {
            Some(Reward { value, .. }) if !value.is_finite() => {
                let help = "a reward is a finite number: look for a division by 0, or the logarithm \
                            of 0";
                let diagnostic = Diagnostic::new(format!("the reward is {value}"));
                Err(self.failure(diagnostic.with_help(help).in_place(place())))
            }
            Some(reward) => Ok(reward),
            None => {
                let kind = self.kind_of(&value);
                let diagnostic = Diagnostic::new(format!("the reward is {kind}, not a number"));
                let help = "return a number, or `reject(number)` for a pair that misses a limit";
                Err(self.failure(diagnostic.with_help(help).in_place(place())))
            }
        }
    }

    /// Calls a phase's screen with a point.
    pub(super) fn screen(&self, screen: &Closure, point: Dynamic) -> Result<Dynamic, Failure> {
        self.call_closure(screen, point, &Metrics::new())
    }

    /// Calls a function that a phase was given.
    fn call_closure(
        &self,
        closure: &Closure,
        argument: Dynamic,
        metrics: &Metrics,
    ) -> Result<Dynamic, Failure> {
        self.limits.timed(|| closure.call(&self.engine, [argument])).map_err(|error| {
            let mut diagnostic = self.explain(&error, closure.label(&self.label), metrics);
            // Errors of limits have the place of the call, which is where the function was given away.
            if diagnostic.place.is_none() || error.is_system_exception() {
                diagnostic.place = closure.place(&self.label);
            }
            self.failure(diagnostic)
        })
    }

    /// Makes the script's functions callable.
    fn bind_functions(&mut self, ast: &AST) -> Result<(), ScriptError> {
        self.own = Own::new(&self.engine, &self.limits, ast).map_err(|error| {
            let explain = |explainer: Explainer<'_>| explainer.explain_all(&error, &self.label);
            let found = self.explaining(&Metrics::new(), explain);
            if !is_parse_error(&error) {
                return self.refuse(found);
            }
            let text = self.sources.get(&self.label).unwrap_or_default();
            let all =
                broken_imports(&self.engine, &self.sources, &self.limits, (&self.label, &text));
            self.refuse(Diagnostics::of(all).unwrap_or(found))
        })?;
        Ok(())
    }

    /// Reads the objective that `reward()` without a parameter gives.
    fn bind_declared_reward(&mut self) -> Result<(), ScriptError> {
        let takes_none = |f: &rhai::ScriptFnMetadata| f.name == "reward" && f.params.is_empty();
        if !self.defines("reward") || !self.ast.iter_functions().any(|f| takes_none(&f)) {
            return Ok(());
        }
        let value = self.call_plain("reward").map_err(|d| self.refuse(d))?;
        let objective = value.try_cast_result::<Arc<Weighted>>().map_err(|value| {
            let help = "write `fn reward(metrics)` for a function of the metrics, or return \
                        objective::weighted(...)";
            self.refuse(self.returned("reward", &value, "an objective").with_help(help))
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
            self.bind_functions(&self.ast.clone_functions_only())?;
            let value = self.call_plain("args").map_err(|d| self.refuse(d))?;
            let map = value.try_cast_result::<Map>().map_err(|value| {
                let help = "write for example `#{ trials: 1000, epochs: 12 }`";
                let expected = "a map of names and defaults";
                self.refuse(self.returned("args", &value, expected).with_help(help))
            })?;
            args = map.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
            if let Some(name) = args.keys().find(|name| Settings::NAMES.contains(&name.as_str())) {
                let message = format!("argument `{name}` has the name of a setting");
                let help = "rename it in args(), so that `--set` and YAML can tell them apart";
                let place = self.mention("args", name);
                return Err(self.refuse(Diagnostic::new(message).with_help(help).in_place(place)));
            }
        }
        refuse_foreign(self, &args)?;
        for name in settings.args.keys() {
            let value = given_argument(self, &args, settings, name)?;
            args.insert(name.clone(), value);
        }
        bind_args(&mut self.engine, &args);
        self.args.clone_from(&args);
        Ok(args)
    }
}

/// The message about a metric that something asks for and that trials do not have.
pub(super) fn missing(what: &str, metric: &str, metrics: &Metrics) -> Diagnostic {
    let known: Vec<&String> = metrics.keys().collect();
    let diagnostic =
        Diagnostic::new(format!("{what} is about `{metric}`, which evaluate(point) does not give"));
    let help = unit_hint(metric, &known).or_else(|| meant_or_known(metric, &known, "it gives"));
    match help {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic.with_help("it gives nothing"),
    }
}

/// Whether a text did not parse, perhaps that of a module.
fn is_parse_error(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInModule(_, inner, _)
        | EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => is_parse_error(inner),
        EvalAltResult::ErrorParsing(..) => true,
        _ => false,
    }
}

/// The mistakes of all modules that a script imports and that do not parse.
fn broken_imports(
    engine: &Engine,
    sources: &Sources,
    limits: &Limits,
    (label, text): (&str, &str),
) -> Vec<Diagnostic> {
    let explainer = Explainer::new(engine, sources);
    let mistakes_of = |Import { path, at, .. }: &Import| {
        let import = engine.compile(format!("import \"{path}\" as imported;")).ok()?;
        let error = limits.timed(|| engine.eval_ast::<Dynamic>(&import)).err()?;
        if !is_parse_error(&error) {
            return None;
        }
        let mut found = explainer.explain_all(&error, "").into_vec();
        let place = Place::of_offset(label, text, *at);
        for diagnostic in &mut found {
            // The import that was made here has no place of its own.
            if let Some(last) = diagnostic.stack.last_mut() {
                *last = format!("in a module imported at {place}");
            }
        }
        Some(found)
    };
    Outline::of(text).imports.iter().filter_map(mistakes_of).flatten().collect()
}
