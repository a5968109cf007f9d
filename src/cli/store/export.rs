//! `tandem store export`: writes the store to one file.

use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::archived::{counts, held, is_standard};
use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::print_json;
use tandem::note;
use tandem::store::{Store, StoreError, Totals};
use tandem::util::atomic_file::WriteTarget;

/// Writes all that is in the store into one file, from which `store import` makes the same store.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file, best with the ending .tar.zst; `-` is standard output.
    file: PathBuf,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.store_to_read()?;
    let to_standard = is_standard(&args.file);
    let totals = if to_standard { to_output(&store)? } else { to_file(&store, &args.file)? };
    note!("{} exported to {}", held(&totals), args.file.display());
    // The archive itself may be what is on standard output.
    if common.json && !to_standard {
        print_json(&counts(&totals, &args.file))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn to_output(store: &Store) -> Result<Totals, CliError> {
    let out = io::stdout();
    if out.is_terminal() {
        return Err(CliError::Usage {
            message: "an archive is not for a terminal".to_owned(),
            hint: Some("name a file, or lead the output into one".to_owned()),
        });
    }
    store.export(BufWriter::new(out.lock()), Path::new("standard output")).map_err(piped)
}

fn to_file(store: &Store, file: &Path) -> Result<Totals, CliError> {
    let failed = |source| CliError::File { path: file.to_owned(), source };
    match WriteTarget::at(file).map_err(failed)? {
        WriteTarget::File(place) => Ok(store.export_to(&place)?),
        WriteTarget::Stream(stream) => store.export(BufWriter::new(stream), file).map_err(piped),
    }
}

/// Converts an error of the store; a pipe closed by its reader is an error of the output.
fn piped(error: StoreError) -> CliError {
    match error {
        StoreError::File { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
            CliError::Output(source)
        }
        error => error.into(),
    }
}
