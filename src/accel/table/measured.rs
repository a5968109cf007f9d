//! A table of measurements in memory.

use std::fmt;
use std::str::FromStr;

use rustc_hash::FxHashMap;

use crate::metrics::{MetricNameError, check_metric_name, is_plain_word};

/// The content of a column: one metric of one device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeasuredColumn {
    /// The circumstances of the measurement, such as the data set, where a table has several.
    pub group: Option<String>,
    /// The device.
    pub device: String,
    /// The metric's name, with its unit.
    pub metric: String,
}

impl fmt::Display for MeasuredColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = &self.group {
            write!(f, "{group}.")?;
        }
        write!(f, "{}.{}", self.device, self.metric)
    }
}

/// Reasons that a text is not the name of a column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// It does not consist of two or three words.
    #[error(
        "column `{0}` is not of the form DEVICE.METRIC or GROUP.DEVICE.METRIC (a-z, 0-9, _ and -), such \
         as pixel3.latency_ms"
    )]
    Form(String),
    /// The last word is not the name of a metric.
    #[error("column `{column}`: {source}")]
    Metric {
        /// The column.
        column: String,
        /// The problem with the metric.
        source: MetricNameError,
    },
}

impl FromStr for MeasuredColumn {
    type Err = ColumnError;

    fn from_str(text: &str) -> Result<Self, ColumnError> {
        let words: Vec<&str> = text.split('.').collect();
        let (group, device, metric) = match words[..] {
            [device, metric] => (None, device, metric),
            [group, device, metric] => (Some(group), device, metric),
            _ => return Err(ColumnError::Form(text.to_owned())),
        };
        if !group.into_iter().chain([device, metric]).all(is_plain_word) {
            return Err(ColumnError::Form(text.to_owned()));
        }
        check_metric_name(metric)
            .map_err(|source| ColumnError::Metric { column: text.to_owned(), source })?;
        let (device, metric) = (device.to_owned(), metric.to_owned());
        Ok(Self { group: group.map(str::to_owned), device, metric })
    }
}

/// Measurements of networks on devices.
#[derive(Clone, Debug)]
pub struct MeasuredTable {
    pub(super) name: String,
    /// The name of the key column in the imported file.
    pub(super) key: String,
    pub(super) columns: Vec<MeasuredColumn>,
    pub(super) keys: Vec<String>,
    rows: FxHashMap<String, u32>,
    /// The measurements, row by row; NaN where there is none.
    pub(super) values: Vec<f64>,
    pub(super) digest: String,
}

/// The parts of a table.
pub(super) struct TableParts {
    /// Its name.
    pub name: String,
    /// The name that the column of networks had in the file.
    pub key: String,
    /// The beginning of a hash of it; empty where it has not been written.
    pub digest: String,
    /// The columns.
    pub columns: Vec<MeasuredColumn>,
    /// The texts that the networks are known by.
    pub keys: Vec<String>,
    /// The measurements, row by row; NaN where there is none.
    pub values: Vec<f64>,
}

impl MeasuredTable {
    /// Makes a table; `values` are row by row. Returns `None` if a key is duplicated or the counts do not
    /// match.
    pub(super) fn new(parts: TableParts) -> Option<Self> {
        let TableParts { name, key, digest, columns, keys, values } = parts;
        let rows: FxHashMap<String, u32> = keys.iter().cloned().zip(0..).collect();
        let fits = rows.len() == keys.len() && values.len() == keys.len() * columns.len();
        fits.then_some(Self { name, key, columns, keys, rows, values, digest })
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that the key column had in the imported file.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The columns.
    pub fn columns(&self) -> &[MeasuredColumn] {
        &self.columns
    }

    /// The keys of the networks, in row order.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The first 16 hexadecimal digits of a BLAKE3 hash of the table.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The measurements of a network in column order, NaN where there is none; `None` for an unknown key.
    pub fn row(&self, network: &str) -> Option<&[f64]> {
        let start = *self.rows.get(network)? as usize * self.columns.len();
        self.values.get(start..start + self.columns.len())
    }
}
