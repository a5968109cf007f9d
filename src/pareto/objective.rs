//! Objectives and dominance.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether more or less of a metric is wanted.
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

/// A metric with the direction that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Objective {
    /// The metric's name, its unit included.
    pub metric: String,
    /// What is wanted of it.
    pub direction: Direction,
}

/// A text that is not an objective.
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
    /// The value as a cost: less is better whatever the direction.
    pub fn cost(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Max => -value,
            Direction::Min => value,
        }
    }

    /// The value that a cost stands for; the inverse of [`Objective::cost`].
    pub fn value(&self, cost: f64) -> f64 {
        self.cost(cost)
    }
}

/// The costs of a set of metrics, in the order of the objectives.
///
/// # Errors
/// The name of the first metric that is missing.
pub fn costs(
    objectives: &[Objective],
    metrics: &BTreeMap<String, f64>,
) -> Result<Vec<f64>, String> {
    objectives
        .iter()
        .map(|o| metrics.get(&o.metric).map(|&v| o.cost(v)).ok_or_else(|| o.metric.clone()))
        .collect()
}

/// The order of cost vectors by the first cost, then by the next.
pub fn compare_costs(a: &[f64], b: &[f64]) -> Ordering {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Compares two cost vectors: `Less` if the first dominates the second, `Greater` if it is
/// dominated, `Equal` if they are the same, `None` if neither dominates.
pub fn dominance(a: &[f64], b: &[f64]) -> Option<Ordering> {
    let mut order = Ordering::Equal;
    for (a, b) in a.iter().zip(b) {
        match (order, a.total_cmp(b)) {
            (_, Ordering::Equal) => {}
            (Ordering::Equal, other) => order = other,
            (known, other) if known != other => return None,
            _ => {}
        }
    }
    Some(order)
}
