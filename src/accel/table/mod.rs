//! Measured devices: accelerators whose estimates are rows of a table.
//!
//! A table has a row for each network, known by a text such as that of its cell, and a column for each
//! metric of each device: `DEVICE.METRIC`, or `GROUP.DEVICE.METRIC` where the same devices were measured
//! several times, on several data sets for example. Tables are imported from CSV into the folder of data,
//! which is where they are found again by name.

mod device;
mod file;
mod hw_nas_bench;
mod import;
mod measured;

pub use device::{Device, Devices, NotMeasured};
pub use file::{TableError, table_names};
pub use hw_nas_bench::{HW_NAS_BENCH, import_hw_nas_bench};
pub use import::{Imported, ParseRenamedError, Renamed, TableImportError, import_table};
pub use measured::{Column, ColumnError, MeasuredTable};

#[cfg(test)]
mod tests;
