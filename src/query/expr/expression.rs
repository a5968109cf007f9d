//! Expressions over the values of a trial.

use std::collections::BTreeSet;

use rhai::{AST, Dynamic, Expr, ImmutableString, Map, Position, Scope, Stmt};

use super::columnar::Condition;
use super::compiler::{Asker, QueryError};
use super::names::Mentioned;
use super::run_context::Facts;
use crate::script::{Diagnostic, Sources, again, shallow};
use crate::store::Stretch;

/// Names that are more alike than this are suggested.
const SIMILAR: f64 = 0.75;

/// What an expression may see of a trial beside metrics and parts.
static BUILT_IN: [(&str, Input); 16] = [
    ("step", Input::Step),
    ("phase", Input::Phase),
    ("reward", Input::Reward),
    ("valid", Input::Valid),
    ("failed", Input::Failed),
    ("reason", Input::Reason),
    ("run", Input::Run),
    ("point", Input::Point(None)),
    ("m", Input::Metrics),
    ("duration_s", Input::Duration),
    ("from_cache", Input::FromCache),
    ("on_frontier", Input::OnFrontier),
    ("args", Input::Args),
    ("seed", Input::Seed),
    ("file", Input::File),
    ("settings", Input::Settings),
];

/// What there is in some runs: the names that an expression may mention beside those that are always
/// there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The metrics.
    pub metrics: BTreeSet<String>,
    /// The parts of points.
    pub parts: BTreeSet<String>,
    /// The arguments of the runs' scripts.
    pub args: BTreeSet<String>,
}

impl Known {
    /// Adds what a stretch has.
    pub fn add(&mut self, stretch: &Stretch) {
        let add = |names: &mut BTreeSet<String>, more: &[String]| {
            for name in more {
                if !names.contains(name) {
                    names.insert(name.clone());
                }
            }
        };
        add(&mut self.metrics, stretch.metrics());
        add(&mut self.parts, stretch.parts());
    }

    /// Adds what facts have.
    pub fn add_facts(&mut self, facts: &Facts) {
        self.args.extend(facts.arguments());
    }
}

/// What a variable stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Step,
    Phase,
    Reward,
    Valid,
    Failed,
    Reason,
    Run,
    /// The texts of the parts, or of some of them.
    Point(Option<Vec<String>>),
    Metrics,
    Duration,
    FromCache,
    OnFrontier,
    Args,
    Seed,
    File,
    Settings,
    Metric(String),
    Part(String),
}

/// A compiled expression.
pub struct Expression {
    asker: Asker,
    ast: AST,
    label: String,
    mentioned: Mentioned,
    sources: Sources,
}

impl Expression {
    pub(super) fn new(asker: Asker, label: &str, ast: AST, sources: Sources) -> Self {
        let mentioned = Mentioned::of(&ast);
        Self { asker, ast, label: label.to_owned(), mentioned, sources }
    }

    /// Whether a variable is mentioned.
    pub fn mentions(&self, name: &str) -> bool {
        self.mentioned.variables.contains_key(name)
    }

    /// Whether every name it mentions is known.
    pub fn is_known(&self, known: &Known) -> bool {
        self.unknown(known).is_none()
    }

    /// Makes it ready for runs with the given names.
    ///
    /// # Errors
    /// It mentions a name that there is not.
    pub fn bind(self, known: &Known) -> Result<Bound, QueryError> {
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
            // The optimiser makes a call of an expression that is one.
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
        Ok(Bound { expression: self, inputs, condition, direct })
    }

    /// What is wrong with the first name that there is not.
    fn unknown(&self, known: &Known) -> Option<Diagnostic> {
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

/// The name that is most like another, or all names if none is like it.
fn best<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let names: Vec<&str> = names.collect();
    let mut nearest: Option<(f64, &str)> = None;
    for known in &names {
        let likeness = strsim::jaro_winkler(name, known);
        if likeness >= SIMILAR && nearest.is_none_or(|(most, _)| likeness > most) {
            nearest = Some((likeness, known));
        }
    }
    nearest.map_or(names, |(_, nearest)| vec![nearest])
}

/// An expression that is ready for the trials of some runs.
pub struct Bound {
    expression: Expression,
    inputs: Vec<(ImmutableString, Input)>,
    condition: Option<Condition>,
    /// The variable that is the whole expression.
    direct: Option<Input>,
}

impl Bound {
    /// For each trial of a stretch, whether the expression holds.
    ///
    /// # Errors
    /// It fails for a trial, or gives something else than true or false.
    pub fn holds(&self, facts: &Facts, stretch: &Stretch) -> Result<Vec<bool>, QueryError> {
        match &self.condition {
            Some(condition) => Ok(condition.holds(facts, stretch)),
            None => self.holds_by_script(facts, stretch),
        }
    }

    /// As [`Self::holds`], by the interpreter whatever the expression.
    pub(super) fn holds_by_script(
        &self,
        facts: &Facts,
        stretch: &Stretch,
    ) -> Result<Vec<bool>, QueryError> {
        let mut holds = Vec::with_capacity(stretch.len());
        self.each(facts, stretch, 0..stretch.len(), |value| {
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

    /// The values of the expression for some trials of a stretch.
    ///
    /// # Errors
    /// It fails for one of them.
    pub fn values(
        &self,
        facts: &Facts,
        stretch: &Stretch,
        places: &[usize],
    ) -> Result<Vec<Dynamic>, QueryError> {
        let mut values = Vec::with_capacity(places.len());
        if let Some(input) = &self.direct {
            let column = Column::of(input, facts, stretch);
            values.extend(places.iter().map(|&at| column.value(facts, stretch, at)));
            return Ok(values);
        }
        self.each(facts, stretch, places.iter().copied(), |value| {
            values.push(value);
            Ok(())
        })?;
        Ok(values)
    }

    /// Whether it is answered from the columns, without the interpreter.
    pub const fn is_native(&self) -> bool {
        self.condition.is_some()
    }

    /// A message about the expression, with its beginning as the place.
    pub fn refuse(&self, message: impl Into<String>) -> QueryError {
        let diagnostic = Diagnostic::new(message).at(Position::new(1, 1), &self.expression.label);
        self.expression.refuse(diagnostic)
    }

    fn each(
        &self,
        facts: &Facts,
        stretch: &Stretch,
        places: impl Iterator<Item = usize>,
        mut take: impl FnMut(Dynamic) -> Result<(), Diagnostic>,
    ) -> Result<(), QueryError> {
        let Expression { asker, ast, label, .. } = &self.expression;
        let columns: Vec<(&str, Column<'_>)> = self
            .inputs
            .iter()
            .map(|(name, input)| (name.as_str(), Column::of(input, facts, stretch)))
            .collect();
        let mut scope = Scope::new();
        for (name, _) in &columns {
            scope.push_dynamic(*name, Dynamic::UNIT);
        }
        let mut refused = None;
        let answer = asker.share(|| {
            for at in places {
                again(&asker.limits);
                for (name, column) in &columns {
                    if let Some(slot) = scope.get_mut(name) {
                        *slot = column.value(facts, stretch, at);
                    }
                }
                let value = asker.engine.eval_ast_with_scope::<Dynamic>(&mut scope, ast)?;
                let value = shallow("the expression gives", value)?;
                if let Err(diagnostic) = take(value) {
                    refused = Some(diagnostic);
                    break;
                }
            }
            Ok(())
        });
        let answer = answer.map_err(|error| asker.diagnose(&error, label));
        let answer = answer.and_then(|()| refused.map_or(Ok(()), Err));
        answer.map_err(|diagnostic| self.expression.refuse(diagnostic))
    }
}

/// A kind of value as people know it.
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

/// Where the values of a variable are in a stretch.
enum Column<'s> {
    Constant(Dynamic),
    Values(&'s [f64]),
    /// A text by its place among the parts.
    Text(Option<usize>),
    /// Texts by their places, and whether a trial that lacks one has `()` in its place.
    Texts(Vec<(&'s str, Option<usize>)>, bool),
    Of(&'s Input),
}

impl<'s> Column<'s> {
    fn of(input: &'s Input, facts: &Facts, stretch: &'s Stretch) -> Self {
        let part = |name: &str| stretch.part(name);
        match input {
            Input::Metric(name) => match stretch.values(name) {
                Some(values) => Self::Values(values),
                None => Self::Constant(Dynamic::UNIT),
            },
            Input::Part(name) => Self::Text(part(name)),
            Input::Point(Some(parts)) => {
                Self::Texts(parts.iter().map(|name| (name.as_str(), part(name))).collect(), true)
            }
            Input::Point(None) => Self::Texts(
                stretch.parts().iter().enumerate().map(|(at, p)| (p.as_str(), Some(at))).collect(),
                false,
            ),
            Input::Run => Self::Constant(facts.name.clone().into()),
            Input::Args => Self::Constant(facts.args.clone()),
            Input::Seed => Self::Constant(int(facts.record.seed)),
            Input::File => Self::Constant(facts.record.file.clone().into()),
            Input::Settings => Self::Constant(facts.settings()),
            other => Self::Of(other),
        }
    }

    fn value(&self, facts: &Facts, stretch: &Stretch, at: usize) -> Dynamic {
        let text = |part: Option<usize>| {
            part.and_then(|part| stretch.text(at, part)).map_or(Dynamic::UNIT, Into::into)
        };
        let input = match self {
            Self::Constant(value) => return value.clone(),
            Self::Values(values) => return number(values[at]),
            Self::Text(part) => return text(*part),
            Self::Texts(parts, with_absent) => {
                let entries = parts.iter().map(|&(name, part)| (name.into(), text(part)));
                let kept = |(_, text): &(_, Dynamic)| *with_absent || !text.is_unit();
                return Dynamic::from_map(entries.filter(kept).collect());
            }
            Self::Of(input) => input,
        };
        match input {
            Input::Step => int(stretch.step(at)),
            Input::Phase => facts.phase(stretch.phase(at)).into(),
            Input::Reward => stretch.reward(at).map_or(Dynamic::UNIT, Dynamic::from),
            Input::Valid => stretch.is_valid(at).into(),
            Input::Failed => stretch.reward(at).is_none().into(),
            Input::Reason => stretch.reason(at).map_or(Dynamic::UNIT, Into::into),
            Input::Duration => duration_s(stretch, at).into(),
            Input::FromCache => stretch.effort(at).reused.text().into(),
            Input::OnFrontier => on_frontier(facts, stretch, at).into(),
            Input::Metrics => {
                let values = stretch.metrics().iter().filter_map(|name| {
                    let value = stretch.values(name)?[at];
                    (!value.is_nan()).then(|| (name.as_str().into(), value.into()))
                });
                Dynamic::from_map(values.collect::<Map>())
            }
            // The others are columns of their own.
            _ => Dynamic::UNIT,
        }
    }
}

pub(super) fn duration_s(stretch: &Stretch, at: usize) -> f64 {
    stretch.effort(at).seconds()
}

pub(super) fn on_frontier(facts: &Facts, stretch: &Stretch, at: usize) -> bool {
    facts.frontier.as_ref().is_some_and(|frontier| frontier.contains(&stretch.step(at)))
}

/// A number of a column; one that is not a number stands for none.
fn number(value: f64) -> Dynamic {
    if value.is_nan() { Dynamic::UNIT } else { value.into() }
}

fn int(count: u64) -> Dynamic {
    Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX))
}
