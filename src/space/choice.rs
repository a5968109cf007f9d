//! A single decision with its options.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The value that an option stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A yes or no.
    Flag(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A name.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Int(int) => write!(f, "{int}"),
            Self::Float(float) => write!(f, "{float}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Value {
    /// The value as a number; `None` for flags and names.
    #[expect(clippy::cast_precision_loss, reason = "options are compared as numbers, not stored")]
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            Self::Flag(_) | Self::Text(_) => None,
        }
    }

    /// Returns true if two values are the same; integers and real numbers are compared exactly.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                is_exactly(*int, *float)
            }
            _ => self == other,
        }
    }
}

/// Returns true if a whole number equals a real one exactly, although not every large integer has an `f64`.
fn is_exactly(int: i64, float: f64) -> bool {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "what is lost shows on the way back, in more bits"
    )]
    let is = int as f64 == float && float as i128 == i128::from(int);
    is
}

/// A single decision: a name and its options, in a fixed order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The name of the decision, unique within its part.
    pub name: String,
    /// The values to choose from; never empty.
    pub options: Vec<Value>,
    /// True if neighboring options are similar: numbers in strictly ascending or descending order.
    #[serde(default)]
    pub ordered: bool,
}

impl Choice {
    /// Creates a choice of the given options; it is ordered if they are numbers in order.
    pub fn new(name: impl Into<String>, options: impl IntoIterator<Item = Value>) -> Self {
        let options: Vec<Value> = options.into_iter().collect();
        let numbers: Option<Vec<f64>> = options.iter().map(Value::number).collect();
        let ordered = numbers.is_some_and(|numbers| {
            numbers.is_sorted_by(|a, b| a < b) || numbers.is_sorted_by(|a, b| a > b)
        });
        Self { name: name.into(), options, ordered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_exactly() {
        let same = |a: &Value, b: &Value| a.is_same(b) && b.is_same(a);
        assert!(same(&Value::Int(4), &Value::Float(4.0)));
        assert!(same(&Value::Float(0.0), &Value::Float(-0.0)));
        assert!(same(&Value::Int(1 << 53), &Value::Float(9_007_199_254_740_992.0)));
        assert!(!same(&Value::Int((1 << 53) + 1), &Value::Float(9_007_199_254_740_992.0)));
        assert!(!same(&Value::Int(i64::MAX), &Value::Float(9_223_372_036_854_775_808.0)));
        assert!(!same(&Value::Int(1), &Value::Flag(true)));
        assert!(!same(&Value::Int(1), &Value::Text("1".to_owned())));
    }

    #[test]
    fn numbers_in_order_are_ordered() {
        let ordered = |options: &[Value]| Choice::new("x", options.to_vec()).ordered;
        assert!(ordered(&[Value::Int(1), Value::Int(4)]));
        assert!(ordered(&[Value::Float(0.75), Value::Float(0.5), Value::Int(0)]));
        assert!(!ordered(&[Value::Int(1), Value::Int(4), Value::Int(2)]));
        assert!(!ordered(&[Value::Flag(true), Value::Flag(false)]));
        assert!(!ordered(&[Value::Text("a".to_owned()), Value::Text("b".to_owned())]));
    }
}
