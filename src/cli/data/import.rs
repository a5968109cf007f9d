//! `tandem data import`: taking files that are there into the data folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::super::context::cache_dir;
use super::super::error::CliError;
use super::tell;
use crate::accuracy::nasbench101;
use crate::note;
use crate::report::grouped;
use crate::train::data::{Official, import};

/// Takes a table or an image set into the data folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The benchmark or the set.
    kind: Kind,
    /// Of a table: nb101.bin, nb101.bin.zst, or the official nasbench_only108.tfrecord; of an image
    /// set: a .tar, .tar.gz or .tar.zst archive, or a folder with its files.
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// NASBench-101: 423,624 cells on CIFAR-10.
    Nasbench101,
    /// CIFAR-10 in the binary version.
    Cifar10,
    /// CIFAR-100 in the binary version.
    Cifar100,
    /// Fashion-MNIST: four IDX files, compressed with gzip or not.
    FashionMnist,
}

/// Carries out the command.
pub fn run(data: &Path, args: &Args) -> Result<ExitCode, CliError> {
    let set = match args.kind {
        Kind::Nasbench101 => {
            let summary = nasbench101::import(&args.path, data, cache_dir().as_deref())?;
            let (cells, path) = (grouped(summary.cells as u128), summary.path.display());
            note!("{cells} cells imported into {path}");
            return Ok(ExitCode::SUCCESS);
        }
        Kind::Cifar10 => Official::Cifar10,
        Kind::Cifar100 => Official::Cifar100,
        Kind::FashionMnist => Official::FashionMnist,
    };
    tell(set, &import(set, &args.path, data)?);
    Ok(ExitCode::SUCCESS)
}
