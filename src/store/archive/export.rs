//! Export of a store to an archive.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use zstd::Encoder;

use super::super::disk::trees::is_local;
use super::super::error::StoreError;
use super::super::store::Store;
use super::format::{self, ArchiveEnd, Manifest, Totals, TreeTotals};
use crate::store::layout::FORMAT;
use crate::util::atomic_file::Replacement;
use crate::util::checksum;

/// The length, in bytes, at which a part of a tree ends. Its last record may exceed it.
const PART: usize = 1 << 20;

/// The compression level of zstd. Another level would change the bytes of archives.
const LEVEL: i32 = 9;

impl Store {
    /// Writes the store as an archive. Equal stores result in equal bytes.
    ///
    /// `name` is the name of the archive for messages.
    ///
    /// # Errors
    /// The store or the writer fails, a checkpoint of a training run is damaged, or a key or value is longer
    /// than 4 GiB.
    pub fn export(&self, out: impl Write, name: &Path) -> Result<Totals, StoreError> {
        let write = |source| StoreError::File { path: name.to_owned(), source };
        let mut archive = Archive::new(out).map_err(write)?;
        let manifest =
            Manifest { kind: format::KIND.to_owned(), version: format::VERSION, format: FORMAT };
        archive.json(format::MANIFEST, &manifest).map_err(write)?;
        let mut totals = Totals::default();
        for (tree_name, tree) in self.db.trees().map_err(|error| self.failed(error))? {
            let mut found = TreeTotals::default();
            let mut records = tree.iter().peekable();
            for number in 0_u64.. {
                let mut part = Vec::new();
                while part.len() < PART
                    && let Some(record) = records.next()
                {
                    let (key, value) = record.map_err(|error| self.failed(error))?;
                    if is_local(&tree_name, &key) {
                        continue;
                    }
                    format::push_record(&mut part, &key, &value).ok_or_else(|| {
                        let what = "a record".to_owned();
                        StoreError::Encode { what, reason: "it is longer than 4 GiB".to_owned() }
                    })?;
                    found.records += 1;
                    found.bytes += (key.len() + value.len()) as u64;
                }
                archive.entry(&format::part_name(&tree_name, number), &part).map_err(write)?;
                if records.peek().is_none() {
                    break;
                }
            }
            totals.trees.insert(format::encode_name(&tree_name), found);
        }
        for (file_name, path) in self.training_files()? {
            let bytes = fs::read(&path)
                .map_err(|source| StoreError::File { path: path.clone(), source })?;
            if checksum::body(&bytes).is_none() {
                let what = format!(
                    "`{}` is not whole; remove it, and that training starts anew",
                    path.display()
                );
                return Err(self.damaged(what));
            }
            let entry =
                format!("{}{}", format::FILES, format::encode_name(file_name.as_encoded_bytes()));
            archive.entry(&entry, &bytes).map_err(write)?;
            totals.files += 1;
        }
        archive.end(totals.clone()).map_err(write)?;
        Ok(totals)
    }

    /// Writes the store as an archive to a file, atomically.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_to(&self, path: &Path) -> Result<Totals, StoreError> {
        let failed = |source| StoreError::File { path: path.to_owned(), source };
        let mut file = BufWriter::new(Replacement::at(path).map_err(failed)?);
        let totals = self.export(&mut file, path)?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.keep().map_err(failed)?;
        Ok(totals)
    }

    /// Returns the files of checkpoints of training runs and their names, in order. Incomplete files are left
    /// out.
    pub(in crate::store) fn training_files(&self) -> Result<Vec<(OsString, PathBuf)>, StoreError> {
        training_files(&self.trainings)
            .map_err(|source| StoreError::File { path: self.trainings.clone(), source })
    }
}

/// Returns the complete checkpoints of training runs in a folder and their names, in order.
pub(in crate::store) fn training_files(folder: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let whole = path.extension().is_none_or(|extension| extension != "new");
        if whole && entry.file_type()?.is_file() {
            files.push((entry.file_name(), path));
        }
    }
    files.sort();
    Ok(files)
}

/// An archive that is being written.
pub(super) struct Archive<W: Write> {
    tar: Builder<Encoder<'static, W>>,
    /// The line with the hash and name of each entry so far.
    checksums: String,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut zstd = Encoder::new(out, LEVEL)?;
        zstd.include_checksum(true)?;
        Ok(Self { tar: Builder::new(zstd), checksums: String::new() })
    }

    pub(super) fn json(&mut self, name: &str, value: &impl serde::Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.entry(name, &text)
    }

    pub(super) fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        // Who wrote it and when is no part of what is in it.
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        self.tar.append_data(&mut header, name, bytes)?;
        self.checksums += &format!("{}  {name}\n", blake3::hash(bytes).to_hex());
        Ok(())
    }

    pub(super) fn end(mut self, totals: Totals) -> io::Result<()> {
        let checksums = std::mem::take(&mut self.checksums);
        self.entry(format::CHECKSUMS, checksums.as_bytes())?;
        let blake3 = blake3::hash(checksums.as_bytes()).to_hex().to_string();
        self.json(format::END, &ArchiveEnd { totals, blake3 })?;
        self.tar.into_inner()?.finish()?.flush()
    }
}
