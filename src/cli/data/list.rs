//! `tandem data list`: lists the tables and data sets.

use std::io::stdout;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::accel::table::{HW_NAS_BENCH, MeasuredTable, table_names};
use tandem::accuracy::nasbench101::Nasbench101Table;
use tandem::report::Table;
use tandem::train::data::{DataSpec, Official, sets};

/// Carries out the command.
pub fn run(common: &Common, data: &Path) -> Result<ExitCode, CliError> {
    let mut table = Table::new(["data", "cells", "train", "test", "where"]);
    let mut push = |name: String, [cells, train, test]: [Option<u64>; 3], place: String| {
        table.push(vec![name.into(), cells.into(), train.into(), test.into(), place.into()]);
    };
    push("nasbench201".to_owned(), [Some(15_625), None, None], "in the program".to_owned());
    let (cells, place) = match Nasbench101Table::open(data) {
        Ok(table) => (Some(table.len() as u64), data.display().to_string()),
        Err(error) => (None, error.to_string()),
    };
    push("nasbench101".to_owned(), [cells, None, None], place);
    for name in names(data) {
        let (cells, place) = match MeasuredTable::open(data, &name) {
            Ok(table) => (Some(table.keys().len() as u64), data.display().to_string()),
            Err(error) => (None, error.to_string()),
        };
        push(name, [cells, None, None], place);
    }
    for set in sets(data) {
        let (counts, place) = match set.find(data) {
            Some(place) => (set.count(&place), place.display().to_string()),
            None if set.is_built_in() => (set.count(data), "in the program".to_owned()),
            None => (None, absent(&set)),
        };
        let (train, test) = counts.unzip();
        push(set.to_string(), [None, train, test], place);
    }
    table.write(common.format, stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// The names of the device tables in the data folder, and of the known one.
fn names(data: &Path) -> Vec<String> {
    let mut names = table_names(data);
    if !names.iter().any(|name| name == HW_NAS_BENCH) {
        names.insert(0, HW_NAS_BENCH.to_owned());
    }
    names
}

fn absent(set: &DataSpec) -> String {
    Official::of(set).map_or_else(
        || "not there".to_owned(),
        |set| format!("not there; `tandem data fetch {set}` downloads it"),
    )
}
