//! A compiled script: its engine, its functions and the calls of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::serde::to_dynamic;
use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, Module, Scope};

use super::contract::{SELF, contract};
use super::diagnostic::{Diagnostic, Place};
use super::engine::engine;
use super::error::ScriptError;
use super::host::Host;
use super::limits::Limits;
use super::modules::{Closure, PhaseReward, reward_of};
use super::resolver::Resolver;
use super::settings::Settings;
use super::sources::Sources;
use crate::pareto::{Weighted, Worth};
use crate::study::{Failure, Metrics, Reward};

/// Messages that are kept in full for the end of a run.
const KEPT_MESSAGES: usize = 64;

/// What every call needs, shared by the phases' rewards.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) ast: AST,
    /// For each function of the contract that the script defines, a call of it.
    pub(super) calls: BTreeMap<&'static str, AST>,
    /// What `reward()` without a parameter gives.
    pub(super) declared: Option<Arc<Weighted>>,
    pub(super) label: String,
    pub(super) sources: Sources,
    pub(super) limits: Limits,
    pub(super) host: Arc<Host>,
    pub(super) messages: Mutex<BTreeMap<String, Diagnostic>>,
}

impl Core {
    /// Compiles a script, gives it its arguments and makes its functions callable; `label` is what
    /// messages call its text. The values of the arguments come with it.
    pub(super) fn load(
        (label, text): (&str, &str),
        (resolver, sources): (Resolver, Sources),
        settings: &Settings,
        host: Arc<Host>,
    ) -> Result<(Self, BTreeMap<String, Dynamic>), ScriptError> {
        sources.put(label, text);
        let engine = engine(resolver, &host, &settings.limits);
        let refuse = |diagnostic: Diagnostic| ScriptError::Script {
            diagnostic: Box::new(diagnostic),
            sources: sources.clone(),
        };
        let mut ast = engine
            .compile(text)
            .map_err(|error| refuse(Diagnostic::of_parse_error(&error, label)))?;
        ast.set_source(label);
        let calls = contract(&engine, &ast, text).map_err(&refuse)?;
        let mut core = Self {
            engine,
            ast,
            calls,
            declared: None,
            label: label.to_owned(),
            sources: sources.clone(),
            limits: settings.limits,
            host,
            messages: Mutex::default(),
        };
        let args = core.bind_args(settings)?;
        core.bind_self(&core.ast.clone())?;
        core.bind_declared_reward()?;
        Ok((core, args))
    }

    pub(super) fn refuse(&self, diagnostic: Diagnostic) -> ScriptError {
        let diagnostic = Box::new(diagnostic);
        ScriptError::Script { diagnostic, sources: self.sources.clone() }
    }

    /// Where the script writes a text literally, if it does so once.
    pub(super) fn place_of(&self, text: &str) -> Option<Place> {
        let source = self.sources.get(&self.label)?;
        let quoted = format!("\"{text}\"");
        let mut found = source.match_indices(&quoted);
        let (at, _) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        let before = &source[..at];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        Some(Place { label: self.label.clone(), line, column })
    }

    pub(super) fn defines(&self, function: &str) -> bool {
        self.calls.contains_key(function)
    }

    pub(super) fn call(
        &self,
        function: &'static str,
        argument: Dynamic,
    ) -> Result<Dynamic, Diagnostic> {
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

    /// Calls a phase's screen with a point.
    pub(super) fn screen(&self, screen: &Closure, point: Dynamic) -> Result<Dynamic, Failure> {
        self.limits
            .timed(|| screen.call(&self.engine, point))
            .map_err(|error| self.failure(Diagnostic::of_error(&error, &self.label)))
    }

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
