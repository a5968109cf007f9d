//! `tandem data import`: imports local files into the data folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::acquired::tell;
use crate::cli::common::context::cache_dir;
use crate::cli::common::error::CliError;
use tandem::accel::table::{ImportedTable, Renamed, import_hw_nas_bench, import_table};
use tandem::accuracy::nasbench101;
use tandem::note;
use tandem::report::grouped;
use tandem::train::data::{Official, import};

/// Takes a table or an image set into the data folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The benchmark or the set.
    #[arg(value_parser = read_kind())]
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

#[derive(Clone, Debug)]
enum Kind {
    Nasbench101,
    HwNasBench,
    Table,
    Images(Official),
}

/// The kinds of tables by name, with their help.
const TABLES: [(&str, Kind, &str); 3] = [
    ("nasbench101", Kind::Nasbench101, "NASBench-101: 423,624 cells on CIFAR-10"),
    ("hw_nas_bench", Kind::HwNasBench, "HW-NAS-Bench: every NAS-Bench-201 cell on six devices"),
    (
        "table",
        Kind::Table,
        "Devices of one's own: a row for each network, a column for each metric of each device",
    ),
];

/// The parser of the names of tables and published data sets; help lists them.
fn read_kind() -> impl TypedValueParser<Value = Kind> {
    let tables = TABLES.into_iter().map(|(name, _, help)| (name, help));
    let sets = Official::all().into_iter().map(|set| set.publication());
    let named = tables.chain(sets.map(|set| (set.name, set.form)));
    let values = named.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).try_map(|name| {
        match TABLES.into_iter().find(|(known, ..)| *known == name) {
            Some((_, kind, _)) => Ok(kind),
            None => name.parse().map(Kind::Images),
        }
    })
}

/// Carries out the command.
pub fn run(data: &Path, args: &Args) -> Result<ExitCode, CliError> {
    let for_tables = [args.name.is_some(), args.key.is_some(), !args.columns.is_empty()];
    if !matches!(args.kind, Kind::Table) && for_tables.contains(&true) {
        return Err(CliError::usage(
            "--name, --key and --column belong to `tandem data import table`",
        ));
    }
    let set = match &args.kind {
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
        Kind::Images(set) => set,
    };
    tell(set, &import(set, &args.path, data)?);
    Ok(ExitCode::SUCCESS)
}

fn tell_table(imported: &ImportedTable) {
    eprintln!(
        "{} networks with {} measurements each imported into {}",
        grouped(imported.rows as u128),
        imported.columns,
        imported.path.display()
    );
}
