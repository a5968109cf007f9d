//! Questions about stored trials: a Rhai expression over a trial's values.

use std::collections::BTreeSet;

use rhai::{AST, Dynamic, Engine, Map, Scope};

use super::diagnostic::Diagnostic;
use super::limits::Limits;
use super::sources::Sources;
use crate::store::{Outcome, Trial};

/// The label of a query in messages.
const LABEL: &str = "query";

/// A query that cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("{diagnostic}")]
pub struct QueryError {
    /// What is wrong and where.
    pub diagnostic: Box<Diagnostic>,
    /// The text it points into.
    pub sources: Sources,
}

/// A compiled expression over trials.
///
/// It sees every metric by its name, and `step`, `phase`, `reward`, `valid`, `failed`, `run` and
/// `point` (a map from part to text). A metric that a trial lacks is `()`.
pub struct Query {
    engine: Engine,
    ast: AST,
    limits: Limits,
    sources: Sources,
}

impl Query {
    /// Compiles an expression.
    ///
    /// # Errors
    /// It does not parse.
    pub fn new(expression: &str) -> Result<Self, QueryError> {
        let mut engine = Engine::new();
        let limits = Limits::default();
        limits.apply(&mut engine);
        engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
        engine.disable_symbol("eval");
        let sources = Sources::default();
        sources.put(LABEL, expression);
        let ast = engine.compile_expression(expression).map_err(|error| QueryError {
            diagnostic: Box::new(Diagnostic::of_parse_error(&error, LABEL)),
            sources: sources.clone(),
        })?;
        Ok(Self { engine, ast, limits, sources })
    }

    /// Says whether the expression holds for a trial of a run.
    ///
    /// `metrics` names every metric of the run, so that one that the trial lacks is `()`.
    ///
    /// # Errors
    /// The expression fails or gives something else than true or false.
    pub fn holds(
        &self,
        run: &str,
        phase: &str,
        trial: &Trial,
        metrics: &BTreeSet<String>,
    ) -> Result<bool, QueryError> {
        let mut scope = Scope::new();
        for name in metrics {
            scope.push_dynamic(
                name.as_str(),
                trial.outcome.metric(name).map_or(Dynamic::UNIT, Dynamic::from),
            );
        }
        let (reward, valid, failed) = match &trial.outcome {
            Outcome::Done { reward, valid, .. } => (Dynamic::from(*reward), *valid, false),
            Outcome::Failed { .. } => (Dynamic::UNIT, false, true),
        };
        let point: Map =
            trial.text.iter().map(|(part, text)| (part.as_str().into(), text.into())).collect();
        scope.push_dynamic("step", Dynamic::from(i64::try_from(trial.step).unwrap_or(i64::MAX)));
        scope.push("phase", phase.to_owned());
        scope.push_dynamic("reward", reward);
        scope.push("valid", valid);
        scope.push("failed", failed);
        scope.push("run", run.to_owned());
        scope.push("point", point);
        let value = self
            .limits
            .timed(|| self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast))
            .map_err(|error| self.refuse(Diagnostic::of_error(&error, LABEL)))?;
        value.as_bool().map_err(|kind| {
            let message = format!("the query gives {kind}, not true or false");
            let help = "write a condition, for example `accuracy > 0.7 && latency_ms < 10`";
            self.refuse(Diagnostic::new(message).with_help(help))
        })
    }

    fn refuse(&self, diagnostic: Diagnostic) -> QueryError {
        QueryError { diagnostic: Box::new(diagnostic), sources: self.sources.clone() }
    }
}
