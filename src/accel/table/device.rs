//! The devices of a table as an accelerator: its configuration is the device.

use std::sync::Arc;

use super::measured::MeasuredTable;
use crate::accel::{Accelerator, Breakdown};
use crate::metrics::Metrics;

/// A device of a table, with the columns that hold its metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Metric and column, by metric.
    pub metrics: Vec<(String, usize)>,
}

/// The devices of a table, measured under the same circumstances.
#[derive(Clone, Debug)]
pub struct Devices {
    table: Arc<MeasuredTable>,
    devices: Vec<Device>,
}

/// Why there is no measurement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMeasured {
    /// The table has no such circumstances.
    #[error("the table `{table}` has {}", choice(groups))]
    Group {
        /// The table.
        table: String,
        /// The groups that it has.
        groups: Vec<String>,
    },
    /// The table has no such device.
    #[error("the table `{table}` has no device `{device}`; it has {}", devices.join(", "))]
    Device {
        /// The table.
        table: String,
        /// What was asked for.
        device: String,
        /// The devices that it has.
        devices: Vec<String>,
    },
    /// The table has no such network.
    #[error("the table `{table}` has no network `{network}` (its column {key})")]
    Network {
        /// The table.
        table: String,
        /// The column that networks are known by.
        key: String,
        /// What was asked for.
        network: String,
    },
    /// The network was not measured on the device.
    #[error("the table `{table}` has no measurement of `{network}` on {device}")]
    Pair {
        /// The table.
        table: String,
        /// The network.
        network: String,
        /// The device.
        device: String,
    },
}

fn choice(groups: &[String]) -> String {
    if groups.is_empty() {
        return "no groups; leave out the option `group`".to_owned();
    }
    format!("the groups {}; give one of them with the option `group`", groups.join(", "))
}

impl Devices {
    /// The devices of a table, of one group where it has groups.
    ///
    /// # Errors
    /// The table has groups and none is named, or it has none of that name.
    pub fn of(table: Arc<MeasuredTable>, group: Option<&str>) -> Result<Self, NotMeasured> {
        let mut devices: Vec<Device> = Vec::new();
        for (index, column) in table.columns().iter().enumerate() {
            if column.group.as_deref() != group {
                continue;
            }
            let metric = (column.metric.clone(), index);
            match devices.iter_mut().find(|device| device.name == column.device) {
                Some(device) => device.metrics.push(metric),
                None => {
                    devices.push(Device { name: column.device.clone(), metrics: vec![metric] });
                }
            }
        }
        if devices.is_empty() {
            let mut groups: Vec<String> = Vec::new();
            for group in table.columns().iter().filter_map(|column| column.group.as_ref()) {
                if !groups.contains(group) {
                    groups.push(group.clone());
                }
            }
            return Err(NotMeasured::Group { table: table.name().to_owned(), groups });
        }
        Ok(Self { table, devices })
    }

    /// The devices, in the order of the table.
    pub fn all(&self) -> &[Device] {
        &self.devices
    }

    /// The table.
    pub fn table(&self) -> &MeasuredTable {
        &self.table
    }

    /// The metrics that some device has, by name.
    pub fn metrics(&self) -> Vec<&str> {
        let metrics = self.devices.iter().flat_map(|device| &device.metrics);
        let mut names: Vec<&str> = metrics.map(|(metric, _)| metric.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Accelerator for Devices {
    type Network = str;
    type Configuration = str;
    type Error = NotMeasured;

    fn name(&self) -> &str {
        self.table.name()
    }

    fn estimate(&self, network: &str, device: &str) -> Result<Metrics, NotMeasured> {
        let table = || self.table.name().to_owned();
        let found = self.devices.iter().find(|known| known.name == device);
        let found = found.ok_or_else(|| NotMeasured::Device {
            table: table(),
            device: device.to_owned(),
            devices: self.devices.iter().map(|device| device.name.clone()).collect(),
        })?;
        let row = self.table.row(network).ok_or_else(|| NotMeasured::Network {
            table: table(),
            key: self.table.key().to_owned(),
            network: network.to_owned(),
        })?;
        let measured = found.metrics.iter().filter(|(_, column)| !row[*column].is_nan());
        let metrics: Metrics =
            measured.map(|(name, column)| (name.clone(), row[*column])).collect();
        if metrics.is_empty() {
            let (network, device) = (network.to_owned(), device.to_owned());
            return Err(NotMeasured::Pair { table: table(), network, device });
        }
        Ok(metrics)
    }

    fn breakdown(&self, network: &str, device: &str) -> Result<Breakdown, NotMeasured> {
        self.estimate(network, device)?;
        let note = "it was measured as a whole: nothing is known of its layers".to_owned();
        Ok(Breakdown { note: Some(note), ..Breakdown::default() })
    }
}
