//! `tandem data`: benchmark tables.

use std::io::stdout;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::context::{Common, cache_dir};
use super::error::CliError;
use crate::accuracy::nasbench101::{self, Nasbench101Table};
use crate::report::{Table, grouped};

/// Lists and imports benchmark tables.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the tables and where they are.
    List,
    /// Takes a table into the data folder.
    Import {
        /// The benchmark.
        kind: Kind,
        /// The file: nb101.bin, nb101.bin.zst, or the official nasbench_only108.tfrecord.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// NASBench-101: 423,624 cells on CIFAR-10.
    Nasbench101,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let data = common.data_dir(None);
    match &args.command {
        Command::List => {
            let mut table = Table::new(["table", "cells", "where"]);
            table.push(vec!["nasbench201".into(), 15_625u64.into(), "in the program".into()]);
            let (cells, place) = match Nasbench101Table::open(&data) {
                Ok(table) => (Some(table.len() as u64), data.display().to_string()),
                Err(error) => (None, error.to_string()),
            };
            table.push(vec!["nasbench101".into(), cells.into(), place.into()]);
            table.write(common.format, stdout().lock())?;
        }
        Command::Import { kind: Kind::Nasbench101, file } => {
            let summary = nasbench101::import(file, &data, cache_dir().as_deref())?;
            eprintln!(
                "{} cells imported into {}",
                grouped(summary.cells as u128),
                summary.path.display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
