//! What compiles expressions, with the functions of a script at hand or without.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::module_resolvers::DummyModuleResolver;
use rhai::{Engine, EvalAltResult, Module, Scope};

use super::expression::Expression;
use super::facts::sources_of;
use super::names::Mentioned;
use super::stored::load_stored;
use crate::script::core::Core;
use crate::script::diagnostic::{Diagnostic, Explainer, of_parse_error};
use crate::script::engine::DISABLED;
use crate::script::error::ScriptError;
use crate::script::host::Host;
use crate::script::limits::Limits;
use crate::script::resolver::Resolver;
use crate::script::settings::Settings;
use crate::script::sources::Sources;
use crate::store::{Reader, RunRecord, StoreError};
use crate::study::Metrics;

/// A query that cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("{diagnostic}")]
pub struct QueryError {
    /// What is wrong and where.
    pub diagnostic: Box<Diagnostic>,
    /// The text it points into.
    pub sources: Sources,
}

/// What compiles expressions.
#[derive(Clone)]
pub struct Asker {
    pub(super) engine: Arc<Engine>,
    pub(super) limits: Limits,
    /// The texts of the script whose functions are at hand.
    pub(super) sources: Sources,
}

impl Default for Asker {
    fn default() -> Self {
        let mut engine = Engine::new();
        let limits = Limits::default();
        limits.apply(&mut engine);
        engine.set_module_resolver(DummyModuleResolver::new());
        for symbol in DISABLED {
            engine.disable_symbol(symbol);
        }
        Self { engine: Arc::new(engine), limits, sources: Sources::default() }
    }
}

impl Asker {
    /// With the functions of a script's file at hand.
    ///
    /// # Errors
    /// The script cannot be loaded.
    pub fn of_file(path: &Path, settings: &Settings, data: PathBuf) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::Read { path: path.to_path_buf(), source })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let sources = Sources::default();
        let resolver = Resolver::new(folder, sources.clone());
        let host = Arc::new(Host::new(data, settings.threads()));
        let label = path.display().to_string();
        let (core, _) = Core::load((&label, &text), (resolver, sources), settings, host)?;
        Self::of_core(core)
    }

    /// With the functions of a run's stored script at hand, if some expressions call any of them.
    ///
    /// # Errors
    /// The store fails.
    pub fn of_run(
        reader: &dyn Reader,
        record: &RunRecord,
        data: PathBuf,
        expressions: &[&str],
    ) -> Result<Result<Self, ScriptError>, StoreError> {
        let plain = Self::default();
        let called: BTreeSet<String> = expressions
            .iter()
            .filter_map(|text| plain.engine.compile_expression(text).ok())
            .flat_map(|ast| Mentioned::of(&ast).functions)
            .collect();
        let defines_one = sources_of(reader, record)?
            .is_some_and(|(main, texts)| called.iter().any(|name| defines(&texts[&main], name)));
        if !defines_one {
            return Ok(Ok(plain));
        }
        Ok(match load_stored(reader, record, data)? {
            None => Ok(plain),
            Some(loaded) => loaded.and_then(|(core, _)| Self::of_core(core)),
        })
    }

    fn of_core(mut core: Core) -> Result<Self, ScriptError> {
        let functions = core
            .limits
            .timed(|| Module::eval_ast_as_new(Scope::new(), &core.ast, &core.engine))
            .map_err(|error| core.refuse(core.explain(&error, &core.label, &Metrics::new())))?;
        core.engine.register_global_module(functions.into());
        Ok(Self { engine: Arc::new(core.engine), limits: core.limits, sources: core.sources })
    }

    /// Compiles an expression; messages call its text `label`.
    ///
    /// # Errors
    /// It does not parse.
    pub fn expression(&self, label: &str, text: &str) -> Result<Expression, QueryError> {
        let sources = Sources::default();
        for (label, text) in self.sources.all() {
            sources.put(&label, &text);
        }
        sources.put(label, text);
        match self.engine.compile_expression(text) {
            Ok(ast) => Ok(Expression::new(self.clone(), label, ast, sources)),
            Err(error) => {
                let mut diagnostic = of_parse_error(&error, label, text);
                if text.trim().is_empty() {
                    diagnostic = Diagnostic::new("the expression is empty");
                }
                Err(QueryError { diagnostic: Box::new(diagnostic), sources })
            }
        }
    }

    /// The message of an evaluation that failed, which names the limit that it reached.
    pub(super) fn diagnose(&self, error: &EvalAltResult, label: &str) -> Diagnostic {
        let explainer =
            Explainer { engine: &self.engine, sources: &self.sources, args: &[], metrics: &[] };
        let mut diagnostic = explainer.explain(error, label);
        let mut inner = error;
        while let EvalAltResult::ErrorInFunctionCall(_, _, next, _) = inner {
            inner = next;
        }
        let limit = match inner {
            EvalAltResult::ErrorTooManyOperations(_) => {
                format!("{} operations a trial", self.limits.operations)
            }
            EvalAltResult::ErrorStackOverflow(_) => {
                format!("{} nested calls", self.limits.call_depth)
            }
            EvalAltResult::ErrorDataTooLarge(..) => format!(
                "{} bytes of a string, {} items of an array, {} entries of a map",
                self.limits.string_bytes, self.limits.array_items, self.limits.map_entries
            ),
            EvalAltResult::ErrorTerminated(..) => {
                format!("{} s for a stretch of trials", self.limits.seconds)
            }
            EvalAltResult::ErrorFunctionNotFound(..) => {
                diagnostic.notes.clear();
                diagnostic.help = Some(
                    "the functions of a run's script are at hand where one run is named \
                     (`--run RUN`), or with `--script FILE`"
                        .to_owned(),
                );
                return diagnostic;
            }
            _ => return diagnostic,
        };
        diagnostic.help = Some(format!("the limit of a query is {limit}"));
        diagnostic
    }
}

/// Whether a script seems to define a function, without compiling it.
fn defines(text: &str, name: &str) -> bool {
    text.split("fn ").skip(1).any(|rest| {
        let rest = rest.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}
