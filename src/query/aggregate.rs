//! Aggregates of a group of trials: counts, extremes, means, quantiles.

use std::fmt;
use std::str::FromStr;

use super::value::QueryValue;
use crate::study::statistics::quantile;

/// The function of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AggregateFunction {
    /// The number of trials or, of an expression, the number of those that have a value.
    Count,
    /// The lowest value.
    Min,
    /// The highest value.
    Max,
    /// The sum.
    Sum,
    /// The arithmetic mean.
    Mean,
    /// The quantile at a share from 0 to 1, interpolated linearly between neighbors (definition 7 of Hyndman
    /// and Fan, "Sample Quantiles in Statistical Packages", 1996, the default of numpy and pandas).
    Quantile(f64),
}

/// An aggregate, written as `count` or `function:expression`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The name of its column.
    pub name: String,
    /// The function that is applied.
    pub function: AggregateFunction,
    /// The expression that it is applied to; `None` counts all trials.
    pub of: Option<String>,
}

/// The error of parsing an aggregate or its function: the text that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an aggregate; write count, or min, max, sum, mean, median or q0 to q100 with a colon \
     and what of: max:accuracy"
)]
pub struct AggregateError(String);

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Quantile(_) => "quantile",
        })
    }
}

impl FromStr for AggregateFunction {
    type Err = AggregateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "count" => Self::Count,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            "mean" => Self::Mean,
            "median" => Self::Quantile(0.5),
            _ => {
                let percent = text.strip_prefix('q').and_then(|text| text.parse::<f64>().ok());
                let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
                Self::Quantile(percent.ok_or_else(|| AggregateError(text.to_owned()))? / 100.0)
            }
        })
    }
}

impl Aggregate {
    /// Parses an aggregate. `name` is the name of its column; without one it is made from the function and
    /// the expression.
    ///
    /// # Errors
    /// The text is not an aggregate.
    pub fn parse(name: Option<&str>, text: &str) -> Result<Self, AggregateError> {
        let wrong = || AggregateError(text.to_owned());
        let text = text.trim();
        let (function, of) = match text.split_once(':') {
            None if text == "count" => (text, None),
            None => return Err(wrong()),
            Some((function, of)) => (function.trim(), Some(of.trim().to_owned())),
        };
        if of.as_ref().is_some_and(String::is_empty) {
            return Err(wrong());
        }
        let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
        let own = match &of {
            None => function.to_owned(),
            Some(of) if is_name(of) => format!("{function}_{of}"),
            Some(of) => format!("{function}({of})"),
        };
        Ok(Self {
            name: name.map_or(own, str::to_owned),
            function: function.parse().map_err(|_| wrong())?,
            of,
        })
    }
}

/// The state of an aggregate over the values so far.
#[derive(Clone, Debug)]
pub(super) enum Gathered {
    Count(u64),
    Least(Option<f64>),
    Most(Option<f64>),
    /// The sum and the number of values.
    Sum(f64, u64),
    Mean(f64, u64),
    All(f64, Vec<f64>),
}

impl Gathered {
    pub(super) const fn new(function: AggregateFunction) -> Self {
        match function {
            AggregateFunction::Count => Self::Count(0),
            AggregateFunction::Min => Self::Least(None),
            AggregateFunction::Max => Self::Most(None),
            AggregateFunction::Sum => Self::Sum(0.0, 0),
            AggregateFunction::Mean => Self::Mean(0.0, 0),
            AggregateFunction::Quantile(share) => Self::All(share, Vec::new()),
        }
    }

    pub(super) fn add(&mut self, value: f64) {
        match self {
            Self::Count(count) => *count += 1,
            Self::Least(least) => *least = Some(least.map_or(value, |least| least.min(value))),
            Self::Most(most) => *most = Some(most.map_or(value, |most| most.max(value))),
            Self::Sum(sum, count) | Self::Mean(sum, count) => {
                *sum += value;
                *count += 1;
            }
            Self::All(_, values) => values.push(value),
        }
    }

    /// Adds the state of later trials of the group.
    pub(super) fn merge(&mut self, later: Self) {
        match (self, later) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Sum(sum, count), Self::Sum(more, others))
            | (Self::Mean(sum, count), Self::Mean(more, others)) => {
                *sum += more;
                *count += others;
            }
            (Self::All(_, values), Self::All(_, more)) => values.extend(more),
            (this, Self::Least(Some(value)) | Self::Most(Some(value))) => this.add(value),
            _ => {}
        }
    }

    /// The aggregated value. Without values it is [`QueryValue::Missing`], except for a count.
    pub(super) fn finish(self) -> QueryValue {
        let number = |value: Option<f64>| value.map_or(QueryValue::Missing, QueryValue::Number);
        match self {
            Self::Count(count) => QueryValue::Int(i64::try_from(count).unwrap_or(i64::MAX)),
            Self::Least(value) | Self::Most(value) => number(value),
            Self::Sum(sum, count) => number((count > 0).then_some(sum)),
            Self::Mean(sum, count) => number((count > 0).then(|| sum / count as f64)),
            Self::All(share, mut values) => {
                values.sort_unstable_by(f64::total_cmp);
                number(quantile(&values, share))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_are_read() {
        let read = |text: &str| Aggregate::parse(None, text);
        let named = |text: &str| read(text).unwrap().name;
        assert_eq!(read("count").unwrap().of, None);
        assert_eq!(named("max:accuracy"), "max_accuracy");
        assert_eq!(named("q90:a / b"), "q90(a / b)");
        assert_eq!(read("q2.5:a").unwrap().function, AggregateFunction::Quantile(0.025));
        assert_eq!(read("median:a").unwrap().function, AggregateFunction::Quantile(0.5));
        for wrong in ["", "max", "most:a", "q101:a", "q:a", "max:"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// numpy.quantile([1, 2, 4, 8], [0.1, 0.5, 0.9]) is [1.3, 3.0, 6.8].
    #[test]
    fn quantiles_are_numpys() {
        for (function, expected) in [("q10", 1.3), ("median", 3.0), ("q90", 6.8)] {
            let mut first = Gathered::new(function.parse().unwrap());
            let mut second = first.clone();
            [8.0, 1.0].into_iter().for_each(|value| first.add(value));
            [4.0, 2.0].into_iter().for_each(|value| second.add(value));
            first.merge(second);
            let value = first.finish().number().unwrap();
            assert!((value - expected).abs() < 1e-12, "{function}: {value}");
        }
    }
}
