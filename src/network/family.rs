//! The networks of a space, by number.

use super::nasbench101::{Nasbench101Settings, assemble_nasbench101};
use super::nasbench201::{Nasbench201Settings, assemble_nasbench201};
use super::{LayerSink, Network, NetworkBuilder, NetworkError, Shape};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

/// Networks that differ in a cell, by number from 0.
pub trait Family: Send + Sync {
    /// Whether every layer of every network leads to its output.
    const ALL_USED: bool;

    /// How many networks there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of the image.
    fn image(&self) -> Shape;

    /// Assembles a network behind an image.
    ///
    /// # Errors
    /// Sizes that do not go together, or what the taker refuses.
    ///
    /// # Panics
    /// If there is no network of the number.
    fn assemble<A: LayerSink>(
        &self,
        network: usize,
        net: &mut A,
        image: A::Id,
    ) -> Result<(), A::Error>;

    /// The whole network of a number.
    ///
    /// # Errors
    /// Sizes that do not go together.
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
    /// What is around them.
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
    /// What is around them.
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
