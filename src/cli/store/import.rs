//! `tandem store import`: makes a store from one file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::archived::{counts, held, is_standard};
use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::print_json;
use tandem::note;
use tandem::store::Store;

/// Makes a store of what `store export` wrote, in a folder that is new or has an empty store.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let totals = if is_standard(&args.file) {
        Store::import(&common.store, io::stdin().lock(), Path::new("standard input"))?
    } else {
        let file = File::open(&args.file)
            .map_err(|source| CliError::File { path: args.file.clone(), source })?;
        Store::import(&common.store, file, &args.file)?
    };
    note!("{} imported into {}", held(&totals), common.store.display());
    if common.json {
        print_json(&counts(&totals, &common.store))?;
    }
    Ok(ExitCode::SUCCESS)
}
