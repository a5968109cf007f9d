//! `tandem store export`: the store as one file.

use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::context::Common;
use super::super::error::CliError;
use super::{held, is_standard};
use crate::note;
use crate::store::StoreError;

/// Writes all that is in the store into one file, from which `store import` makes the same store.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file, best with the ending .tar.zst; `-` is standard output.
    file: PathBuf,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.existing_store()?;
    let totals = if is_standard(&args.file) {
        let out = io::stdout();
        if out.is_terminal() {
            return Err(CliError::Usage {
                message: "an archive is not for a terminal".to_owned(),
                hint: Some("name a file, or lead the output into one".to_owned()),
            });
        }
        store.export(BufWriter::new(out.lock()), Path::new("standard output")).map_err(piped)?
    } else {
        store.export_to(&args.file)?
    };
    note!("{} exported to {}", held(&totals), args.file.display());
    Ok(ExitCode::SUCCESS)
}

/// A reader that has enough is no failure of the store.
fn piped(error: StoreError) -> CliError {
    match error {
        StoreError::File { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
            CliError::Output(source)
        }
        error => error.into(),
    }
}
