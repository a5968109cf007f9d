//! Objectives: metrics to maximize or to minimize.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The direction in which a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Max,
    /// Less is better.
    Min,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Max => "max",
            Self::Min => "min",
        })
    }
}

/// A metric with the direction in which it improves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Objective {
    /// The metric's name, its unit included.
    pub metric: String,
    /// The direction in which it improves.
    pub direction: Direction,
}

/// The error of parsing an [`Objective`]: the text that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an objective; write `metric:max` or `metric:min`")]
pub struct ParseObjectiveError(String);

impl FromStr for Objective {
    type Err = ParseObjectiveError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (metric, direction) = match text.split_once(':') {
            Some((metric, "max")) => (metric, Direction::Max),
            Some((metric, "min")) => (metric, Direction::Min),
            _ => return Err(ParseObjectiveError(text.to_owned())),
        };
        if metric.is_empty() {
            return Err(ParseObjectiveError(text.to_owned()));
        }
        Ok(Self { metric: metric.to_owned(), direction })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.metric, self.direction)
    }
}

impl Objective {
    /// Converts a value of the metric to a cost, of which less is always better: the value, negated for
    /// [`Direction::Max`].
    pub fn cost(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Max => -value,
            Direction::Min => value,
        }
    }

    /// Converts a cost back to the metric's value; the inverse of [`Objective::cost`].
    pub fn value(&self, cost: f64) -> f64 {
        self.cost(cost)
    }
}

/// A metric that an objective, a term or a limit names and a trial does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no metric `{0}`")]
pub struct MissingMetric(pub String);

/// The costs of a set of metrics, in the order of the objectives.
///
/// # Errors
/// A metric is missing; the first one that is.
pub fn costs(
    objectives: &[Objective],
    metrics: &BTreeMap<String, f64>,
) -> Result<Vec<f64>, MissingMetric> {
    let cost = |objective: &Objective| match metrics.get(&objective.metric) {
        Some(&value) => Ok(objective.cost(value)),
        None => Err(MissingMetric(objective.metric.clone())),
    };
    objectives.iter().map(cost).collect()
}
