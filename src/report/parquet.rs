//! Rows as an Apache Parquet file, with optional columns and Zstandard compression.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::cell::{ColumnKind, TableCell};

/// The number of rows in a row group.
const GROUP: usize = 65_536;

/// A writer of rows to a Parquet file, one row group at a time.
pub(super) struct ParquetRows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    names: Vec<String>,
    columns: Vec<Values>,
    held: usize,
}

/// The buffered values of a column, with a definition level for each row: 1 if it has a value, else 0.
enum Values {
    Flag(Vec<bool>, Vec<i16>),
    Int(Vec<i64>, Vec<i16>),
    Number(Vec<f64>, Vec<i16>),
    Text(Vec<ByteArray>, Vec<i16>),
}

impl Values {
    const fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Flag => Self::Flag(Vec::new(), Vec::new()),
            ColumnKind::Int => Self::Int(Vec::new(), Vec::new()),
            ColumnKind::Number => Self::Number(Vec::new(), Vec::new()),
            ColumnKind::Text => Self::Text(Vec::new(), Vec::new()),
        }
    }

    /// Adds a cell; `None` if its kind does not fit the column.
    fn push(&mut self, cell: &TableCell) -> Option<()> {
        let (Self::Flag(_, levels)
        | Self::Int(_, levels)
        | Self::Number(_, levels)
        | Self::Text(_, levels)) = self;
        if *cell == TableCell::Empty {
            levels.push(0);
            return Some(());
        }
        levels.push(1);
        match (self, cell) {
            (Self::Flag(values, _), TableCell::Flag(flag)) => values.push(*flag),
            (Self::Int(values, _), TableCell::Int(int)) => values.push(i64::try_from(*int).ok()?),
            (Self::Int(values, _), TableCell::Signed(int)) => values.push(*int),
            (Self::Number(values, _), TableCell::Number(number)) => values.push(*number),
            (Self::Number(values, _), TableCell::Int(int)) => values.push(*int as f64),
            (Self::Number(values, _), TableCell::Signed(int)) => values.push(*int as f64),
            (Self::Text(values, _), cell) => values.push(cell.in_full().into_bytes().into()),
            _ => return None,
        }
        Some(())
    }

    /// Writes the buffered values as the next column of a row group, and clears them.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        match self {
            Self::Flag(values, levels) => write::<W, BoolType>(group, values, levels),
            Self::Int(values, levels) => write::<W, Int64Type>(group, values, levels),
            Self::Number(values, levels) => write::<W, DoubleType>(group, values, levels),
            Self::Text(values, levels) => write::<W, ByteArrayType>(group, values, levels),
        }
    }
}

fn write<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    levels: &mut Vec<i16>,
) -> Result<(), ParquetError> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))?;
    column.typed::<T>().write_batch(values, Some(levels), None)?;
    values.clear();
    levels.clear();
    column.close()
}

impl<W: Write + Send> ParquetRows<W> {
    /// Starts a file with columns of the given names and kinds.
    pub(super) fn new<'n>(
        columns: impl Iterator<Item = (&'n str, ColumnKind)>,
        out: W,
    ) -> io::Result<Self> {
        let (names, kinds): (Vec<String>, Vec<ColumnKind>) =
            columns.map(|(name, kind)| (name.to_owned(), kind)).unzip();
        let fields: Result<Vec<_>, ParquetError> =
            names.iter().zip(&kinds).map(|(name, &kind)| field(name, kind).map(Arc::new)).collect();
        let schema =
            Type::group_type_builder("trials").with_fields(fields.map_err(of_parquet)?).build();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("tandem version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let schema = Arc::new(schema.map_err(of_parquet)?);
        let file =
            SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(of_parquet)?;
        Ok(Self { file, names, columns: kinds.into_iter().map(Values::new).collect(), held: 0 })
    }

    pub(super) fn push(&mut self, row: &[TableCell]) -> io::Result<()> {
        for ((column, cell), name) in self.columns.iter_mut().zip(row).zip(&self.names) {
            column.push(cell).ok_or_else(|| {
                io::Error::other(format!("{} does not fit column `{name}`", cell.in_full()))
            })?;
        }
        self.held += 1;
        if self.held == GROUP { self.flush().map_err(of_parquet) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        self.held = 0;
        Ok(())
    }

    /// Writes the remaining rows and the end of the file, and returns the writer.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.held > 0 {
            self.flush().map_err(of_parquet)?;
        }
        self.file.into_inner().map_err(of_parquet)
    }
}

fn field(name: &str, kind: ColumnKind) -> Result<Type, ParquetError> {
    let (physical, logical) = match kind {
        ColumnKind::Flag => (Physical::BOOLEAN, None),
        ColumnKind::Int => (Physical::INT64, None),
        ColumnKind::Number => (Physical::DOUBLE, None),
        ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// Converts an error of the library to the writer's error behind it, with its kind: a closed pipe is no
/// failure.
fn of_parquet(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    #[test]
    fn the_librarys_own_reader_finds_every_value_of_several_groups() {
        let columns = [
            ("f", ColumnKind::Flag),
            ("i", ColumnKind::Int),
            ("n", ColumnKind::Number),
            ("t", ColumnKind::Text),
        ];
        let row = |at: usize| match at % 3 {
            0 => vec![
                TableCell::Empty,
                TableCell::Signed(-(at as i64)),
                TableCell::Empty,
                "é".into(),
            ],
            1 => vec![
                true.into(),
                TableCell::Int(at as u64),
                (at as f64 / 7.0).into(),
                TableCell::Empty,
            ],
            _ => vec![
                false.into(),
                TableCell::Empty,
                TableCell::Int(at as u64),
                at.to_string().into(),
            ],
        };
        let count = GROUP + 5;
        let file = tempfile::tempfile().unwrap();
        let mut rows = ParquetRows::new(columns.into_iter(), file).unwrap();
        (0..count).for_each(|at| rows.push(&row(at)).unwrap());
        let reader = SerializedFileReader::new(rows.finish().unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let mut read = 0;
        for (at, record) in reader.get_row_iter(None).unwrap().enumerate() {
            let fields: Vec<Field> =
                record.unwrap().get_column_iter().map(|(_, field)| field.clone()).collect();
            let expected: Vec<Field> = row(at)
                .into_iter()
                .enumerate()
                .map(|(column, cell)| match (column, cell) {
                    (_, TableCell::Empty) => Field::Null,
                    (_, TableCell::Flag(flag)) => Field::Bool(flag),
                    (2, TableCell::Int(int)) => Field::Double(int as f64),
                    (_, TableCell::Int(int)) => Field::Long(int as i64),
                    (_, TableCell::Signed(int)) => Field::Long(int),
                    (_, TableCell::Number(number)) => Field::Double(number),
                    (_, TableCell::Text(text)) => Field::Str(text),
                })
                .collect();
            assert_eq!(fields, expected, "row {at}");
            read += 1;
        }
        assert_eq!(read, count);
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        let mut rows = ParquetRows::new([("a", ColumnKind::Int)].into_iter(), Vec::new()).unwrap();
        let error = rows.push(&["x".into()]).unwrap_err();
        assert_eq!(error.to_string(), "x does not fit column `a`");
    }
}
