//! Where results go: standard output, or a file that is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write, stdout};
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::report::Format;

/// Where results go.
pub struct Output(Place);

enum Place {
    Out(BufWriter<Stdout>),
    /// The file, and the one beside it that becomes it at the end.
    File {
        file: Option<BufWriter<File>>,
        path: PathBuf,
        beside: PathBuf,
    },
}

impl Output {
    /// A file, or standard output without one.
    ///
    /// # Errors
    /// The file cannot be made, or a format that is not for people would go to a terminal.
    pub fn new(file: Option<&Path>, format: Format) -> Result<Self, CliError> {
        let Some(path) = file else {
            refuse_terminal(format)?;
            return Ok(Self(Place::Out(BufWriter::new(stdout()))));
        };
        let mut name = path.file_name().map(ToOwned::to_owned).ok_or_else(|| {
            CliError::usage(format!("`--output {}` names no file", path.display()))
        })?;
        name.push(format!(".{}.part", std::process::id()));
        let beside = path.with_file_name(name);
        let file = File::create(&beside)
            .map_err(|source| CliError::File { path: path.to_owned(), source })?;
        let file = Some(BufWriter::new(file));
        Ok(Self(Place::File { file, path: path.to_owned(), beside }))
    }

    /// Puts everything in its place.
    ///
    /// # Errors
    /// The file's or standard output's.
    pub fn finish(mut self) -> Result<(), CliError> {
        match &mut self.0 {
            Place::Out(out) => Ok(out.flush()?),
            Place::File { file, path, beside } => {
                let done = match file.take() {
                    Some(file) => file
                        .into_inner()
                        .map_err(io::IntoInnerError::into_error)
                        .and_then(|file| file.sync_all())
                        .and_then(|()| fs::rename(&*beside, &*path)),
                    None => Ok(()),
                };
                if done.is_err() {
                    let _ = fs::remove_file(&*beside);
                }
                done.map_err(|source| CliError::File { path: path.clone(), source })
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Place::Out(out) => out.write(bytes),
            Place::File { file: Some(file), .. } => file.write(bytes),
            Place::File { file: None, .. } => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Place::Out(out) => out.flush(),
            Place::File { file: Some(file), .. } => file.flush(),
            Place::File { file: None, .. } => Ok(()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // What is not finished leaves nothing behind.
        if let Place::File { file, beside, .. } = &mut self.0
            && file.take().is_some()
        {
            let _ = fs::remove_file(beside);
        }
    }
}

/// Refuses to write bytes to a terminal.
pub fn refuse_terminal(format: Format) -> Result<(), CliError> {
    if format == Format::Parquet && stdout().is_terminal() {
        return Err(CliError::Usage {
            message: "Parquet is not for a terminal".to_owned(),
            hint: Some("write it to a file: `--output FILE`, or `> FILE`".to_owned()),
        });
    }
    Ok(())
}
