//! The stored table: a cell and its count of correct answers for each row.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::space::nasbench101::{CELL_COUNT, Cell101};

/// The folder of tables within the data folder.
pub(super) const FOLDER: &str = "nasbench101";
/// The possible names of the file; the first that exists is read.
pub(super) const FILES: [&str; 2] = ["nb101.bin.zst", "nb101.bin"];

pub(super) const MAGIC: &[u8; 8] = b"NB101\0\x01\0";
const HEADER: usize = 12;
const CELL_BYTES: usize = 4;
const COUNT_BYTES: usize = 2;

/// Test images of three trainings; batches of 256 leave out 16 of the 10,000.
pub(super) const TEST_IMAGES: u16 = 3 * 9_984;

/// The maximum size of a table in bytes.
const LARGEST: usize = HEADER + CELL_COUNT * (CELL_BYTES + COUNT_BYTES);

pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reasons that a table cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Nasbench101TableError {
    /// The table was not imported.
    #[error(
        "the NASBench-101 table is not in {folder}; \
         `tandem data import nasbench101 FILE` takes nb101.bin or nasbench_only108.tfrecord into it"
    )]
    Missing {
        /// The data folder.
        folder: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the NASBench-101 table {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Arc<io::Error>,
    },
    /// The file is not a whole table.
    #[error(
        "{path} is not a whole NASBench-101 table: {what}; \
         import it again with `tandem data import nasbench101 FILE`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
}

/// The mean test accuracies of the cells after 108 epochs on CIFAR-10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nasbench101Table {
    /// The graphs that the benchmark keeps, in ascending order of their hashes.
    cells: Vec<Cell101>,
    /// The number of correct answers of each cell, out of [`TEST_IMAGES`].
    correct: Vec<u16>,
    /// The rows in ascending order of their cells.
    by_cell: Vec<u32>,
}

impl Nasbench101Table {
    /// The first 16 hexadecimal digits of a BLAKE3 hash of all rows.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (cell, correct) in self.cells.iter().zip(&self.correct) {
            hasher.update(&cell.packed().to_le_bytes());
            hasher.update(&correct.to_le_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// Opens the table in a data folder.
    ///
    /// # Errors
    /// If it does not exist, cannot be read, or is corrupted.
    pub fn open(data: &Path) -> Result<Self, Nasbench101TableError> {
        let folder = data.join(FOLDER);
        let path = FILES.iter().map(|name| folder.join(name)).find(|path| path.exists());
        let path =
            path.ok_or_else(|| Nasbench101TableError::Missing { folder: data.to_owned() })?;
        Self::read(&path)
    }

    /// Reads a table, plain or compressed with zstd.
    ///
    /// # Errors
    /// As [`Nasbench101Table::open`].
    pub(super) fn read(path: &Path) -> Result<Self, Nasbench101TableError> {
        let bytes = read_limited(path).map_err(|source| Nasbench101TableError::Read {
            path: path.to_owned(),
            source: Arc::new(source),
        })?;
        decompress(bytes)
            .map_err(|error| format!("it does not decompress ({error})"))
            .and_then(|bytes| Self::decode(&bytes))
            .map_err(|what| Nasbench101TableError::Damaged { path: path.to_owned(), what })
    }

    /// Makes a table from rows in ascending order of the cells' hashes.
    pub(super) fn new(cells: Vec<Cell101>, correct: Vec<u16>) -> Self {
        let mut by_cell: Vec<u32> = (0..cells.len() as u32).collect();
        by_cell.sort_unstable_by_key(|&row| cells[row as usize]);
        Self { cells, correct, by_cell }
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(format!("it has {} bytes and ends within its header", bytes.len()));
        };
        let (magic, count) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err("it does not begin like one".to_owned());
        }
        let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]) as usize;
        let expected = count.saturating_mul(CELL_BYTES + COUNT_BYTES);
        if body.len() != expected {
            let (found, expected) = (HEADER + body.len(), HEADER + expected);
            return Err(format!("its {count} rows take {expected} bytes, and there are {found}"));
        }
        let (cells, correct) = body.split_at(count * CELL_BYTES);
        let cell = |(row, bytes): (usize, &[u8])| {
            let packed = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            Cell101::from_packed(packed).ok_or_else(|| format!("row {row} has no valid cell"))
        };
        let correct_of = |(row, bytes): (usize, &[u8])| {
            let correct = u16::from_le_bytes([bytes[0], bytes[1]]);
            match correct <= TEST_IMAGES {
                true => Ok(correct),
                false => Err(format!("row {row} has an accuracy above 1")),
            }
        };
        let cells = cells.chunks_exact(CELL_BYTES).enumerate().map(cell);
        let correct = correct.chunks_exact(COUNT_BYTES).enumerate().map(correct_of);
        Ok(Self::new(cells.collect::<Result<_, _>>()?, correct.collect::<Result<_, _>>()?))
    }

    /// The uncompressed bytes of the table, as `decode` reads them.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.cells.len() as u32).to_le_bytes());
        bytes.extend(self.cells.iter().flat_map(|cell| cell.packed().to_le_bytes()));
        bytes.extend(self.correct.iter().flat_map(|correct| correct.to_le_bytes()));
        bytes
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Returns true if the table has no cells.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cells, in ascending order of their hashes.
    pub fn cells(&self) -> &[Cell101] {
        &self.cells
    }

    /// The mean test accuracy of a cell over three trainings, as a fraction; `None` if it is not in the
    /// table.
    pub fn accuracy(&self, cell: &Cell101) -> Option<f64> {
        let kept = cell.kept();
        let found = self.by_cell.binary_search_by_key(&kept, |&row| self.cells[row as usize]);
        let row = self.by_cell[found.ok()?] as usize;
        Some(f64::from(self.correct[row]) / f64::from(TEST_IMAGES))
    }
}

/// One byte more than the maximum size, so that a longer file is noticed.
const LIMIT: u64 = LARGEST as u64 + 1;

/// Reads at most twice the size of a table; a compressed one is at most slightly larger than a plain one.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(2 * LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Decompresses zstd data, up to [`LIMIT`] bytes; returns other data unchanged.
fn decompress(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(&ZSTD_MAGIC) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    zstd::Decoder::new(bytes.as_slice())?.take(LIMIT).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Nasbench101Settings, nasbench101};
    use crate::space::nasbench101::CellHash;
    use crate::test_support::data_dir;

    fn table() -> Option<Nasbench101Table> {
        data_dir().map(|dir| Nasbench101Table::open(&dir).unwrap())
    }

    /// The ranks that cells of the same accuracy share.
    fn ranks(table: &Nasbench101Table, accuracy: f64) -> std::ops::RangeInclusive<usize> {
        let count = |wanted: &dyn Fn(f64) -> bool| {
            let fraction = |&correct: &u16| f64::from(correct) / f64::from(TEST_IMAGES);
            table.correct.iter().filter(|correct| wanted(fraction(correct))).count()
        };
        1 + count(&|other| other > accuracy)..=count(&|other| other >= accuracy)
    }

    #[test]
    fn the_best_cell_is_the_published_one() {
        let Some(table) = table() else { return };
        assert_eq!(table.len(), CELL_COUNT);
        let (row, _) =
            table.correct.iter().enumerate().max_by_key(|(_, correct)| **correct).unwrap();
        let cell = table.cells[row];
        assert_eq!(cell.hash(), CellHash::parse("02e5a0247bbdcf2860b7e96f74961594").unwrap());
        // The published mean is of single-precision accuracies.
        assert!((table.accuracy(&cell).unwrap() - 0.943_175_752_957_662).abs() < 1e-8);
        let network = nasbench101(&cell, Nasbench101Settings::default()).unwrap();
        assert_eq!(network.parameters(), 32_426_634);
    }

    #[test]
    fn the_baselines_have_their_published_ranks() {
        let Some(table) = table() else { return };
        for (cell, percent, expected) in [
            (Cell101::resnet_like(), "93.18", 16_787),
            (Cell101::inception_like(), "93.09", 22_250),
        ] {
            let accuracy = table.accuracy(&cell).unwrap();
            assert_eq!(format!("{:.2}", 100.0 * accuracy), percent);
            assert!(ranks(&table, accuracy).contains(&expected));
        }
    }

    #[test]
    fn accuracies_of_the_sample_are_the_benchmarks() {
        let (Some(dir), Some(table)) = (data_dir(), table()) else { return };
        let file = File::open(dir.join("nasbench101/nb101_sample.csv")).unwrap();
        let mut rows = 0;
        for row in csv::Reader::from_reader(file).into_records() {
            let row = row.unwrap();
            let cell = table.cells()[row[0].parse::<usize>().unwrap()];
            let expected: f64 = row[6].parse().unwrap();
            // The sample is rounded to nine digits.
            assert!((table.accuracy(&cell).unwrap() - expected).abs() < 1e-8, "{cell}");
            rows += 1;
        }
        assert_eq!(rows, 1_000);
    }

    #[test]
    fn a_missing_table_names_the_command() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            Nasbench101Table::open(dir.path()).unwrap_err().to_string(),
            format!(
                "the NASBench-101 table is not in {}; `tandem data import nasbench101 FILE` takes \
                 nb101.bin or nasbench_only108.tfrecord into it",
                dir.path().display()
            )
        );
    }

    #[test]
    fn damaged_tables_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("nb101.bin");
        let cells = vec![Cell101::resnet_like(), Cell101::inception_like()];
        let table = Nasbench101Table::new(cells, vec![29_000, TEST_IMAGES]);
        let whole = table.encode();
        let open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Nasbench101Table::open(dir.path()).map_err(|error| error.to_string())
        };
        assert_eq!(open(&whole), Ok(table.clone()));
        assert_eq!(open(&zstd::bulk::compress(&whole, 3).unwrap()), Ok(table));
        let refusal = |bytes: &[u8]| {
            let error = open(bytes).unwrap_err();
            let prefix = format!("{} is not a whole NASBench-101 table: ", path.display());
            let suffix = "; import it again with `tandem data import nasbench101 FILE`";
            error.strip_prefix(&prefix).unwrap().strip_suffix(suffix).unwrap().to_owned()
        };
        assert_eq!(refusal(&whole[..5]), "it has 5 bytes and ends within its header");
        assert_eq!(refusal(&whole[..20]), "its 2 rows take 24 bytes, and there are 20");
        assert_eq!(
            refusal(&[&whole[..], b"x"].concat()),
            "its 2 rows take 24 bytes, and there are 25"
        );
        let with = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            refusal(&bytes)
        };
        assert_eq!(with(0, b'M'), "it does not begin like one");
        assert_eq!(with(12, 0), "row 0 has no valid cell");
        assert_eq!(with(23, 0xff), "row 1 has an accuracy above 1");
        let compressed = zstd::bulk::compress(&whole, 3).unwrap();
        assert_eq!(
            refusal(&compressed[..compressed.len() - 3]),
            "it does not decompress (incomplete frame)"
        );
    }
}
