//! Objectives as data: a weighted sum of normalized metrics under constraints.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::objective::MissingMetric;

/// A comparison between a metric and a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

impl Relation {
    const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::Below, Self::Above];

    /// The symbol: `<`, `<=`, `>` or `>=`.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Evaluates the comparison, with `value` on the left and `with` on the right.
    pub fn holds(self, value: f64, with: f64) -> bool {
        match self {
            Self::Below => value < with,
            Self::AtMost => value <= with,
            Self::Above => value > with,
            Self::AtLeast => value >= with,
        }
    }

    /// Splits a text at its first `<=`, else at `>=`, else at `<`, else at `>`; `None` if it has none of
    /// them.
    pub fn split(text: &str) -> Option<(&str, Self, &str)> {
        let at = |relation: Self| {
            text.split_once(relation.symbol()).map(|(left, right)| (left, relation, right))
        };
        Self::ALL.into_iter().find_map(at)
    }

    /// Returns true for `<` and `<=`, which bound a value from above.
    pub const fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }
}

/// A constraint on a metric, such as `latency_ms <= 100`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The metric's name.
    pub metric: String,
    /// The comparison that must hold.
    pub relation: Relation,
    /// The bound.
    pub value: f64,
}

impl Limit {
    /// Returns true if a value satisfies the constraint.
    pub fn holds(&self, value: f64) -> bool {
        self.relation.holds(value, self.value)
    }

    /// The relative violation of the constraint by a value: its distance beyond the bound, divided by the
    /// bound's magnitude unless that is 0. Values within the bound give 0.
    pub fn excess(&self, value: f64) -> f64 {
        let distance =
            if self.relation.is_upper() { value - self.value } else { self.value - value };
        if distance <= 0.0 {
            0.0
        } else if self.value == 0.0 {
            distance
        } else {
            distance / self.value.abs()
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.metric, self.relation.symbol(), self.value)
    }
}

/// The error of parsing a [`Limit`]: the text that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a limit; write it like `latency_ms <= 100` (<, <=, >, >=)")]
pub struct ParseLimitError(String);

impl FromStr for Limit {
    type Err = ParseLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseLimitError(text.to_owned());
        let (metric, relation, value) = Relation::split(text).ok_or_else(refuse)?;
        let (metric, value) = (metric.trim(), value.trim().replace('_', ""));
        let value: f64 = value.parse().map_err(|_| refuse())?;
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        if metric.is_empty() || !metric.chars().all(plain) || !value.is_finite() {
            return Err(refuse());
        }
        Ok(Self { metric: metric.to_owned(), relation, value })
    }
}

/// The term of a metric in a weighted sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The weight.
    pub weight: f64,
    /// The value that is normalized to 0.
    pub worst: f64,
    /// The value that is normalized to 1.
    pub best: f64,
}

impl Term {
    /// The weight times the value, normalized linearly from `worst` to `best`.
    pub fn of(&self, value: f64) -> f64 {
        self.weight * ((value - self.worst) / (self.best - self.worst))
    }
}

/// A weighted sum of normalized metrics, for the pairs that satisfy all constraints.
///
/// The reward of Codesign-NAS (see `docs/paper.md`): R = w . N(m) if all constraints hold, where N maps each
/// metric linearly from 0 (worst) to 1 (best). Otherwise a penalty: minus the sum of the relative violations,
/// at least -1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    /// The terms by metric, in the order in which they are added.
    pub terms: BTreeMap<String, Term>,
    /// The constraints.
    pub limits: Vec<Limit>,
}

/// The reward of a set of metrics, and their feasibility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The weighted sum if the metrics are feasible, else the penalty, from -1 to 0.
    pub reward: f64,
    /// True if the metrics are feasible: they satisfy all constraints.
    pub valid: bool,
}

impl Weighted {
    /// Computes the reward of metrics, which `metric` gives by name.
    ///
    /// # Errors
    /// A metric is missing; the first one that is.
    pub fn worth(&self, metric: impl Fn(&str) -> Option<f64>) -> Result<Worth, MissingMetric> {
        let of = |name: &str| metric(name).ok_or_else(|| MissingMetric(name.to_owned()));
        let (mut excess, mut valid) = (0.0, true);
        for limit in &self.limits {
            let value = of(&limit.metric)?;
            valid &= limit.holds(value);
            excess += limit.excess(value);
        }
        if !valid {
            return Ok(Worth { reward: -f64::min(excess, 1.0), valid });
        }
        let mut reward = 0.0;
        for (name, term) in &self.terms {
            reward += term.of(of(name)?);
        }
        Ok(Worth { reward, valid })
    }

    /// The sum of the relative violations of all constraints.
    ///
    /// # Errors
    /// A metric is missing; the first one that is.
    pub fn excess(&self, metric: impl Fn(&str) -> Option<f64>) -> Result<f64, MissingMetric> {
        let of = |limit: &Limit| match metric(&limit.metric) {
            Some(value) => Ok(limit.excess(value)),
            None => Err(MissingMetric(limit.metric.clone())),
        };
        self.limits.iter().map(of).sum()
    }
}

impl fmt::Display for Weighted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, term)) in self.terms.iter().enumerate() {
            let plus = if index > 0 { " + " } else { "" };
            write!(f, "{plus}{} {name} [{}, {}]", term.weight, term.worst, term.best)?;
        }
        for (index, limit) in self.limits.iter().enumerate() {
            write!(f, "{}{limit}", if index > 0 { ", " } else { " subject to " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written() {
        let limit: Limit = "latency_ms<=1_00.5".parse().unwrap();
        assert_eq!(limit.to_string(), "latency_ms <= 100.5");
        assert_eq!("a > -1".parse::<Limit>().unwrap().to_string(), "a > -1");
        for wrong in ["", "latency", "<= 3", "a == 3", "a <= b", "a <= inf", "a b < 1", "a <= 1 ms"]
        {
            let message = wrong.parse::<Limit>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "`{wrong}` is not a limit; write it like `latency_ms <= 100` (<, <=, >, >=)"
                )
            );
        }
    }

    #[test]
    fn worth_is_the_weighted_sum_or_a_punishment() {
        let term = |weight, worst, best| Term { weight, worst, best };
        let weighted = Weighted {
            terms: BTreeMap::from([
                ("accuracy".to_owned(), term(0.75, 0.0, 1.0)),
                ("latency_ms".to_owned(), term(0.25, 400.0, 0.0)),
            ]),
            limits: vec!["latency_ms < 100".parse().unwrap(), "accuracy >= 0.5".parse().unwrap()],
        };
        let worth = |accuracy, latency| {
            let metric = |name: &str| match name {
                "accuracy" => Some(accuracy),
                "latency_ms" => Some(latency),
                _ => None,
            };
            let worth = weighted.worth(metric).unwrap();
            (worth.reward, worth.valid)
        };
        assert_eq!(worth(0.5, 50.0), (0.75 * 0.5 + 0.25 * 0.875, true));
        assert_eq!(worth(0.5, 100.0), (-0.0, false));
        assert_eq!(worth(0.25, 125.0), (-0.75, false));
        assert_eq!(worth(0.25, 300.0), (-1.0, false));
        assert_eq!(weighted.worth(|_| None), Err(MissingMetric("latency_ms".to_owned())));
        assert_eq!(
            weighted.to_string(),
            "0.75 accuracy [0, 1] + 0.25 latency_ms [400, 0] subject to latency_ms < 100, \
             accuracy >= 0.5"
        );
    }
}
