//! Measured devices: accelerators whose estimates are rows of a table.
//!
//! A table has a row for each network, identified by a key such as the text of its cell, and a column for
//! each metric of each device: `DEVICE.METRIC`, or `GROUP.DEVICE.METRIC` where the same devices were measured
//! several times, for example on several data sets. Tables are imported from CSV into the data folder and
//! opened by name.

mod device;
mod file;
mod hw_nas_bench;
mod import;
mod measured;

pub use device::{Device, Devices, NotMeasured};
pub use file::{MeasuredTableError, table_names};
pub use hw_nas_bench::{HW_NAS_BENCH, import_hw_nas_bench};
pub use import::{ImportedTable, ParseRenamedError, Renamed, TableImportError, import_table};
pub use measured::{ColumnError, MeasuredColumn, MeasuredTable};

#[cfg(test)]
mod tests;
