//! Families of networks that differ only in their cell.

use super::nasbench101::{Nasbench101Settings, assemble_nasbench101};
use super::nasbench201::{Nasbench201Settings, assemble_nasbench201};
use super::{LayerSink, Network, NetworkBuilder, NetworkError, Shape};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

/// A family of networks that differ only in their cell, numbered from 0.
pub trait Family: Send + Sync {
    /// True if the output of each network depends on all its layers.
    const ALL_USED: bool;

    /// The number of networks.
    fn len(&self) -> usize;

    /// Returns true if the family has no networks.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of the input image.
    fn image(&self) -> Shape;

    /// Adds the layers of a network to a sink that has the image already.
    ///
    /// # Errors
    /// If sizes do not fit together, or the sink rejects a layer.
    ///
    /// # Panics
    /// If `network` is not less than [`Family::len`].
    fn assemble<A: LayerSink>(
        &self,
        network: usize,
        net: &mut A,
        image: A::Id,
    ) -> Result<(), A::Error>;

    /// Builds the network of a number.
    ///
    /// # Errors
    /// If sizes do not fit together.
    fn network(&self, network: usize) -> Result<Network, NetworkError> {
        let (mut net, image) = NetworkBuilder::new(self.image());
        self.assemble(network, &mut net, image)?;
        Ok(net.finish())
    }
}

/// The networks of NASBench-101 cells.
#[derive(Clone, Debug)]
pub struct Nasbench101Family {
    /// The cells, each as the graph that the benchmark keeps.
    pub cells: Vec<Cell101>,
    /// The macro structure around the cells.
    pub settings: Nasbench101Settings,
}

impl Family for Nasbench101Family {
    const ALL_USED: bool = true;

    fn len(&self) -> usize {
        self.cells.len()
    }

    fn image(&self) -> Shape {
        self.settings.image()
    }

    fn assemble<A: LayerSink>(
        &self,
        network: usize,
        net: &mut A,
        image: A::Id,
    ) -> Result<(), A::Error> {
        assemble_nasbench101(net, image, &self.cells[network], self.settings)
    }
}

/// The networks of NAS-Bench-201 cells.
#[derive(Clone, Debug)]
pub struct Nasbench201Family {
    /// The cells.
    pub cells: Vec<Cell201>,
    /// The macro structure around the cells.
    pub settings: Nasbench201Settings,
}

impl Family for Nasbench201Family {
    const ALL_USED: bool = false;

    fn len(&self) -> usize {
        self.cells.len()
    }

    fn image(&self) -> Shape {
        self.settings.image()
    }

    fn assemble<A: LayerSink>(
        &self,
        network: usize,
        net: &mut A,
        image: A::Id,
    ) -> Result<(), A::Error> {
        assemble_nasbench201(net, image, self.cells[network], self.settings)
    }
}
