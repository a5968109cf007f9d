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
pub enum TableCell {
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

impl From<&str> for TableCell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for TableCell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for TableCell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for TableCell {
    fn from(int: u64) -> Self {
        Self::Int(int)
    }
}

impl From<bool> for TableCell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Self>> From<Option<T>> for TableCell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl TableCell {
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
    pub(super) fn of<'c>(cells: impl Iterator<Item = &'c TableCell>) -> Self {
        let mut found = None;
        for cell in cells {
            let kind = match cell {
                TableCell::Empty => continue,
                TableCell::Flag(_) => Self::Flag,
                TableCell::Int(int) if i64::try_from(*int).is_err() => Self::Text,
                TableCell::Int(_) | TableCell::Signed(_) => Self::Int,
                TableCell::Number(_) => Self::Number,
                TableCell::Text(_) => Self::Text,
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
