//! Streamed rows of a table.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::cell::{Column, ColumnKind, Format, TableCell};
use super::parquet::ParquetRows;
use super::table::Table;

/// A writer of rows, one at a time.
///
/// A table for people, and a Parquet file with a column of an unknown kind, are written at the end, when all
/// rows are known. The other formats keep at most 65,536 rows in memory.
pub struct Rows<W: Write + Send> {
    columns: Vec<Column>,
    sink: Sink<W>,
    count: u64,
}

enum Sink<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Json(W),
    Jsonl(W),
    Parquet(Box<ParquetRows<W>>),
    /// Rows that are kept until the end.
    Waiting(Format, Vec<Vec<TableCell>>, W),
}

impl<W: Write + Send> Rows<W> {
    /// Creates a writer, and writes the head.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn new(format: Format, columns: Vec<Column>, mut out: W) -> io::Result<Self> {
        let kinds: Option<Vec<ColumnKind>> = columns.iter().map(|column| column.kind).collect();
        let sink = match (format, kinds) {
            (Format::Csv, _) => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(columns.iter().map(|column| &column.name)).map_err(of_csv)?;
                Sink::Csv(Box::new(csv))
            }
            (Format::Json, _) => {
                write!(out, "[")?;
                Sink::Json(out)
            }
            (Format::Jsonl, _) => Sink::Jsonl(out),
            (Format::Parquet, Some(kinds)) => {
                let names = columns.iter().map(|column| column.name.as_str());
                Sink::Parquet(Box::new(ParquetRows::new(names.zip(kinds), out)?))
            }
            (Format::Parquet, None) | (Format::Table, _) => Sink::Waiting(format, Vec::new(), out),
        };
        Ok(Self { columns, sink, count: 0 })
    }

    /// The number of rows so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds a row with a value for every column.
    ///
    /// # Errors
    /// An error of the writer, or a value of another kind than its column.
    pub fn push(&mut self, row: Vec<TableCell>) -> io::Result<()> {
        debug_assert_eq!(row.len(), self.columns.len(), "a value for every column");
        self.count += 1;
        match &mut self.sink {
            Sink::Csv(csv) => csv.write_record(row.iter().map(TableCell::in_full)).map_err(of_csv),
            Sink::Json(out) => {
                let text = serde_json::to_string_pretty(&object(&self.columns, &row))?;
                let comma = if self.count > 1 { "," } else { "" };
                write!(out, "{comma}\n  {}", text.replace('\n', "\n  "))
            }
            Sink::Jsonl(out) => {
                serde_json::to_writer(&mut *out, &object(&self.columns, &row))?;
                writeln!(out)
            }
            Sink::Parquet(rows) => rows.push(&row),
            Sink::Waiting(_, rows, _) => {
                rows.push(row);
                Ok(())
            }
        }
    }

    /// Writes the remaining rows, and returns the writer.
    ///
    /// # Errors
    /// An error of the writer.
    pub fn finish(self) -> io::Result<W> {
        let mut out = match self.sink {
            Sink::Csv(csv) => csv.into_inner().map_err(csv::IntoInnerError::into_error)?,
            Sink::Json(mut out) => {
                writeln!(out, "{}]", if self.count > 0 { "\n" } else { "" })?;
                out
            }
            Sink::Jsonl(out) => out,
            Sink::Parquet(rows) => rows.finish()?,
            Sink::Waiting(Format::Parquet, rows, out) => {
                let kinds = self.columns.iter().enumerate().map(|(index, column)| {
                    let cells = rows.iter().map(|row| &row[index]);
                    (column.name.as_str(), column.kind.unwrap_or_else(|| ColumnKind::of(cells)))
                });
                let mut sink = ParquetRows::new(kinds, out)?;
                rows.iter().try_for_each(|row| sink.push(row))?;
                sink.finish()?
            }
            Sink::Waiting(format, rows, mut out) => {
                let mut table = Table::new(self.columns.into_iter().map(|column| column.name));
                rows.into_iter().for_each(|row| table.push(row));
                table.write(format, &mut out)?;
                out
            }
        };
        out.flush()?;
        Ok(out)
    }
}

impl Table {
    /// Writes the table in a format.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn write(&self, format: Format, mut out: impl Write) -> io::Result<()> {
        if format == Format::Table {
            return writeln!(out, "{}", self.for_people());
        }
        let mut bytes = Vec::new();
        let columns = self.columns.iter().map(|name| Column { name: name.clone(), kind: None });
        let mut rows = Rows::new(format, columns.collect(), &mut bytes)?;
        for row in &self.rows {
            rows.push(row.clone())?;
        }
        rows.finish()?;
        out.write_all(&bytes)
    }
}

fn object(columns: &[Column], row: &[TableCell]) -> Value {
    let entries = columns.iter().map(|column| column.name.clone());
    Value::Object(entries.zip(row.iter().map(TableCell::to_json)).collect::<Map<_, _>>())
}

/// Converts an error of the csv library to the writer's error behind it, with its kind: a closed pipe is no
/// failure.
fn of_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, rows: &[Vec<TableCell>]) -> String {
        let columns =
            vec![Column::new("a", ColumnKind::Int), Column { name: "b".into(), kind: None }];
        let mut sink = Rows::new(format, columns, Vec::new()).unwrap();
        rows.iter().for_each(|row| sink.push(row.clone()).unwrap());
        String::from_utf8(sink.finish().unwrap()).unwrap()
    }

    #[test]
    fn rows_are_written_as_they_come() {
        let rows =
            [vec![TableCell::Int(1), "x\ny".into()], vec![TableCell::Signed(-2), TableCell::Empty]];
        assert_eq!(written(Format::Csv, &rows), "a,b\n1,\"x\ny\"\n-2,\n");
        assert_eq!(
            written(Format::Jsonl, &rows),
            "{\"a\":1,\"b\":\"x\\ny\"}\n{\"a\":-2,\"b\":null}\n"
        );
        let json: Vec<Value> = serde_json::from_str(&written(Format::Json, &rows)).unwrap();
        let pretty = serde_json::to_string_pretty(&json).unwrap() + "\n";
        assert_eq!(written(Format::Json, &rows), pretty);
        assert_eq!(written(Format::Json, &[]), "[]\n");
        assert_eq!(written(Format::Csv, &[]), "a,b\n");
    }

    #[test]
    fn a_kind_loses_nothing() {
        let of = |cells: &[TableCell]| ColumnKind::of(cells.iter());
        assert_eq!(
            of(&[TableCell::Int(1), TableCell::Empty, TableCell::Signed(-1)]),
            ColumnKind::Int
        );
        assert_eq!(of(&[TableCell::Int(1), TableCell::Number(0.5)]), ColumnKind::Number);
        assert_eq!(of(&[TableCell::Int(u64::MAX)]), ColumnKind::Text);
        assert_eq!(of(&[TableCell::Flag(true), TableCell::Int(1)]), ColumnKind::Text);
        assert_eq!(of(&[TableCell::Empty]), ColumnKind::Text);
    }
}
