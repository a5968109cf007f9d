//! `tandem data verify`: checks that tables and data sets can be used.

use std::io::stdout;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::accel::table::{HW_NAS_BENCH, MeasuredTable, table_names};
use tandem::accuracy::nasbench101::{Nasbench101Table, Nasbench101TableError};
use tandem::note;
use tandem::report::Table;
use tandem::train::data::{DataError, DataSpec, open, sets};

/// Opens the tables and the image sets that are there, as runs do, and says whether they are sound.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this one, which must be there: nasbench101, a table of devices, or an image set.
    name: Option<String>,
}

const TABLE: &str = "nasbench101";

/// Runs the command; the exit code is 1 if anything is corrupted.
pub fn run(common: &Common, data: &Path, args: &Args) -> Result<ExitCode, CliError> {
    let there = table_names(data);
    let (with_table, devices, specs) = match args.name.as_deref() {
        None => (true, there, present(data)),
        Some(TABLE) => (true, Vec::new(), Vec::new()),
        Some(name) if name == HW_NAS_BENCH || there.iter().any(|known| known == name) => {
            (false, vec![name.to_owned()], Vec::new())
        }
        Some(name) => (false, Vec::new(), vec![name.parse().map_err(unknown)?]),
    };
    let mut table = Table::new(["data", "cells", "train", "test", "result"]);
    let mut sound = true;
    let mut push = |name: String, opened: Result<[Option<usize>; 3], String>| {
        let result = opened.as_ref().map_or_else(String::clone, |_| "ok".to_owned());
        sound &= opened.is_ok();
        let counts = opened.unwrap_or_default();
        let [cells, train, test] = counts.map(|count| count.map(|count| count as u64));
        table.push(vec![name.into(), cells.into(), train.into(), test.into(), result.into()]);
    };
    if with_table {
        match Nasbench101Table::open(data) {
            // Nobody must have the table.
            Err(Nasbench101TableError::Missing { .. }) if args.name.is_none() => {}
            opened => {
                let opened = opened.map(|table| [Some(table.len()), None, None]);
                push(TABLE.to_owned(), opened.map_err(|error| error.to_string()));
            }
        }
    }
    for name in devices {
        let opened = MeasuredTable::open(data, &name);
        let opened = opened.map(|table| [Some(table.keys().len()), None, None]);
        push(name, opened.map_err(|error| error.to_string()));
    }
    for spec in specs {
        let opened = open(&spec, data);
        let opened = opened.map(|set| [None, Some(set.train().len()), Some(set.test().len())]);
        push(spec.to_string(), opened.map_err(|error| error.to_string()));
    }
    if table.is_empty() {
        note!("there is nothing to verify in {}", data.display());
    }
    table.write(common.format, stdout().lock())?;
    Ok(ExitCode::from(u8::from(!sound)))
}

/// The data sets in the data folder; only one of those that share files.
fn present(data: &Path) -> Vec<DataSpec> {
    let stands_alone = |set: &DataSpec| set.same_files_as().is_none();
    sets(data).into_iter().filter(|set| set.find(data).is_some() && stands_alone(set)).collect()
}

fn unknown(error: DataError) -> CliError {
    CliError::Usage {
        message: error.to_string(),
        hint: Some(format!("of the benchmark tables, {TABLE} and {HW_NAS_BENCH} can be verified")),
    }
}
