//! The value of an expression for a trial.

use std::cmp::Ordering;

use rhai::Dynamic;

use crate::report::TableCell;

/// The value of an expression for a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// No value; also a number that is NaN.
    Missing,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl From<Dynamic> for QueryValue {
    fn from(value: Dynamic) -> Self {
        if let Ok(number) = value.as_float() {
            return if number.is_nan() { Self::Missing } else { Self::Number(number) };
        }
        if let Ok(int) = value.as_int() {
            return Self::Int(int);
        }
        if let Ok(flag) = value.as_bool() {
            return Self::Flag(flag);
        }
        if value.is_unit() { Self::Missing } else { Self::Text(value.to_string()) }
    }
}

impl From<QueryValue> for TableCell {
    fn from(value: QueryValue) -> Self {
        match value {
            QueryValue::Missing => Self::Empty,
            QueryValue::Flag(flag) => Self::Flag(flag),
            QueryValue::Int(int) => u64::try_from(int).map_or(Self::Signed(int), Self::Int),
            QueryValue::Number(number) => Self::Number(number),
            QueryValue::Text(text) => Self::Text(text),
        }
    }
}

impl QueryValue {
    /// The value as a number: 1 for true, 0 for false; `None` for texts and missing values.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Int(int) => Some(*int as f64),
            Self::Number(number) => Some(*number),
            Self::Missing | Self::Text(_) => None,
        }
    }

    /// Compares two values: numbers by size, with false as 0 and true as 1, then texts.
    ///
    /// Missing values come last, in descending order too.
    pub fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let ordered = match (self, other) {
            (Self::Missing, Self::Missing) => return Ordering::Equal,
            (Self::Missing, _) => return Ordering::Greater,
            (_, Self::Missing) => return Ordering::Less,
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
            _ => {
                let (a, b) = (self.number(), other.number());
                // Equal whatever the sign of zero.
                a.partial_cmp(&b).unwrap_or(Ordering::Equal)
            }
        };
        if descending { ordered.reverse() } else { ordered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_last_in_both_orders() {
        let mut values = [
            QueryValue::Missing,
            QueryValue::Text("a".into()),
            QueryValue::Number(1.5),
            QueryValue::Int(1),
            QueryValue::Flag(false),
        ];
        values.sort_by(|a, b| a.compare(b, false));
        assert_eq!(values[0], QueryValue::Flag(false));
        assert_eq!(values[4], QueryValue::Missing);
        values.sort_by(|a, b| a.compare(b, true));
        assert_eq!(values[..2], [QueryValue::Text("a".into()), QueryValue::Number(1.5)]);
        assert_eq!(values[4], QueryValue::Missing);
    }
}
