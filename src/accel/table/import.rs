//! Import of tables from CSV.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::measured::{ColumnError, MeasuredColumn, MeasuredTable, TableParts};
use crate::metrics::is_plain_word;

/// The magic number of a zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The maximum number of rows and of columns of a table.
const MAX_ROWS: usize = 10_000_000;
const MAX_COLUMNS: usize = 10_000;

/// A column of the file, and the name that it gets in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The device and metric of the column.
    pub column: MeasuredColumn,
    /// Its head in the file.
    pub head: String,
}

/// A text that names no column of a table and its head in a file.
#[derive(Debug, thiserror::Error)]
pub enum ParseRenamedError {
    /// It has no `=`.
    #[error("write DEVICE.METRIC=HEAD, such as pixel3.latency_ms=lat_pixel3")]
    Form,
    /// The name before it is not that of a column.
    #[error(transparent)]
    Column(#[from] ColumnError),
}

impl FromStr for Renamed {
    type Err = ParseRenamedError;

    /// Reads `DEVICE.METRIC=HEAD`.
    fn from_str(text: &str) -> Result<Self, ParseRenamedError> {
        let (column, head) = text.split_once('=').ok_or(ParseRenamedError::Form)?;
        Ok(Self { column: column.parse()?, head: head.to_owned() })
    }
}

/// Reasons that an import fails; the data folder keeps its tables as they were.
#[derive(Debug, thiserror::Error)]
pub enum TableImportError {
    /// An invalid name of a table.
    #[error("`{0}` is no name of a table: it takes a-z, 0-9, _ and -")]
    Name(String),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: csv::Error,
    },
    /// The head of the file lacks a column.
    #[error("{path} has no column `{head}`; its columns are {}", heads.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        head: String,
        /// The columns of the file.
        heads: Vec<String>,
    },
    /// The head of a column is not a valid column name.
    #[error(
        "{path}: {source}; `--column DEVICE.METRIC=HEAD` names it, and leaves out columns not named"
    )]
    Column {
        /// The file.
        path: PathBuf,
        /// The problem with the name.
        source: ColumnError,
    },
    /// A line of the file is invalid.
    #[error("{path}, line {line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The problem.
        what: String,
    },
    /// The table as a whole is invalid, such as one without rows.
    #[error("{path}: {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// The table cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedTable {
    /// The number of networks.
    pub rows: usize,
    /// The number of columns, not counting the key.
    pub columns: usize,
    /// The file that was written.
    pub path: PathBuf,
}

/// Imports a table from CSV, plain or compressed with zstd, into the data folder.
///
/// `key` is the head of the column that identifies networks. If `columns` names any, only those are taken;
/// otherwise every column but the key must be named `DEVICE.METRIC` or `GROUP.DEVICE.METRIC`. An empty field
/// is a missing measurement.
///
/// # Errors
/// If the file cannot be read, a column, a network or a measurement is invalid, or the table cannot be
/// written.
pub fn import_table(
    file: &Path,
    (name, key): (&str, &str),
    columns: &[Renamed],
    data: &Path,
) -> Result<ImportedTable, TableImportError> {
    keep(file, read(file, (name, key), columns, "")?, data)
}

/// Writes a table that is not empty into the data folder.
pub(super) fn keep(
    file: &Path,
    table: MeasuredTable,
    data: &Path,
) -> Result<ImportedTable, TableImportError> {
    if table.keys().is_empty() {
        let what = "it has no rows".to_owned();
        return Err(TableImportError::Content { path: file.to_owned(), what });
    }
    let path =
        table.save(data).map_err(|(path, source)| TableImportError::Write { path, source })?;
    Ok(ImportedTable { rows: table.keys().len(), columns: table.columns().len(), path })
}

/// Reads a table from CSV, in which an empty field or `none` is a missing measurement.
pub(super) fn read(
    file: &Path,
    (name, key): (&str, &str),
    columns: &[Renamed],
    none: &str,
) -> Result<MeasuredTable, TableImportError> {
    if !is_plain_word(name) {
        return Err(TableImportError::Name(name.to_owned()));
    }
    let failed = |source| TableImportError::Read { path: file.to_owned(), source };
    let mut rows = csv::Reader::from_reader(open(file).map_err(|error| failed(error.into()))?);
    let heads: Vec<String> =
        rows.headers().map_err(failed)?.iter().map(|head| head.trim().to_owned()).collect();
    let place = |head: &str| {
        let missing = || TableImportError::NoColumn {
            path: file.to_owned(),
            head: head.to_owned(),
            heads: heads.clone(),
        };
        heads.iter().position(|known| known == head).ok_or_else(missing)
    };
    let key_place = place(key)?;
    let taken = taken(file, &heads, key_place, columns, place)?;

    let (mut keys, mut values, mut known) = (Vec::new(), Vec::new(), HashSet::new());
    for row in rows.records() {
        let row = row.map_err(failed)?;
        let line = row.position().map_or(0, csv::Position::line);
        let wrong = |what: String| TableImportError::Line { path: file.to_owned(), line, what };
        let network = row.get(key_place).unwrap_or_default().trim();
        if network.is_empty() {
            return Err(wrong(format!("there is nothing in the column `{key}`")));
        }
        if !known.insert(network.to_owned()) {
            return Err(wrong(format!("`{network}` is there twice")));
        }
        if keys.len() == MAX_ROWS {
            return Err(wrong(format!("a table has at most {MAX_ROWS} rows")));
        }
        keys.push(network.to_owned());
        for (column, place) in &taken {
            let text = row.get(*place).unwrap_or_default().trim();
            let text = if text == none { "" } else { text };
            values.push(measurement(text).map_err(|what| wrong(format!("{column} is {what}")))?);
        }
    }
    let columns = taken.into_iter().map(|(column, _)| column).collect();
    let (name, key, digest) = (name.to_owned(), key.to_owned(), String::new());
    let parts = TableParts { name, key, digest, columns, keys, values };
    MeasuredTable::new(parts).ok_or_else(|| TableImportError::Content {
        path: file.to_owned(),
        what: "its rows do not agree".to_owned(),
    })
}

/// Lists the columns to import, with their index in the file.
fn taken(
    file: &Path,
    heads: &[String],
    key: usize,
    columns: &[Renamed],
    place: impl Fn(&str) -> Result<usize, TableImportError>,
) -> Result<Vec<(MeasuredColumn, usize)>, TableImportError> {
    let content = |what: String| TableImportError::Content { path: file.to_owned(), what };
    let read = |head: &String| {
        head.parse::<MeasuredColumn>()
            .map_err(|source| TableImportError::Column { path: file.to_owned(), source })
    };
    let taken: Vec<(MeasuredColumn, usize)> = if columns.is_empty() {
        let others = heads.iter().enumerate().filter(|(index, _)| *index != key);
        others.map(|(index, head)| Ok((read(head)?, index))).collect::<Result<_, _>>()?
    } else {
        let named = columns.iter().map(|named| Ok((named.column.clone(), place(&named.head)?)));
        named.collect::<Result<_, _>>()?
    };
    if taken.is_empty() || taken.len() > MAX_COLUMNS {
        let count = taken.len();
        return Err(content(format!(
            "it has {count} columns beside the key; a table has 1 to {MAX_COLUMNS}"
        )));
    }
    let mut known = HashSet::new();
    if let Some((column, _)) = taken.iter().find(|(column, _)| !known.insert(column.clone())) {
        return Err(content(format!("column `{column}` is there twice")));
    }
    if taken.iter().any(|(column, _)| column.group.is_some() != taken[0].0.group.is_some()) {
        return Err(content("some columns have a group and some have none".to_owned()));
    }
    Ok(taken)
}

/// Parses a measurement; an empty text is NaN.
fn measurement(text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Ok(f64::NAN);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err(format!("`{text}`, not a number of at least 0")),
    }
}

/// Opens a file for reading, decompressing it if it is a zstd file.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    (&mut file).take(ZSTD_MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    if start == ZSTD_MAGIC {
        Ok(Box::new(zstd::Decoder::new(file)?))
    } else {
        Ok(Box::new(BufReader::new(file)))
    }
}
