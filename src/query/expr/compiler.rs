//! The compiler of expressions, with or without the functions of a script.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rhai::{Engine, EvalAltResult};

use super::names::Mentioned;
use super::sources::sources_of;
use super::stored_script::load_stored;
use crate::script::{
    Compiled, Diagnostic, Explainer, Limits, Resolver, ScriptError, Services, Settings, Sources,
    plain, read_text,
};
use crate::store::{Reader, RunRecord, StoreError};

/// A compiler of expressions.
#[derive(Clone)]
pub struct ExpressionCompiler {
    pub(super) engine: Arc<Engine>,
    pub(super) limits: Limits,
    /// The texts of the script whose functions expressions can call.
    pub(super) sources: Sources,
    /// The nanoseconds that expressions have taken so far, on all threads.
    pub(super) spent: Arc<AtomicU64>,
}

impl Default for ExpressionCompiler {
    fn default() -> Self {
        Self::of_language(&Limits::default())
    }
}

impl ExpressionCompiler {
    /// Creates a compiler with the functions of the language alone.
    pub fn of_language(limits: &Limits) -> Self {
        Self {
            engine: Arc::new(plain(limits)),
            limits: *limits,
            sources: Sources::default(),
            spent: Arc::default(),
        }
    }

    /// Creates a compiler with the functions of a script's file.
    ///
    /// # Errors
    /// The script cannot be loaded.
    pub fn of_file(path: &Path, settings: &Settings, data: PathBuf) -> Result<Self, ScriptError> {
        let text = read_text(path)
            .map_err(|source| ScriptError::Read { path: path.to_path_buf(), source })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let sources = Sources::default();
        let label = path.display().to_string();
        let resolver = Resolver::new(folder, &label, sources.clone());
        let services = Arc::new(Services::new(data, settings.threads()));
        let (compiled, _) =
            Compiled::load((&label, &text), (resolver, sources), settings, services)?;
        Ok(Self::of_core(compiled))
    }

    /// Creates a compiler with the functions of a run's stored script, if some of the expressions call any of
    /// them. `set` changes the run's settings, like [`Settings::set`].
    ///
    /// # Errors
    /// The store fails. The inner error is that of the settings or of the script.
    pub fn of_run(
        reader: &dyn Reader,
        record: &RunRecord,
        data: PathBuf,
        expressions: &[&str],
        set: &[String],
    ) -> Result<Result<Self, ScriptError>, StoreError> {
        let plain = match Settings::default().with(set) {
            Ok(settings) => Self::of_language(&settings.limits),
            Err(error) => return Ok(Err(error.into())),
        };
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
        Ok(match load_stored(reader, record, data, set)? {
            None => Ok(plain),
            Some(loaded) => loaded.map(|(compiled, _)| Self::of_core(compiled)),
        })
    }

    fn of_core(compiled: Compiled) -> Self {
        let (engine, limits, sources) = compiled.into_engine();
        Self { engine: Arc::new(engine), limits, sources, spent: Arc::default() }
    }

    /// Runs evaluations within the remaining time of the whole query. That is the time of expressions on all
    /// threads; reading the store does not count.
    pub(super) fn share<T>(
        &self,
        evaluate: impl FnOnce() -> Result<T, Box<EvalAltResult>>,
    ) -> Result<T, Box<EvalAltResult>> {
        let started = Instant::now();
        let left = self.limits.time().map(|all| {
            all.saturating_sub(Duration::from_nanos(self.spent.load(Ordering::Relaxed)))
        });
        let result = self.limits.within(left, evaluate);
        let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(took, Ordering::Relaxed);
        result
    }

    /// Explains a failed evaluation, and names the limit if it reached one.
    pub(super) fn diagnose(&self, error: &EvalAltResult, label: &str) -> Diagnostic {
        let mut diagnostic = Explainer::new(&self.engine, &self.sources).explain(error, label);
        let mut inner = error;
        while let EvalAltResult::ErrorInFunctionCall(_, _, next, _) = inner {
            inner = next;
        }
        match inner {
            EvalAltResult::ErrorFunctionNotFound(..) => {
                diagnostic.notes = Box::default();
                diagnostic.help = Some(
                    "the functions of a run's script are at hand where one run is named \
                     (`--run RUN`), or with `--script FILE`"
                        .to_owned(),
                );
            }
            EvalAltResult::ErrorTerminated(..) => {
                diagnostic.message = format!("the query is too much: {}", diagnostic.message);
            }
            _ => {}
        }
        diagnostic
    }
}

/// Returns true if the text of a script seems to define a function; it is not compiled.
fn defines(text: &str, name: &str) -> bool {
    text.split("fn ").skip(1).any(|rest| {
        let rest = rest.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}
