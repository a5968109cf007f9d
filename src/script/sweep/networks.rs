//! The networks of a sweep with their accuracies.

use super::error::SweepPairsError;
use super::plan::{PlannedAccuracies, PlannedNetworks};
use crate::accuracy::nasbench101::predictor::Predictor;
use crate::accuracy::nasbench201::Nasbench201Table;
use crate::network::{Family, Nasbench101Family, Nasbench201Family, Network, NetworkError};
use crate::script::modules::{AccuracySource, Missing};
use crate::script::services::{Services, Source};
use crate::space::nasbench101::{CELL_COUNT, Catalog, Cell101, Nasbench101Space};
use crate::space::nasbench201::{Cell201, Nasbench201Space};

/// The networks of a sweep with their accuracies.
#[derive(Debug)]
pub struct Accuracies<F> {
    /// The networks.
    pub family: F,
    /// The accuracy of each, a fraction.
    pub accuracies: Vec<f64>,
    /// The number of networks of the space that are left out because the table lacks them.
    pub left_out: u64,
}

/// The networks of a sweep.
#[derive(Debug)]
pub enum SweepNetworks {
    /// Networks of NASBench-101 cells.
    Nasbench101(Accuracies<Nasbench101Family>),
    /// Networks of NAS-Bench-201 cells.
    Nasbench201(Accuracies<Nasbench201Family>),
}

impl SweepNetworks {
    /// Loads the networks of a plan; `cache` is the folder for results that take long to compute.
    pub(super) fn of(
        services: &Services,
        planned: &PlannedAccuracies,
        cache: Option<&std::path::Path>,
    ) -> Result<Self, SweepPairsError> {
        match (planned.networks, planned.accuracy) {
            (PlannedNetworks::Nasbench201(settings), AccuracySource::Nasbench201(dataset)) => {
                let table = Nasbench201Table::embedded()?;
                services.used(Source::Nasbench201);
                let cells: Vec<Cell201> = Cell201::all().collect();
                let accuracies = cells.iter().map(|&cell| table.accuracy(cell, dataset)).collect();
                let family = Nasbench201Family { cells, settings };
                Ok(SweepNetworks::Nasbench201(Accuracies { family, accuracies, left_out: 0 }))
            }
            (PlannedNetworks::Nasbench101(settings), source) => {
                let table = match source {
                    AccuracySource::Nasbench101(Missing::Predict) => services.imported101()?,
                    AccuracySource::Nasbench101(Missing::Fail) => Some(services.nasbench101()?),
                    _ => None,
                };
                let (cells, accuracies): (Vec<Cell101>, Vec<f64>) = if let Some(table) = table {
                    services.used(Source::Nasbench101);
                    let known = |&cell: &Cell101| table.accuracy(&cell).map(|a| (cell, a));
                    table.cells().iter().filter_map(known).unzip()
                } else {
                    let predictor = Predictor::embedded()?;
                    services.used(Source::Predicted101);
                    let cells: Vec<Cell101> =
                        Catalog::load(cache).iter().map(|(_, cell)| cell).collect();
                    let accuracies = predictor.cached_accuracies(&cells, cache);
                    (cells, accuracies)
                };
                let left_out = CELL_COUNT.saturating_sub(cells.len()) as u64;
                let family = Nasbench101Family { cells, settings };
                Ok(SweepNetworks::Nasbench101(Accuracies { family, accuracies, left_out }))
            }
            (PlannedNetworks::Nasbench201(_), _) => Err(SweepPairsError::OtherNetworks),
        }
    }

    /// The accuracy of each network, a fraction.
    pub fn accuracies(&self) -> &[f64] {
        match self {
            Self::Nasbench101(networks) => &networks.accuracies,
            Self::Nasbench201(networks) => &networks.accuracies,
        }
    }

    /// The number of networks of the space that are left out because the table lacks them.
    pub const fn left_out(&self) -> u64 {
        match self {
            Self::Nasbench101(networks) => networks.left_out,
            Self::Nasbench201(networks) => networks.left_out,
        }
    }

    /// Returns the text of a network's cell, its key in tables.
    pub(super) fn key(&self, network: usize) -> String {
        match self {
            Self::Nasbench101(networks) => networks.family.cells[network].to_string(),
            Self::Nasbench201(networks) => networks.family.cells[network].to_string(),
        }
    }

    /// Builds the network with an index.
    pub(super) fn network(&self, network: usize) -> Result<Network, NetworkError> {
        match self {
            Self::Nasbench101(networks) => networks.family.network(network),
            Self::Nasbench201(networks) => networks.family.network(network),
        }
    }

    /// Returns the options of a network's cell in its space.
    pub(super) fn options(&self, network: usize) -> Vec<u16> {
        match self {
            Self::Nasbench101(networks) => {
                Nasbench101Space::new().options(networks.family.cells[network])
            }
            Self::Nasbench201(networks) => {
                Nasbench201Space::new().options(networks.family.cells[network]).to_vec()
            }
        }
    }
}
