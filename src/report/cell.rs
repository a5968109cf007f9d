//! Cells and columns of tables, and output formats.

use clap::ValueEnum;
use serde_json::Value;

use super::number::number;

/// The output format of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people; numbers are shortened.
    #[default]
    Table,
    /// Comma-separated values with a head; numbers in full.
    Csv,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// An Apache Parquet file, for a file or a pipe.
    Parquet,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Empty,
    /// Yes or no.
    Flag(bool),
    /// A count.
    Int(u64),
    /// A whole number that may be negative.
    Signed(i64),
    /// A measure.
    Number(f64),
    /// A text.
    Text(String),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Cell {
    fn from(int: u64) -> Self {
        Self::Int(int)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl Cell {
    pub(super) fn for_people(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Int(int) => int.to_string(),
            Self::Signed(int) => int.to_string(),
            Self::Number(value) => number(*value),
            Self::Text(text) => text.clone(),
        }
    }

    pub(super) fn in_full(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(value) => value.to_string(),
            other => other.for_people(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Int(int) => (*int).into(),
            Self::Signed(int) => (*int).into(),
            Self::Number(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Signed(_) | Self::Number(_))
    }
}

/// The type of the cells of a column, any of which may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Yes or no.
    Flag,
    /// Signed whole numbers of 64 bits.
    Int,
    /// Measures.
    Number,
    /// Texts.
    Text,
}

impl ColumnKind {
    /// The narrowest kind that fits all of some cells: [`ColumnKind::Text`] if they are of several kinds or all
    /// empty.
    pub(super) fn of<'c>(cells: impl Iterator<Item = &'c Cell>) -> Self {
        let mut found = None;
        for cell in cells {
            let kind = match cell {
                Cell::Empty => continue,
                Cell::Flag(_) => Self::Flag,
                Cell::Int(int) if i64::try_from(*int).is_err() => Self::Text,
                Cell::Int(_) | Cell::Signed(_) => Self::Int,
                Cell::Number(_) => Self::Number,
                Cell::Text(_) => Self::Text,
            };
            found = match (found, kind) {
                (None, kind) => Some(kind),
                (Some(known), kind) if known == kind => Some(kind),
                (Some(Self::Int), Self::Number) | (Some(Self::Number), Self::Int) => {
                    Some(Self::Number)
                }
                _ => return Self::Text,
            };
        }
        found.unwrap_or(Self::Text)
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type of its cells, if it is known before them.
    pub kind: Option<ColumnKind>,
}

impl Column {
    /// Creates a column whose cells are of one kind.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind: Some(kind) }
    }
}
