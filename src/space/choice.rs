//! One decision with its options.

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

/// One decision: a name and the options it has, in a fixed order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What is decided, unique within its part.
    pub name: String,
    /// What may be chosen; never empty.
    pub options: Vec<Value>,
}

impl Choice {
    /// Makes a choice of the given options.
    pub fn new(name: impl Into<String>, options: impl IntoIterator<Item = Value>) -> Self {
        Self { name: name.into(), options: options.into_iter().collect() }
    }
}
