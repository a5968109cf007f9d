//! `tandem store`: the store's health, its way out and back, and its space.

mod compact;
mod export;
mod import;
mod salvage;
mod status;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Common;
use super::error::CliError;
use super::output::names;
use tandem::report::counted;
use tandem::store::Totals;

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

/// The name that means standard input or output.
const STANDARD: &str = "-";

fn is_standard(file: &Path) -> bool {
    file == Path::new(STANDARD)
}

/// Records of runs.
fn runs(totals: &Totals) -> u64 {
    totals.trees.get("runs").map_or(0, |tree| tree.records)
}

/// What an archive holds, in words.
fn held(totals: &Totals) -> String {
    format!(
        "{}, {} in all, {}",
        counted(runs(totals), "run", "runs"),
        counted(totals.records(), "record", "records"),
        counted(totals.files, "file", "files")
    )
}

/// What an archive holds and where that was written, for other programs.
fn counts(totals: &Totals, written: &Path) -> Value {
    json!({
        "written": names([written]),
        "runs": runs(totals),
        "records": totals.records(),
        "files": totals.files,
    })
}

/// Bytes, as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}
