//! The tables of a script's `summary(run)`, made with `table(title, columns, rows)`.

use rhai::{Array, Dynamic, EvalAltResult, Module, NativeCallContext};

use super::diagnostic::counted;
use super::native::{name_type, native};
use super::options::{described, error_at_call};
use super::truncate::brief;

/// A titled table of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryTable {
    /// The heading.
    pub title: String,
    /// The heads of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a text for every column.
    pub rows: Vec<Vec<String>>,
}

impl SummaryTable {
    /// Reads the result of `summary(run)`: a table, an array of tables, or nothing; `None` for anything else.
    pub(super) fn read(value: &Dynamic) -> Option<Vec<Self>> {
        if value.is_unit() {
            return Some(Vec::new());
        }
        if let Some(table) = value.read_lock::<Self>() {
            return Some(vec![table.clone()]);
        }
        let items = value.read_lock::<Array>()?;
        items.iter().map(|item| item.clone().try_cast::<Self>()).collect()
    }
}

/// Registers `table`.
pub(super) fn register(globals: &mut Module) {
    name_type::<SummaryTable>(globals, "Table", "A titled table, as `table` gives it.");
    native! { globals =>
        /// A table for `summary(run)` to return: a title, the columns' heads, and rows that are arrays with a
        /// value for each column. Values are shown as text, floats to five digits.
        ///
        /// ```rhai
        /// fn summary(run) {
        ///     let rows = run.frontier.map(|trial| [trial.step, trial.metrics.accuracy]);
        ///     table("Frontier", ["step", "accuracy"], rows)
        /// }
        /// ```
        fn table(title: String, columns: Array, rows: Array) -> Table = table;
    }
}

fn table(
    context: NativeCallContext,
    title: &str,
    columns: Array,
    rows: Array,
) -> Result<SummaryTable, Box<EvalAltResult>> {
    let columns: Vec<String> = columns.iter().map(text).collect();
    let rows = rows
        .into_iter()
        .map(|row| {
            let kind = described(&context, &row);
            let cells = row.into_array().map_err(|_| {
                error_at_call(&context, format!("a row of table() is {kind}, not an array"))
            })?;
            if cells.len() != columns.len() {
                let cells = counted(cells.len(), "cell");
                let columns = counted(columns.len(), "column");
                let reason = format!("a row of table() has {cells} for {columns}");
                return Err(error_at_call(&context, reason));
            }
            Ok(cells.iter().map(text).collect())
        })
        .collect::<Result<_, _>>()?;
    let title = text(&title.to_owned().into());
    Ok(SummaryTable { title, columns, rows })
}

fn text(value: &Dynamic) -> String {
    match value.as_float() {
        Ok(float) => crate::report::number(float),
        // A table is for people: what is longer or commands the terminal is no cell of it.
        Err(_) => brief(value).replace(['\n', '\t'], " "),
    }
}
