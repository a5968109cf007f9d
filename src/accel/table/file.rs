//! Table files in the data folder.
//!
//! A file is the magic `TNDMTABL`, a version (u32, little-endian), the uncompressed length (u64), and a hash
//! followed by the zstd-compressed name, key, columns, keys and values that it covers.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::measured::{MeasuredTable, TableParts};
use crate::metrics::is_plain_word;
use crate::util::atomic_file::write_whole;
use crate::util::checksum::{body, hashed};

const FOLDER: &str = "tables";
const EXTENSION: &str = "table";
const MAGIC: &[u8; 8] = b"TNDMTABL";
const VERSION: u32 = 1;
const HEADER: usize = 8 + 4 + 8;

/// The maximum uncompressed length of a table, in bytes.
const LONGEST: u64 = 1 << 31;

/// Reasons that a table cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum MeasuredTableError {
    /// The table was not imported.
    #[error(
        "the table `{name}` is not in {}; `{}` brings it there{}",
        folder.display(), import_command(name), others(there)
    )]
    Missing {
        /// The name of the table.
        name: String,
        /// The data folder.
        folder: PathBuf,
        /// The tables in the data folder.
        there: Vec<String>,
    },
    /// An invalid name of a table.
    #[error("`{0}` is no name of a table: it takes a-z, 0-9, _ and -")]
    Name(String),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not a table, or is corrupted.
    #[error("{path} {what}; import it anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem, after the path.
        what: &'static str,
    },
    /// The file was written by a newer program.
    #[error("{path} has format version {found}, and this program reads version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// The format version of the file.
        found: u32,
    },
}

fn import_command(name: &str) -> String {
    if name == super::HW_NAS_BENCH {
        format!("tandem data import {name} FILE.csv")
    } else {
        format!("tandem data import table FILE.csv --name {name} --key COLUMN")
    }
}

fn others(there: &[String]) -> String {
    if there.is_empty() { String::new() } else { format!("; there are {}", there.join(", ")) }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    key: String,
    columns: Vec<String>,
    keys: Vec<String>,
    /// Row by row.
    values: Vec<Option<f64>>,
}

/// Returns the names of the tables in a data folder, sorted.
pub fn table_names(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join(FOLDER)).into_iter().flatten().flatten();
    let name = |entry: fs::DirEntry| {
        let path = entry.path();
        let is_table = path.extension().is_some_and(|extension| extension == EXTENSION);
        let name = path.file_stem()?.to_str()?.to_owned();
        (is_table && is_plain_word(&name)).then_some(name)
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort_unstable();
    names
}

impl MeasuredTable {
    /// Opens a table in a data folder.
    ///
    /// # Errors
    /// If there is no table of this name, or the file cannot be read or is corrupted.
    pub fn open(data: &Path, name: &str) -> Result<Self, MeasuredTableError> {
        let path = place(data, name)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let (name, folder) = (name.to_owned(), data.to_path_buf());
                return Err(MeasuredTableError::Missing { name, folder, there: table_names(data) });
            }
            Err(source) => return Err(MeasuredTableError::Read { path, source }),
        };
        Self::decode(&bytes, &path)
    }

    /// Writes the table into a data folder and replaces an older one; returns the path of the file.
    pub(super) fn save(&self, data: &Path) -> Result<PathBuf, (PathBuf, io::Error)> {
        let path = data.join(FOLDER).join(format!("{}.{EXTENSION}", self.name));
        let written = self.encode().and_then(|bytes| {
            fs::create_dir_all(data.join(FOLDER))?;
            write_whole(&path, &bytes)
        });
        written.map(|()| path.clone()).map_err(|source| (path, source))
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let stored = Stored {
            name: self.name.clone(),
            key: self.key.clone(),
            columns: self.columns.iter().map(ToString::to_string).collect(),
            keys: self.keys.clone(),
            values: self.values.iter().map(|&v| (!v.is_nan()).then_some(v)).collect(),
        };
        let plain = postcard::to_stdvec(&stored).map_err(io::Error::other)?;
        let length = (plain.len() as u64).to_le_bytes();
        let compressed = hashed(&zstd::bulk::compress(&plain, 19)?);
        Ok([MAGIC.as_slice(), &VERSION.to_le_bytes(), &length, &compressed].concat())
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self, MeasuredTableError> {
        let damaged = |what| MeasuredTableError::Damaged { path: path.to_path_buf(), what };
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(damaged("is cut short"));
        };
        let (magic, header) = header.split_at(MAGIC.len());
        let (version, length) = header.split_at(4);
        if magic != MAGIC {
            return Err(damaged("is no table of measurements"));
        }
        let found = u32::from_le_bytes(version.try_into().unwrap_or_default());
        if found != VERSION {
            return Err(MeasuredTableError::Version { path: path.to_path_buf(), found });
        }
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let compressed = body(rest).ok_or_else(|| damaged("is damaged: its hash does not hold"))?;
        if length > LONGEST {
            return Err(damaged("is too large"));
        }
        let stored = zstd::bulk::decompress(compressed, length as usize)
            .ok()
            .and_then(|plain| postcard::from_bytes::<Stored>(&plain).ok())
            .ok_or_else(|| damaged("is damaged: it cannot be unpacked"))?;
        let columns: Result<_, _> = stored.columns.iter().map(|column| column.parse()).collect();
        let columns = columns.map_err(|_| damaged("is damaged: a column has no name"))?;
        let values = stored.values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let digest = blake3::hash(compressed).to_hex()[..16].to_owned();
        let Stored { name, key, keys, .. } = stored;
        Self::new(TableParts { name, key, digest, columns, keys, values })
            .ok_or_else(|| damaged("is damaged: its rows do not agree"))
    }
}

/// Returns the path of a table; refuses a name that is not a plain word.
fn place(data: &Path, name: &str) -> Result<PathBuf, MeasuredTableError> {
    if !is_plain_word(name) {
        return Err(MeasuredTableError::Name(name.chars().take(80).collect()));
    }
    Ok(data.join(FOLDER).join(format!("{name}.{EXTENSION}")))
}
