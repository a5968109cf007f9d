//! `tandem store compact`: frees disk space.

use std::process::ExitCode;

use serde_json::json;

use super::size::size;
use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::print_json;
use tandem::note;
use tandem::store::{OpenMode, Store};

/// Writes the store's database anew, without what is no longer needed.
///
/// It needs room for a second database while it lasts. Nothing is lost if it is killed.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries out the command.
pub fn run(common: &Common, _args: &Args) -> Result<ExitCode, CliError> {
    let store = Store::open(&common.store, OpenMode::ReadWriteMustExist)?;
    let done = store.compact()?;
    if done.after < done.before {
        note!("the database took {} and takes {}", size(done.before), size(done.after));
    } else {
        note!("the database takes {}, and a fresh one would not take less", size(done.before));
    }
    if common.json {
        print_json(&json!({ "bytes_before": done.before, "bytes_after": done.after }))?;
    }
    Ok(ExitCode::SUCCESS)
}
