//! Conditions that compare columns with numbers and texts, evaluated on the columns.
//!
//! The results are those of the interpreter: whole numbers compare with measures as floats; `()` equals only
//! itself and is neither less nor more than anything.

use rhai::{Expr, FnCallExpr};

use super::input::{Input, duration_s, on_frontier};
use super::run_context::RunContext;
use crate::store::TrialBlock;

/// Whole numbers up to this are exact as `f64`.
const EXACT: u64 = 1 << 53;

/// A condition that is evaluated without the interpreter.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Constant(bool),
    Valid,
    Failed,
    OnFrontier,
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Numbers(Operand, Comparison, Operand),
    /// A comparison of a text with a constant: true tests for equality, false for inequality.
    Text(TextColumn, String, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// An operand of a comparison; missing values are NaN.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Number(f64),
    Metric(String),
    Reward,
    Step,
    Duration,
}

#[derive(Clone, Debug)]
pub(super) enum TextColumn {
    Phase,
    Run,
    Part(String),
}

impl Condition {
    /// Converts an expression; `None` if it needs the interpreter.
    pub(super) fn of<'i>(
        expression: &Expr,
        input: &impl Fn(&str) -> Option<&'i Input>,
    ) -> Option<Self> {
        match expression {
            Expr::BoolConstant(value, _) => Some(Self::Constant(*value)),
            Expr::And(conditions, _) => conditions
                .iter()
                .map(|one| Self::of(one, input))
                .collect::<Option<_>>()
                .map(Self::All),
            Expr::Or(conditions, _) => conditions
                .iter()
                .map(|one| Self::of(one, input))
                .collect::<Option<_>>()
                .map(Self::Any),
            Expr::Variable(..) => match variable(expression, input)? {
                Input::Valid => Some(Self::Valid),
                Input::Failed => Some(Self::Failed),
                Input::OnFrontier => Some(Self::OnFrontier),
                _ => None,
            },
            Expr::FnCall(call, _) => Self::of_call(call, input),
            _ => None,
        }
    }

    /// Converts a call like [`Self::of`].
    pub(super) fn of_call<'i>(
        call: &FnCallExpr,
        input: &impl Fn(&str) -> Option<&'i Input>,
    ) -> Option<Self> {
        if !call.is_operator_call() || call.is_qualified() {
            return None;
        }
        let (left, right) = match (call.name.as_str(), call.args.as_slice()) {
            ("!", [one]) => return Some(Self::Not(Box::new(Self::of(one, input)?))),
            (_, [left, right]) => (left, right),
            _ => return None,
        };
        let relation = match call.name.as_str() {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::More,
            ">=" => Comparison::MoreOrEqual,
            _ => return None,
        };
        if let (Some(a), Some(b)) = (Operand::of(left, input), Operand::of(right, input)) {
            return Some(Self::Numbers(a, relation, b));
        }
        let is = match relation {
            Comparison::Equal => true,
            Comparison::NotEqual => false,
            _ => return None,
        };
        let (column, text) = match (left, right) {
            (column, Expr::StringConstant(text, _)) | (Expr::StringConstant(text, _), column) => {
                (TextColumn::of(column, input)?, text.to_string())
            }
            _ => return None,
        };
        Some(Self::Text(column, text, is))
    }

    /// Evaluates the condition for each trial of a block.
    pub(super) fn holds(&self, context: &RunContext, block: &TrialBlock) -> Vec<bool> {
        let trials = 0..block.len();
        match self {
            Self::Constant(value) => vec![*value; block.len()],
            Self::Valid => trials.map(|at| block.is_valid(at)).collect(),
            Self::Failed => trials.map(|at| block.reward(at).is_none()).collect(),
            Self::OnFrontier => trials.map(|at| on_frontier(context, block, at)).collect(),
            Self::Not(one) => {
                let mut holds = one.holds(context, block);
                holds.iter_mut().for_each(|holds| *holds = !*holds);
                holds
            }
            Self::All(all) => combined(all, context, block, |a, b| a & b),
            Self::Any(any) => combined(any, context, block, |a, b| a | b),
            Self::Numbers(a, relation, b) => {
                let (a, b) = (a.values(block), b.values(block));
                let pairs = trials.map(|at| (a.get(at), b.get(at)));
                match relation {
                    Comparison::Equal => pairs.map(|(a, b)| equal(a, b)).collect(),
                    Comparison::NotEqual => pairs.map(|(a, b)| !equal(a, b)).collect(),
                    Comparison::Less => pairs.map(|(a, b)| a < b).collect(),
                    Comparison::LessOrEqual => pairs.map(|(a, b)| a <= b).collect(),
                    Comparison::More => pairs.map(|(a, b)| a > b).collect(),
                    Comparison::MoreOrEqual => pairs.map(|(a, b)| a >= b).collect(),
                }
            }
            Self::Text(column, text, is) => {
                let part = match column {
                    TextColumn::Part(name) => block.part(name),
                    _ => None,
                };
                let same = |at| match column {
                    TextColumn::Run => context.name == *text,
                    TextColumn::Phase => context.phase(block.phase(at)) == *text,
                    TextColumn::Part(_) => {
                        part.and_then(|part| block.text(at, part)) == Some(text.as_str())
                    }
                };
                trials.map(|at| same(at) == *is).collect()
            }
        }
    }
}

fn combined(
    conditions: &[Condition],
    context: &RunContext,
    block: &TrialBlock,
    both: fn(bool, bool) -> bool,
) -> Vec<bool> {
    let mut answers = conditions.iter().map(|condition| condition.holds(context, block));
    let mut holds = answers.next().unwrap_or_default();
    for more in answers {
        holds.iter_mut().zip(more).for_each(|(holds, more)| *holds = both(*holds, more));
    }
    holds
}

fn equal(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

fn variable<'i>(
    expression: &Expr,
    input: &impl Fn(&str) -> Option<&'i Input>,
) -> Option<&'i Input> {
    match expression {
        Expr::Variable(variable, ..) if variable.2.is_empty() => input(&variable.1),
        _ => None,
    }
}

impl Operand {
    fn of<'i>(expression: &Expr, input: &impl Fn(&str) -> Option<&'i Input>) -> Option<Self> {
        match expression {
            Expr::Unit(_) => Some(Self::Number(f64::NAN)),
            Expr::IntegerConstant(int, _) if int.unsigned_abs() <= EXACT => {
                Some(Self::Number(*int as f64))
            }
            Expr::FloatConstant(value, _) if !value.is_nan() => Some(Self::Number(**value)),
            _ => match variable(expression, input)? {
                Input::Metric(name) => Some(Self::Metric(name.clone())),
                Input::Reward => Some(Self::Reward),
                Input::Step => Some(Self::Step),
                Input::Duration => Some(Self::Duration),
                _ => None,
            },
        }
    }

    fn values<'s>(&self, block: &'s TrialBlock) -> Values<'s> {
        let trials = 0..block.len();
        match self {
            Self::Number(value) => Values::Same(*value),
            Self::Metric(name) => block.values(name).map_or(Values::Same(f64::NAN), Values::Stored),
            Self::Reward => {
                Values::Made(trials.map(|at| block.reward(at).unwrap_or(f64::NAN)).collect())
            }
            Self::Step => Values::Made(trials.map(|at| block.step(at) as f64).collect()),
            Self::Duration => Values::Made(trials.map(|at| duration_s(block, at)).collect()),
        }
    }
}

enum Values<'s> {
    Same(f64),
    Stored(&'s [f64]),
    Made(Vec<f64>),
}

impl Values<'_> {
    fn get(&self, at: usize) -> f64 {
        match self {
            Self::Same(value) => *value,
            Self::Stored(values) => values[at],
            Self::Made(values) => values[at],
        }
    }
}

impl TextColumn {
    fn of<'i>(expression: &Expr, input: &impl Fn(&str) -> Option<&'i Input>) -> Option<Self> {
        match expression {
            // `point.hw`
            Expr::Dot(dot, _, _) => match (variable(&dot.lhs, input)?, &dot.rhs) {
                (Input::Point(_), Expr::Property(part, _)) => Some(Self::Part(part.2.to_string())),
                _ => None,
            },
            _ => match variable(expression, input)? {
                Input::Phase => Some(Self::Phase),
                Input::Run => Some(Self::Run),
                Input::Part(part) => Some(Self::Part(part.clone())),
                _ => None,
            },
        }
    }
}
