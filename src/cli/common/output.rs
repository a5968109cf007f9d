//! Destinations of results: standard output, or a file that is written atomically.

use std::io::{self, BufWriter, IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::common::error::CliError;
use tandem::report::Format;
use tandem::util::atomic_file::{Replacement, WriteTarget};

/// The destination of results.
pub struct Output(Place);

enum Place {
    /// Standard output, or a device or pipe named as a file.
    Stream(BufWriter<Box<dyn Write + Send>>),
    /// The path, and the temporary file beside it that replaces it at the end.
    File { file: BufWriter<Replacement>, path: PathBuf },
}

impl Output {
    /// Opens a file, or standard output if there is none.
    ///
    /// # Errors
    /// If the file cannot be created, or a binary format would go to a terminal.
    pub fn new(file: Option<&Path>, format: Format) -> Result<Self, CliError> {
        let Some(path) = file else {
            refuse_terminal(format)?;
            return Ok(Self::stream(stdout()));
        };
        let failed = |source| CliError::File { path: path.to_owned(), source };
        let place = match WriteTarget::at(path).map_err(failed)? {
            WriteTarget::File(place) => place,
            WriteTarget::Stream(stream) => return Ok(Self::stream(stream)),
        };
        if place.file_name().is_none() {
            return Err(CliError::usage(format!("`--output {}` names no file", path.display())));
        }
        let file = BufWriter::new(Replacement::at(&place).map_err(failed)?);
        Ok(Self(Place::File { file, path: place }))
    }

    fn stream(out: impl Write + Send + 'static) -> Self {
        Self(Place::Stream(BufWriter::new(Box::new(out))))
    }

    /// Flushes the output and moves a file to its path.
    ///
    /// # Errors
    /// If the file or standard output cannot be written.
    pub fn finish(self) -> Result<(), CliError> {
        match self.0 {
            Place::Stream(mut out) => Ok(out.flush()?),
            Place::File { file, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                let kept = file.and_then(Replacement::keep);
                kept.map_err(|source| CliError::File { path, source })
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Place::Stream(out) => out.write(bytes),
            Place::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Place::Stream(out) => out.flush(),
            Place::File { file, .. } => file.flush(),
        }
    }
}

/// Prints a JSON object to standard output.
pub fn print_json(object: &Value) -> Result<(), CliError> {
    let mut out = stdout().lock();
    serde_json::to_writer_pretty(&mut out, object).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Lists the paths of files as JSON.
pub fn names<'p>(files: impl IntoIterator<Item = &'p Path>) -> Value {
    files.into_iter().map(|file| json!(file.display().to_string())).collect()
}

/// Refuses to write a binary format to a terminal.
pub fn refuse_terminal(format: Format) -> Result<(), CliError> {
    if format == Format::Parquet && stdout().is_terminal() {
        return Err(CliError::Usage {
            message: "Parquet is not for a terminal".to_owned(),
            hint: Some("write it to a file: `--output FILE`, or `> FILE`".to_owned()),
        });
    }
    Ok(())
}
