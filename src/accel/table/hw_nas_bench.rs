//! HW-NAS-Bench: every NAS-Bench-201 cell on six devices.
//!
//! Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark" (ICLR 2021), section 3
//! and table 2: latency in ms, and for three of the devices energy in mJ.

use std::path::Path;

use super::import::{ImportedTable, Renamed, TableImportError, keep, read};
use super::measured::MeasuredColumn;
use crate::space::nasbench201::{CELL_COUNT, Cell201};

/// The table's name.
pub const HW_NAS_BENCH: &str = "hw_nas_bench";

/// The column with the cells.
const KEY: &str = "arch";

/// The data sets whose networks were measured, and the prefixes of their columns.
const GROUPS: [(&str, &str); 3] =
    [("cifar10", "c10"), ("cifar100", "c100"), ("imagenet16", "in16")];

/// The devices, and true if their energy was measured.
const DEVICES: [(&str, bool); 6] = [
    ("edgegpu", true),
    ("raspi4", false),
    ("edgetpu", false),
    ("pixel3", false),
    ("eyeriss", true),
    ("fpga", true),
];

/// The device that lacks some measurements, and the mark of a missing one in the file.
const INCOMPLETE: &str = "edgetpu";
const NOT_MEASURED: &str = "-1";

/// Imports the benchmark from CSV, plain or compressed with zstd, into the data folder.
///
/// The file has a column `arch` with the cells and, for each data set (`c10`, `c100`, `in16`) and device,
/// columns such as `c10_edgegpu_latency` and `c10_edgegpu_energy`; others are ignored. -1 marks a missing
/// measurement, which only the Edge TPU may have.
///
/// # Errors
/// If the file cannot be read, does not have each NAS-Bench-201 cell once with all its other measurements, or
/// if the table cannot be written.
pub fn import_hw_nas_bench(file: &Path, data: &Path) -> Result<ImportedTable, TableImportError> {
    let table = read(file, (HW_NAS_BENCH, KEY), &columns(), NOT_MEASURED)?;
    let refuse = |what: String| Err(TableImportError::Content { path: file.to_owned(), what });
    for key in table.keys() {
        match key.parse::<Cell201>() {
            Ok(cell) if cell.to_string() == *key => {}
            Ok(cell) => return refuse(format!("`{key}` is to be written `{cell}`")),
            Err(error) => return refuse(format!("`{key}` is no cell: {error}")),
        }
    }
    // No cell is there twice, so that all are there if their number is right.
    if table.keys().len() != CELL_COUNT {
        return refuse(format!("it has {} cells of {CELL_COUNT}", table.keys().len()));
    }
    for (column, place) in table.columns().iter().zip(0..) {
        if column.device == INCOMPLETE {
            continue;
        }
        let missing = |key: &&String| table.row(key).is_none_or(|row| row[place].is_nan());
        if let Some(cell) = table.keys().iter().find(missing) {
            return refuse(format!("{column} of `{cell}` is missing"));
        }
    }
    keep(file, table, data)
}

fn columns() -> Vec<Renamed> {
    let mut columns = Vec::new();
    for (group, prefix) in GROUPS {
        for (device, has_energy) in DEVICES {
            let metrics = [("latency", "latency_ms"), ("energy", "energy_mj")];
            for (quantity, metric) in metrics.into_iter().take(if has_energy { 2 } else { 1 }) {
                columns.push(Renamed {
                    column: MeasuredColumn {
                        group: Some(group.to_owned()),
                        device: device.to_owned(),
                        metric: metric.to_owned(),
                    },
                    head: format!("{prefix}_{device}_{quantity}"),
                });
            }
        }
    }
    columns
}
