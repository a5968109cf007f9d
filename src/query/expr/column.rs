//! The values of a variable, trial by trial.

use rhai::{Dynamic, Map};

use super::input::{Input, duration_s, on_frontier};
use super::run_context::RunContext;
use crate::store::TrialBlock;

/// The source of a variable's values in a block.
pub(super) enum ColumnSource<'s> {
    Constant(Dynamic),
    Values(&'s [f64]),
    /// The texts of the part with this index; `None` if the block lacks the part.
    Text(Option<usize>),
    /// The texts of parts by their indices. The flag is true if a missing text is `()`, false if it is left
    /// out.
    Texts(Vec<(&'s str, Option<usize>)>, bool),
    Of(&'s Input),
}

impl<'s> ColumnSource<'s> {
    /// The column of a variable in a block.
    pub(super) fn of(input: &'s Input, context: &RunContext, block: &'s TrialBlock) -> Self {
        let part = |name: &str| block.part(name);
        match input {
            Input::Metric(name) => match block.values(name) {
                Some(values) => Self::Values(values),
                None => Self::Constant(Dynamic::UNIT),
            },
            Input::Part(name) => Self::Text(part(name)),
            Input::Point(Some(parts)) => {
                Self::Texts(parts.iter().map(|name| (name.as_str(), part(name))).collect(), true)
            }
            Input::Point(None) => Self::Texts(
                block.parts().iter().enumerate().map(|(at, p)| (p.as_str(), Some(at))).collect(),
                false,
            ),
            Input::Run => Self::Constant(context.name.clone().into()),
            Input::Args => Self::Constant(context.args.clone()),
            Input::Seed => Self::Constant(int(context.record.seed)),
            Input::File => Self::Constant(context.record.file.clone().into()),
            Input::Settings => Self::Constant(context.settings()),
            other => Self::Of(other),
        }
    }

    /// The value for one trial of the block.
    pub(super) fn value(&self, context: &RunContext, block: &TrialBlock, at: usize) -> Dynamic {
        let text = |part: Option<usize>| {
            part.and_then(|part| block.text(at, part)).map_or(Dynamic::UNIT, Into::into)
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
            Input::Step => int(block.step(at)),
            Input::Phase => context.phase(block.phase(at)).into(),
            Input::Reward => block.reward(at).map_or(Dynamic::UNIT, Dynamic::from),
            Input::Valid => block.is_valid(at).into(),
            Input::Failed => block.reward(at).is_none().into(),
            Input::Reason => block.reason(at).map_or(Dynamic::UNIT, Into::into),
            Input::Duration => duration_s(block, at).into(),
            Input::FromCache => block.effort(at).reused.text().into(),
            Input::OnFrontier => on_frontier(context, block, at).into(),
            Input::Metrics => {
                let values = block.metrics().iter().filter_map(|name| {
                    let value = block.values(name)?[at];
                    (!value.is_nan()).then(|| (name.as_str().into(), value.into()))
                });
                Dynamic::from_map(values.collect::<Map>())
            }
            // The others are columns of their own.
            _ => Dynamic::UNIT,
        }
    }
}

/// A number of a column; `()` for NaN.
fn number(value: f64) -> Dynamic {
    if value.is_nan() { Dynamic::UNIT } else { value.into() }
}

fn int(count: u64) -> Dynamic {
    Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX))
}
