//! Trials as rows of a table.

use std::collections::BTreeSet;

use super::cell::{Column, ColumnKind, TableCell};
use super::table::Table;
use crate::store::{Outcome, Trial};

/// The names of all metrics that occur in some trials.
pub fn metric_names<'t>(trials: impl IntoIterator<Item = &'t Trial>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for trial in trials {
        for name in trial.outcome.metrics().keys() {
            if !names.contains(name) {
                names.insert(name.clone());
            }
        }
    }
    names
}

/// Picks at most `most` items, evenly spread, with both ends; `most` must be at least 2.
pub fn spread<T: Clone>(trials: &[T], most: usize) -> Vec<T> {
    if trials.len() <= most {
        return trials.to_vec();
    }
    (0..most).map(|index| trials[index * (trials.len() - 1) / (most - 1)].clone()).collect()
}

/// The columns of a table of trials.
#[derive(Clone, Debug)]
pub struct TrialColumns {
    run: bool,
    metrics: Vec<String>,
    /// True if some trial failed, so that there is a column for the reasons.
    failed: bool,
    parts: Vec<String>,
    /// True if the head of the accuracy says that it is predicted.
    predicted: bool,
}

impl TrialColumns {
    /// Collects the columns of some trials: metrics, with the given ones first, and the parts of the point.
    pub fn new<'t>(
        trials: impl IntoIterator<Item = &'t Trial> + Clone,
        first: impl IntoIterator<Item = String>,
        with_run: bool,
    ) -> Self {
        let mut metrics: Vec<String> = first.into_iter().collect();
        for name in metric_names(trials.clone()) {
            if !metrics.contains(&name) {
                metrics.push(name);
            }
        }
        let mut parts = BTreeSet::new();
        let mut failed = false;
        for trial in trials {
            parts.extend(trial.text.keys().cloned());
            failed |= matches!(trial.outcome, Outcome::Failed { .. });
        }
        let parts = parts.into_iter().collect();
        Self { run: with_run, metrics, failed, parts, predicted: false }
    }

    /// Sets whether the head of the accuracy says that it is predicted.
    #[must_use]
    pub const fn labeled(mut self, predicted: bool) -> Self {
        self.predicted = predicted;
        self
    }

    /// Creates columns by name: metrics, parts of the point, and optionally the reasons of failures and the
    /// run.
    pub const fn of_names(
        metrics: Vec<String>,
        parts: Vec<String>,
        failed: bool,
        with_run: bool,
    ) -> Self {
        Self { run: with_run, metrics, failed, parts, predicted: false }
    }

    /// Creates a table with these columns and no rows.
    pub fn table(&self) -> Table {
        Table::new(self.columns().into_iter().map(|column| column.name))
    }

    /// The columns.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        if self.run {
            columns.push(Column::new("run", ColumnKind::Text));
        }
        columns.push(Column::new("step", ColumnKind::Int));
        columns.extend(self.metrics.iter().map(|name| match name.as_str() {
            "accuracy" if self.predicted => Column::new("accuracy (predicted)", ColumnKind::Number),
            name => Column::new(name, ColumnKind::Number),
        }));
        columns.push(Column::new("reward", ColumnKind::Number));
        columns.push(Column::new("valid", ColumnKind::Flag));
        if self.failed {
            columns.push(Column::new("failed", ColumnKind::Text));
        }
        columns.extend(self.parts.iter().map(|part| Column::new(part, ColumnKind::Text)));
        columns
    }

    /// The row of a trial.
    pub fn row(&self, run: &str, trial: &Trial) -> Vec<TableCell> {
        let mut row = Vec::new();
        if self.run {
            row.push(run.into());
        }
        row.push(trial.step.into());
        row.extend(self.metrics.iter().map(|name| TableCell::from(trial.outcome.metric(name))));
        row.push(trial.outcome.reward().into());
        let (valid, reason) = match &trial.outcome {
            Outcome::Done { valid, .. } => (Some(*valid), None),
            Outcome::Failed { reason, .. } => (None, Some(reason.as_str())),
        };
        row.push(valid.into());
        if self.failed {
            row.push(reason.into());
        }
        let text = |part: &String| TableCell::from(trial.text.get(part).map(String::as_str));
        row.extend(self.parts.iter().map(text));
        row
    }
}
