//! Expressions over the values of a trial.

use std::collections::BTreeSet;

use rhai::{AST, Dynamic, Expr, ImmutableString, Position, Scope, Stmt};

use super::column::ColumnSource;
use super::columnar::Condition;
use super::compiler::ExpressionCompiler;
use super::error::QueryError;
use super::input::{BUILT_IN, Input};
use super::names::Mentioned;
use super::run_context::RunContext;
use crate::script::{Diagnostic, Sources, again, of_parse_error, shallow};
use crate::store::TrialBlock;
use crate::util::suggest::nearest;

/// The names in some runs that an expression may mention beside the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownNames {
    /// The metrics.
    pub metrics: BTreeSet<String>,
    /// The parts of points.
    pub parts: BTreeSet<String>,
    /// The arguments of the runs' scripts.
    pub args: BTreeSet<String>,
}

impl KnownNames {
    /// Adds the metrics and parts of a block.
    pub fn add(&mut self, block: &TrialBlock) {
        let add = |names: &mut BTreeSet<String>, more: &[String]| {
            for name in more {
                if !names.contains(name) {
                    names.insert(name.clone());
                }
            }
        };
        add(&mut self.metrics, block.metrics());
        add(&mut self.parts, block.parts());
    }

    /// Adds the arguments of a run.
    pub fn add_facts(&mut self, context: &RunContext) {
        self.args.extend(context.arguments());
    }
}

/// A compiled expression.
pub struct Expression {
    compiler: ExpressionCompiler,
    ast: AST,
    label: String,
    mentioned: Mentioned,
    sources: Sources,
}

impl ExpressionCompiler {
    /// Compiles an expression; messages call its text `label`.
    ///
    /// # Errors
    /// The text does not parse.
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
}

impl Expression {
    fn new(compiler: ExpressionCompiler, label: &str, ast: AST, sources: Sources) -> Self {
        let mentioned = Mentioned::of(&ast);
        Self { compiler, ast, label: label.to_owned(), mentioned, sources }
    }

    /// Returns true if the expression mentions a variable.
    pub fn mentions(&self, name: &str) -> bool {
        self.mentioned.variables.contains_key(name)
    }

    /// Returns true if all names that it mentions are known.
    pub fn is_known(&self, known: &KnownNames) -> bool {
        self.unknown(known).is_none()
    }

    /// Binds the expression to runs with the given names.
    ///
    /// # Errors
    /// It mentions an unknown name.
    pub fn bind(self, known: &KnownNames) -> Result<BoundExpression, QueryError> {
        if let Some(diagnostic) = self.unknown(known) {
            return Err(self.refuse(diagnostic));
        }
        let input = |name: &String| match BUILT_IN.iter().find(|(own, _)| own == name) {
            Some((_, Input::Point(_))) => {
                let parts = self.mentioned.entries(name);
                Input::Point(parts.map(|parts| parts.keys().cloned().collect()))
            }
            Some((_, input)) => input.clone(),
            None if known.metrics.contains(name) => Input::Metric(name.clone()),
            None => Input::Part(name.clone()),
        };
        let inputs: Vec<(ImmutableString, Input)> =
            self.mentioned.variables.keys().map(|name| (name.into(), input(name))).collect();
        let of = |name: &str| inputs.iter().find(|(own, _)| own == name).map(|(_, input)| input);
        let (condition, direct) = match self.ast.statements() {
            // The optimizer makes a call of an expression that is one.
            [Stmt::FnCall(call, _)] => (Condition::of_call(call, &of), None),
            [Stmt::Expr(whole)] => {
                let direct = match whole.as_ref() {
                    Expr::Variable(variable, ..) if variable.2.is_empty() => {
                        of(&variable.1).cloned()
                    }
                    _ => None,
                };
                (Condition::of(whole, &of), direct)
            }
            _ => (None, None),
        };
        Ok(BoundExpression { expression: self, inputs, condition, direct })
    }

    /// The diagnostic of the first unknown name; `None` if all are known.
    fn unknown(&self, known: &KnownNames) -> Option<Diagnostic> {
        let built_in = || BUILT_IN.iter().map(|(name, _)| *name);
        let mut wrong: Vec<(Position, String, Vec<&str>)> = Vec::new();
        for (name, &position) in &self.mentioned.variables {
            let is_known = built_in().any(|own| own == name)
                || known.metrics.contains(name)
                || known.parts.contains(name);
            if !is_known {
                let names = known.metrics.iter().map(String::as_str).chain(built_in());
                let message = format!("there is no variable `{name}`");
                wrong.push((position, message, best(name, names)));
            }
        }
        let maps = [
            ("point", "the points have no part", &known.parts),
            ("m", "the trials have no metric", &known.metrics),
            ("args", "the runs have no argument", &known.args),
        ];
        for (map, what, names) in maps {
            for (name, &position) in self.mentioned.entries(map).into_iter().flatten() {
                if !names.contains(name) {
                    let message = format!("{what} `{name}`");
                    wrong.push((position, message, best(name, names.iter().map(String::as_str))));
                }
            }
        }
        let (position, message, names) = wrong
            .into_iter()
            .min_by_key(|(position, ..)| (position.line(), position.position()))?;
        let diagnostic = Diagnostic::new(message).at(position, &self.label);
        Some(match names.as_slice() {
            [] => diagnostic,
            [nearest] => diagnostic.with_help(format!("is `{nearest}` meant?")),
            names => diagnostic.with_help(format!("there are {}", names.join(", "))),
        })
    }

    fn refuse(&self, diagnostic: Diagnostic) -> QueryError {
        QueryError { diagnostic: Box::new(diagnostic), sources: self.sources.clone() }
    }
}

/// The closest known name to an unknown one, or all names if none is close.
fn best<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let names: Vec<&str> = names.collect();
    let near = nearest(name, names.iter().copied()).first().copied();
    near.map_or(names, |near| vec![near])
}

/// An expression that is bound to the names of some runs.
pub struct BoundExpression {
    expression: Expression,
    inputs: Vec<(ImmutableString, Input)>,
    condition: Option<Condition>,
    /// The variable, if the expression consists of it alone.
    direct: Option<Input>,
}

impl BoundExpression {
    /// Evaluates the condition for each trial of a block.
    ///
    /// # Errors
    /// It fails for a trial, or its value is neither true nor false.
    pub fn holds(&self, context: &RunContext, block: &TrialBlock) -> Result<Vec<bool>, QueryError> {
        match &self.condition {
            Some(condition) => Ok(condition.holds(context, block)),
            None => self.holds_by_script(context, block),
        }
    }

    /// Evaluates the condition like [`Self::holds`], but always with the interpreter.
    pub(super) fn holds_by_script(
        &self,
        context: &RunContext,
        block: &TrialBlock,
    ) -> Result<Vec<bool>, QueryError> {
        let mut holds = Vec::with_capacity(block.len());
        self.each(context, block, 0..block.len(), |value| {
            holds.push(value.as_bool().map_err(|kind| {
                let message = format!("the query gives {}, not true or false", plain(kind));
                let help = "write a condition, for example `accuracy > 0.7 && latency_ms < 10`";
                Diagnostic::new(message)
                    .at(Position::new(1, 1), &self.expression.label)
                    .with_help(help)
            })?);
            Ok(())
        })?;
        Ok(holds)
    }

    /// Evaluates the expression for some trials of a block, given by their indices.
    ///
    /// # Errors
    /// It fails for one of them.
    pub fn values(
        &self,
        context: &RunContext,
        block: &TrialBlock,
        places: &[usize],
    ) -> Result<Vec<Dynamic>, QueryError> {
        let mut values = Vec::with_capacity(places.len());
        if let Some(input) = &self.direct {
            let column = ColumnSource::of(input, context, block);
            values.extend(places.iter().map(|&at| column.value(context, block, at)));
            return Ok(values);
        }
        self.each(context, block, places.iter().copied(), |value| {
            values.push(value);
            Ok(())
        })?;
        Ok(values)
    }

    /// Returns true if [`Self::holds`] reads the columns, without the interpreter.
    pub const fn is_native(&self) -> bool {
        self.condition.is_some()
    }

    /// Creates an error about the expression, at its beginning.
    pub fn refuse(&self, message: impl Into<String>) -> QueryError {
        let diagnostic = Diagnostic::new(message).at(Position::new(1, 1), &self.expression.label);
        self.expression.refuse(diagnostic)
    }

    fn each(
        &self,
        context: &RunContext,
        block: &TrialBlock,
        places: impl Iterator<Item = usize>,
        mut take: impl FnMut(Dynamic) -> Result<(), Diagnostic>,
    ) -> Result<(), QueryError> {
        let Expression { compiler, ast, label, .. } = &self.expression;
        let columns: Vec<(&str, ColumnSource<'_>)> = self
            .inputs
            .iter()
            .map(|(name, input)| (name.as_str(), ColumnSource::of(input, context, block)))
            .collect();
        let mut scope = Scope::new();
        for (name, _) in &columns {
            scope.push_dynamic(*name, Dynamic::UNIT);
        }
        let mut refused = None;
        let answer = compiler.share(|| {
            for at in places {
                again(&compiler.limits);
                for (name, column) in &columns {
                    if let Some(slot) = scope.get_mut(name) {
                        *slot = column.value(context, block, at);
                    }
                }
                let value = compiler.engine.eval_ast_with_scope::<Dynamic>(&mut scope, ast)?;
                let value = shallow("the expression gives", value)?;
                if let Err(diagnostic) = take(value) {
                    refused = Some(diagnostic);
                    break;
                }
            }
            Ok(())
        });
        let answer = answer.map_err(|error| compiler.diagnose(&error, label));
        let answer = answer.and_then(|()| refused.map_or(Ok(()), Err));
        answer.map_err(|diagnostic| self.expression.refuse(diagnostic))
    }
}

/// The name of a type of values in messages.
fn plain(kind: &str) -> &str {
    match kind {
        "f64" | "i64" => "a number",
        "string" => "a text",
        "()" => "nothing",
        "map" => "a map",
        "array" => "an array",
        other => other,
    }
}
