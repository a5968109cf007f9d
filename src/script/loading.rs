//! Loading of scripts: compilation, arguments, and functions made callable.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rhai::{AST, Dynamic, Engine, EvalAltResult, Map};

use super::compiled::Compiled;
use super::contract::check::{bind_args, contract};
use super::contract::missing_keys::MissingKeys;
use super::diagnostic::{Diagnostic, Diagnostics, Explainer, Import, Outline, Place, compile};
use super::engine::engine;
use super::error::ScriptError;
use super::functions::ScriptFunctions;
use super::resolver::Resolver;
use super::review::shadowing::refuse_hidden;
use super::sandbox::limit_error::LimitReached;
use super::sandbox::limits::Limits;
use super::services::Services;
use super::settings::{Settings, given_argument, refuse_foreign};
use super::sources::Sources;
use crate::metrics::Metrics;
use crate::pareto::Weighted;

impl Compiled {
    /// Compiles a script, binds its arguments and makes its functions callable.
    ///
    /// Returns it with the values of its arguments; `label` names its text in messages.
    pub(crate) fn load(
        (label, text): (&str, &str),
        (resolver, sources): (Resolver, Sources),
        settings: &Settings,
        services: Arc<Services>,
    ) -> Result<(Self, BTreeMap<String, Dynamic>), ScriptError> {
        sources.put(label, text);
        let engine = engine(resolver, &services, &settings.limits);
        let refuse = |diagnostics| ScriptError::Script { diagnostics, sources: sources.clone() };
        let mut ast = compile(&engine, label, text).map_err(|found| {
            let error = engine.compile(text).err();
            let reached =
                error.as_ref().and_then(|e| LimitReached::of_parse_error(&settings.limits, e));
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
        let mut compiled = Self {
            own: ScriptFunctions::none(&engine),
            engine,
            ast,
            defined,
            declared: None,
            label: label.to_owned(),
            sources: sources.clone(),
            limits: settings.limits,
            services,
            args: BTreeMap::new(),
            tracer: OnceLock::new(),
            witnesses: MissingKeys::default(),
        };
        let args = compiled.bind_args(settings)?;
        compiled.bind_functions(&compiled.ast.clone())?;
        compiled.bind_declared_reward()?;
        Ok((compiled, args))
    }

    /// Makes the script's functions callable.
    fn bind_functions(&mut self, ast: &AST) -> Result<(), ScriptError> {
        self.own = ScriptFunctions::new(&self.engine, &self.limits, ast).map_err(|error| {
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

    /// Reads the objective that `reward()` without a parameter returns.
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

    /// Reads the arguments that the script declares, applies the settings to them and binds them as
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

/// Returns true if an error is a parse error, of the script or of an imported module.
fn is_parse_error(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInModule(_, inner, _)
        | EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => is_parse_error(inner),
        EvalAltResult::ErrorParsing(..) => true,
        _ => false,
    }
}

/// Returns the parse errors of all modules that a script imports.
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
