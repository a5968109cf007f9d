//! `tandem store`: checks, copies and measures the store.

mod archived;
mod compact;
mod export;
mod import;
mod salvage;
mod size;
mod status;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;

/// Verifies, salvages, exports, imports, compacts and measures the store.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Args),
    Salvage(salvage::Args),
    Export(export::Args),
    Import(import::Args),
    Compact(compact::Args),
    Status(status::Args),
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Verify(args) => verify::run(common, args),
        Command::Salvage(args) => salvage::run(common, args),
        Command::Export(args) => export::run(common, args),
        Command::Import(args) => import::run(common, args),
        Command::Compact(args) => compact::run(common, args),
        Command::Status(args) => status::run(common, args),
    }
}
