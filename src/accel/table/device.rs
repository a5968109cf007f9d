//! The devices of a table as an accelerator whose configuration is the device.

use std::sync::Arc;

use super::measured::MeasuredTable;
use crate::accel::{Accelerator, AcceleratorError, Breakdown, NetworkForm, Workload};
use crate::metrics::Metrics;
use crate::space::{Domain, Illegal, SingleChoice, Value};

/// A device of a table, with the columns that hold its metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// The name and column index of each metric, in the order of the table.
    pub metrics: Vec<(String, usize)>,
}

/// The devices of a table, measured under the same circumstances.
#[derive(Clone, Debug)]
pub struct Devices {
    table: Arc<MeasuredTable>,
    devices: Vec<Device>,
}

/// Reasons that a measurement is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMeasured {
    /// The table has no such group, or has groups and none is named.
    #[error("the table `{table}` has {}", listed(groups))]
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
        /// The requested device.
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
        /// The requested network.
        network: String,
    },
    /// The network has no measurement on the device.
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

fn listed(groups: &[String]) -> String {
    if groups.is_empty() {
        return "no groups; leave out the option `group`".to_owned();
    }
    format!("the groups {}; give one of them with the option `group`", groups.join(", "))
}

impl Devices {
    /// Selects the devices of a table, of one group if the table has groups.
    ///
    /// # Errors
    /// If the table has groups and none is named, or if it does not have the group.
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

    /// The metrics that at least one device has, sorted by name.
    pub fn metrics(&self) -> Vec<&str> {
        let metrics = self.devices.iter().flat_map(|device| &device.metrics);
        let mut names: Vec<&str> = metrics.map(|(metric, _)| metric.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The choice among the devices, as a domain of a space.
    pub fn choice(&self) -> SingleChoice {
        let name = |device: &Device| Value::Text(device.name.clone());
        SingleChoice::new(self.devices.iter().map(name).collect())
    }

    /// Returns the configuration of a device.
    ///
    /// # Errors
    /// If the table has no device of this name.
    pub fn configuration(&self, device: &str) -> Result<[u16; 1], NotMeasured> {
        let position = self.devices.iter().position(|known| known.name == device);
        match position.and_then(|position| u16::try_from(position).ok()) {
            Some(option) => Ok([option]),
            None => Err(NotMeasured::Device {
                table: self.table.name().to_owned(),
                device: device.to_owned(),
                devices: self.devices.iter().map(|device| device.name.clone()).collect(),
            }),
        }
    }

    fn device(&self, configuration: &[u16]) -> Result<&Device, Illegal> {
        let device = match configuration {
            [option] => self.devices.get(usize::from(*option)),
            _ => None,
        };
        device.ok_or_else(|| Illegal("no such device".to_owned()))
    }

    fn measured(&self, network: &str, device: &Device) -> Result<Metrics, NotMeasured> {
        let table = || self.table.name().to_owned();
        let row = self.table.row(network).ok_or_else(|| NotMeasured::Network {
            table: table(),
            key: self.table.key().to_owned(),
            network: network.to_owned(),
        })?;
        let measured = device.metrics.iter().filter(|(_, column)| !row[*column].is_nan());
        let metrics: Metrics =
            measured.map(|(name, column)| (name.clone(), row[*column])).collect();
        if metrics.is_empty() {
            let (network, device) = (network.to_owned(), device.name.clone());
            return Err(NotMeasured::Pair { table: table(), network, device });
        }
        Ok(metrics)
    }
}

impl Accelerator for Devices {
    fn id(&self) -> &str {
        self.table.name()
    }

    fn version(&self) -> &str {
        self.table.digest()
    }

    fn source(&self) -> String {
        format!("{}: imported table {}", self.metrics().join(", "), self.table.name())
    }

    fn is_measured(&self) -> bool {
        true
    }

    fn space(&self) -> Arc<dyn Domain> {
        Arc::new(self.choice())
    }

    fn network_form(&self) -> NetworkForm {
        NetworkForm::Key
    }

    fn estimate(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Metrics, AcceleratorError> {
        let device = self.device(configuration)?;
        self.measured(network.key()?, device).map_err(AcceleratorError::model)
    }

    fn breakdown(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Breakdown, AcceleratorError> {
        self.estimate(network, configuration)?;
        let note = "it was measured as a whole: nothing is known of its layers".to_owned();
        Ok(Breakdown { note: Some(note), ..Breakdown::default() })
    }
}
