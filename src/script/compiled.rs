//! A compiled script: its engine, its functions and calls of them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rhai::{AST, Dynamic, Engine, EvalAltResult};

use super::contract::check::undefined;
use super::contract::missing_keys::MissingKeys;
use super::diagnostic::replay::Original;
use super::diagnostic::{
    Diagnostic, Diagnostics, Explainer, Outline, Place, a_type, definition, meant_or_known,
    type_name,
};
use super::error::ScriptError;
use super::functions::ScriptFunctions;
use super::metric_map::script_map;
use super::modules::{Closure, PhaseReward, reward_of};
use super::sandbox::limit_location::Tracer;
use super::sandbox::limits::Limits;
use super::services::Services;
use super::sources::Sources;
use crate::metrics::{Metrics, unit_hint};
use crate::pareto::{MissingMetric, Weighted, Worth};
use crate::run::{Failure, Reward};

/// A compiled script with everything that its calls need; the rewards of phases share it.
pub(crate) struct Compiled {
    pub(super) engine: Engine,
    pub(super) ast: AST,
    pub(super) own: ScriptFunctions,
    /// The functions of the contract that the script defines.
    pub(super) defined: BTreeSet<&'static str>,
    /// The objective that `reward()` without a parameter returns.
    pub(super) declared: Option<Arc<Weighted>>,
    pub(super) label: String,
    pub(super) sources: Sources,
    pub(super) limits: Limits,
    pub(super) services: Arc<Services>,
    /// The values of the script's arguments, by name.
    pub(super) args: BTreeMap<String, Dynamic>,
    /// The tracer that locates limits, made when one is first reached; `None` if the script cannot be traced.
    pub(super) tracer: OnceLock<Option<Tracer>>,
    /// The witnesses that list the entries of maps in which one was missing.
    pub(super) witnesses: MissingKeys,
}

impl Compiled {
    pub(super) fn refuse(&self, diagnostics: impl Into<Diagnostics>) -> ScriptError {
        ScriptError::Script { diagnostics: diagnostics.into(), sources: self.sources.clone() }
    }

    /// Returns the place of a quoted text in the script, if it is written there exactly once.
    pub(super) fn place_of(&self, text: &str) -> Option<Place> {
        let source = self.sources.get(&self.label)?;
        let quoted = format!("\"{text}\"");
        let mut found = source.match_indices(&quoted);
        let (at, _) = found.next()?;
        found.next().is_none().then(|| Place::of_offset(&self.label, &source, at))
    }

    /// Returns the place of a function's definition in the script.
    pub(super) fn definition(&self, function: &str) -> Option<Place> {
        definition(&self.label, &self.sources.get(&self.label)?, function)
    }

    /// Returns the place where a function names a map entry or text, else the place of its definition.
    pub(super) fn mention(&self, function: &str, name: &str) -> Option<Place> {
        self.mentioned(function, name).or_else(|| self.definition(function))
    }

    /// Returns the place where a function of the script names a map entry or text.
    pub(super) fn mentioned(&self, function: &str, name: &str) -> Option<Place> {
        let source = self.sources.get(&self.label)?;
        let outline = Outline::of(&source);
        let known = outline.functions.iter().find(|known| known.name == function)?;
        let at = outline.mention(known, name)?;
        Some(Place::of_offset(&self.label, &source, at))
    }

    /// Returns the message about a function that returned a value of a wrong type.
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

    /// Returns the type of a value in the words of messages, with its article, such as "a map".
    pub(super) fn kind_of(&self, value: &Dynamic) -> String {
        self.kind(value.type_name())
    }

    /// Returns a type of the engine in the words of messages, with its article.
    pub(super) fn kind(&self, name: &str) -> String {
        a_type(type_name(self.engine.map_type_name(name)))
    }

    pub(super) fn defines(&self, function: &str) -> bool {
        self.defined.contains(function)
    }

    /// Calls a function of the contract; `again` makes its argument again where the message of a failed call
    /// needs to repeat the call.
    pub(super) fn call(
        &self,
        function: &'static str,
        argument: Dynamic,
        again: impl FnOnce() -> Dynamic,
    ) -> Result<Dynamic, Diagnostic> {
        self.call_with(function, argument, again, &Metrics::new())
    }

    /// Calls a function of the contract that takes no argument.
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

    /// Returns the message of a call that failed.
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

    /// Returns the engine, with the script's functions registered globally, the limits and the texts.
    pub(crate) fn into_engine(self) -> (Engine, Limits, Sources) {
        let Self { mut engine, own, limits, sources, .. } = self;
        own.register(&mut engine);
        (engine, limits, sources)
    }

    /// Writes into a message the place at which a call reached a limit.
    fn trace(&self, function: &str, argument: Dynamic, diagnostic: &mut Diagnostic) {
        if let Some(tracer) = self.tracer.get_or_init(|| Tracer::new(self.original())) {
            tracer.trace(function, argument, diagnostic);
        }
    }

    const fn original(&self) -> Original<'_> {
        let Self { sources, label, args, services, limits, .. } = self;
        Original { sources, label: label.as_str(), args, services, limits }
    }

    /// Returns the message of an evaluation error that started in the text of a label.
    pub(super) fn explain(
        &self,
        error: &EvalAltResult,
        label: &str,
        metrics: &Metrics,
    ) -> Diagnostic {
        self.explaining(metrics, |explainer| explainer.explain(error, label))
    }

    /// Asks an explainer that knows the arguments, and the metrics of the failing function.
    pub(super) fn explaining<T>(
        &self,
        metrics: &Metrics,
        ask: impl FnOnce(Explainer<'_>) -> T,
    ) -> T {
        let args: Vec<String> = self.args.keys().cloned().collect();
        let metrics: Vec<String> = metrics.keys().cloned().collect();
        let known = Explainer::new(&self.engine, &self.sources);
        ask(Explainer { args: &args, metrics: &metrics, ..known })
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
                Err(MissingMetric(metric)) => {
                    let function = if own.is_some() { "schedule" } else { "reward" };
                    let place = self.mention(function, &metric);
                    Err(Failure::of(missing("the objective", &metric, metrics).in_place(place)))
                }
            };
        }
        let map = || script_map(metrics);
        let value = match own {
            Some(PhaseReward::Function(function)) => self.call_closure(function, map(), metrics)?,
            _ => self.call_with("reward", map(), map, metrics).map_err(Failure::of)?,
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
                Err(Failure::of(diagnostic.with_help(help).in_place(place())))
            }
            Some(reward) => Ok(reward),
            None => {
                let kind = self.kind_of(&value);
                let diagnostic = Diagnostic::new(format!("the reward is {kind}, not a number"));
                let help = "return a number, or `reject(number)` for a pair that misses a limit";
                Err(Failure::of(diagnostic.with_help(help).in_place(place())))
            }
        }
    }

    /// Calls a phase's screen with a point.
    pub(super) fn screen(&self, screen: &Closure, point: Dynamic) -> Result<Dynamic, Failure> {
        self.call_closure(screen, point, &Metrics::new())
    }

    /// Calls a function that was given to a phase.
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
            Failure::of(diagnostic)
        })
    }
}

/// Returns the message about a metric that `what` needs and that trials do not have.
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
