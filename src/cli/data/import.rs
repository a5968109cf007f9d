//! `tandem data import`: taking files that are there into the data folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::super::context::cache_dir;
use super::super::error::CliError;
use super::acquired::tell;
use tandem::accel::table::{Imported, Renamed, import_hw_nas_bench, import_table};
use tandem::accuracy::nasbench101;
use tandem::note;
use tandem::report::grouped;
use tandem::train::data::{Official, import};

/// Takes a table or an image set into the data folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The benchmark or the set.
    kind: Kind,
    /// Of nasbench101: nb101.bin, nb101.bin.zst, or the official nasbench_only108.tfrecord; of devices: a
    /// .csv or .csv.zst file; of an image set: a .tar, .tar.gz or .tar.zst archive, or a folder with its
    /// files.
    path: PathBuf,
    /// Of `table`: the name by which scripts find it (a-z, 0-9, _ and -).
    #[arg(long, required_if_eq("kind", "table"))]
    name: Option<String>,
    /// Of `table`: the column that networks are known by.
    #[arg(long, value_name = "COLUMN", required_if_eq("kind", "table"))]
    key: Option<String>,
    /// Of `table`: a column that is taken, DEVICE.METRIC=HEAD or GROUP.DEVICE.METRIC=HEAD [default: every
    /// column but the key, whose heads must then be DEVICE.METRIC or GROUP.DEVICE.METRIC]
    #[arg(long = "column", value_name = "DEVICE.METRIC=HEAD")]
    columns: Vec<Renamed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// NASBench-101: 423,624 cells on CIFAR-10.
    Nasbench101,
    /// HW-NAS-Bench: every NAS-Bench-201 cell on six devices.
    #[value(name = "hw_nas_bench")]
    HwNasBench,
    /// Devices of one's own: a row for each network, a column for each metric of each device.
    Table,
    /// CIFAR-10 in the binary version.
    Cifar10,
    /// CIFAR-100 in the binary version.
    Cifar100,
    /// Fashion-MNIST: four IDX files, compressed with gzip or not.
    FashionMnist,
}

/// Carries out the command.
pub fn run(data: &Path, args: &Args) -> Result<ExitCode, CliError> {
    let for_tables = [args.name.is_some(), args.key.is_some(), !args.columns.is_empty()];
    if args.kind != Kind::Table && for_tables.contains(&true) {
        return Err(CliError::usage(
            "--name, --key and --column belong to `tandem data import table`",
        ));
    }
    let set = match args.kind {
        Kind::Nasbench101 => {
            let summary = nasbench101::import(&args.path, data, cache_dir().as_deref())?;
            let (cells, path) = (grouped(summary.cells as u128), summary.path.display());
            note!("{cells} cells imported into {path}");
            return Ok(ExitCode::SUCCESS);
        }
        Kind::HwNasBench => {
            tell_table(&import_hw_nas_bench(&args.path, data)?);
            return Ok(ExitCode::SUCCESS);
        }
        Kind::Table => {
            let given = |option: &Option<String>| option.clone().unwrap_or_default();
            let names = (&*given(&args.name), &*given(&args.key));
            tell_table(&import_table(&args.path, names, &args.columns, data)?);
            return Ok(ExitCode::SUCCESS);
        }
        Kind::Cifar10 => Official::Cifar10,
        Kind::Cifar100 => Official::Cifar100,
        Kind::FashionMnist => Official::FashionMnist,
    };
    tell(set, &import(set, &args.path, data)?);
    Ok(ExitCode::SUCCESS)
}

fn tell_table(imported: &Imported) {
    eprintln!(
        "{} networks with {} measurements each imported into {}",
        grouped(imported.rows as u128),
        imported.columns,
        imported.path.display()
    );
}
