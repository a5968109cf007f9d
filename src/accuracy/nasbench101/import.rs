//! Import of a table into the data folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::official::{self, OfficialError};
use super::table::{FILES, FOLDER, MAGIC, Nasbench101Table, Nasbench101TableError, ZSTD_MAGIC};
use crate::space::nasbench101::Catalog;
use crate::util::atomic_file::write_whole;

/// Reasons that an import fails; the data folder keeps its table as it was.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not a whole table.
    #[error(transparent)]
    Table(#[from] Nasbench101TableError),
    /// The file is not the official one, or is corrupted.
    #[error("{path}: {source}")]
    Official {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: OfficialError,
    },
    /// The cells are not those of the benchmark.
    #[error("{path} is not the whole NASBench-101: {what}")]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// The difference.
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
pub struct ImportedNasbench101 {
    /// The number of cells.
    pub cells: usize,
    /// The file that was written.
    pub path: PathBuf,
}

/// Imports a table of any known format into the data folder, after a check that it has every cell of the
/// benchmark.
///
/// The formats are nb101.bin, plain or compressed with zstd, and the official nasbench_only108.tfrecord; the
/// first bytes of the file decide. `cache` is the folder in which the list of all cells is cached.
///
/// # Errors
/// If the file cannot be read, is corrupted or incomplete, or the table cannot be written.
pub fn import(
    file: &Path,
    data: &Path,
    cache: Option<&Path>,
) -> Result<ImportedNasbench101, ImportError> {
    let table = read(file)?;
    keep(file, &table, &Catalog::load(cache), data)
}

/// Writes a table after a check that it has exactly the given cells.
fn keep(
    file: &Path,
    table: &Nasbench101Table,
    all: &Catalog,
    data: &Path,
) -> Result<ImportedNasbench101, ImportError> {
    check(file, table, all)?;
    let path = write(table, data)?;
    Ok(ImportedNasbench101 { cells: table.len(), path })
}

fn read(file: &Path) -> Result<Nasbench101Table, ImportError> {
    let failed = |source| ImportError::Read { path: file.to_owned(), source };
    let mut start = Vec::new();
    File::open(file)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
        .map_err(failed)?;
    if start.starts_with(MAGIC) || start.starts_with(&ZSTD_MAGIC) {
        return Ok(Nasbench101Table::read(file)?);
    }
    let records = io::BufReader::with_capacity(1 << 20, File::open(file).map_err(failed)?);
    official::read(records)
        .map_err(|source| ImportError::Official { path: file.to_owned(), source })
}

fn check(file: &Path, table: &Nasbench101Table, all: &Catalog) -> Result<(), ImportError> {
    let incomplete = |what| Err(ImportError::Incomplete { path: file.to_owned(), what });
    if table.len() != all.len() {
        return incomplete(format!("it has {} cells of {}", table.len(), all.len()));
    }
    let rows = table.cells().iter().zip(all.iter());
    match rows.enumerate().find(|(_, (found, (_, expected)))| *found != expected) {
        None => Ok(()),
        Some((row, (found, (hash, _)))) => {
            incomplete(format!("row {row} is {found} where cell {hash} belongs"))
        }
    }
}

fn write(table: &Nasbench101Table, data: &Path) -> Result<PathBuf, ImportError> {
    let path = data.join(FOLDER).join(FILES[0]);
    let write = || {
        let compressed = zstd::bulk::compress(&table.encode(), 19)?;
        std::fs::create_dir_all(data.join(FOLDER))?;
        write_whole(&path, &compressed)
    };
    write().map_err(|source| ImportError::Write { path: path.clone(), source })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::official::tests::file_of;
    use super::*;
    use crate::space::nasbench101::{Cell101, every_cell};
    use crate::test_support::data_dir;

    /// Imports a file as [`import`] does, but without enumerating the cells.
    fn import_all(
        file: &Path,
        data: &Path,
        all: &Catalog,
    ) -> Result<ImportedNasbench101, ImportError> {
        keep(file, &read(file)?, all, data)
    }

    #[test]
    fn an_official_file_is_imported() {
        let folder = tempfile::tempdir().unwrap();
        let (file, data) = (folder.path().join("records"), folder.path().join("data"));
        let all = Catalog::up_to(4);
        // As the benchmark's file is in no order of hashes.
        let mut cells: Vec<Cell101> = all.iter().map(|(_, cell)| cell).collect();
        cells.reverse();
        fs::write(&file, file_of((0..).step_by(100).zip(&cells).map(|(n, cell)| (*cell, n))))
            .unwrap();
        let imported = import_all(&file, &data, &all).unwrap();
        assert_eq!(imported.cells, 91);
        let table = Nasbench101Table::open(&data).unwrap();
        assert!(table.cells().iter().rev().eq(&cells));
        for (n, cell) in (0..).step_by(100).zip(&cells) {
            assert_eq!(table.accuracy(cell), Some(f64::from(n) / 9_984.0), "{cell}");
        }

        let message =
            |what: &str| format!("{} is not the whole NASBench-101: {what}", file.display());
        let refusal = |all| import_all(&file, &data, all).unwrap_err().to_string();
        assert_eq!(refusal(every_cell()), message("it has 91 cells of 423624"));
        fs::write(&file, file_of(cells[1..].iter().map(|cell| (*cell, 9_984)))).unwrap();
        assert_eq!(refusal(&all), message("it has 90 cells of 91"));
        assert_eq!(Nasbench101Table::open(&data).unwrap(), table);
    }

    #[test]
    fn a_table_is_imported_whole_or_not_at_all() {
        let Some(dir) = data_dir() else { return };
        let file = dir.join("nasbench101/nb101.bin.zst");
        let temporary = tempfile::tempdir().unwrap();
        let data = temporary.path().join("data");
        let import = |file: &Path| import_all(file, &data, every_cell());
        let imported = import(&file).unwrap();
        assert_eq!(imported.cells, 423_624);
        assert_eq!(imported.path, data.join("nasbench101/nb101.bin.zst"));
        let whole = Nasbench101Table::open(&dir).unwrap();
        assert_eq!(Nasbench101Table::open(&data).unwrap(), whole);

        let partial = temporary.path().join("partial.bin");
        let cells = whole.cells()[..1_000].to_vec();
        fs::write(&partial, Nasbench101Table::new(cells, vec![0; 1_000]).encode()).unwrap();
        assert_eq!(
            import(&partial).unwrap_err().to_string(),
            format!(
                "{} is not the whole NASBench-101: it has 1000 cells of 423624",
                partial.display()
            )
        );
        let mut cells = whole.cells().to_vec();
        cells.swap(7, 8);
        fs::write(&partial, Nasbench101Table::new(cells, vec![0; 423_624]).encode()).unwrap();
        let error = import(&partial).unwrap_err().to_string();
        assert!(error.contains("is not the whole NASBench-101: row 7 is "), "{error}");

        let text = temporary.path().join("text");
        fs::write(&text, "hello").unwrap();
        assert_eq!(
            import(&text).unwrap_err().to_string(),
            format!(
                "{}: it is neither nb101.bin nor nasbench_only108.tfrecord: it ends within record \
                 0 at byte 0",
                text.display()
            )
        );
        let missing = temporary.path().join("missing");
        let error = import(&missing).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read {}: ", missing.display())), "{error}");
        assert_eq!(Nasbench101Table::open(&data).unwrap(), whole);
        assert_eq!(fs::read_dir(data.join("nasbench101")).unwrap().count(), 1);
    }
}
