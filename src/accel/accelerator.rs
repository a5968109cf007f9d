//! What every accelerator answers: what a pair costs, and what of it costs how much.

use crate::metrics::Metrics;

/// A piece of hardware that runs networks, in one of several configurations.
pub trait Accelerator {
    /// A network in the form in which the accelerator takes it.
    type Network: ?Sized;
    /// The parameters that can be chosen.
    type Configuration: ?Sized;
    /// Why a pair has no estimate.
    type Error;

    /// The name that results show.
    fn name(&self) -> &str;

    /// What a network costs on a configuration.
    ///
    /// # Errors
    /// The configuration cannot run the network, or nothing is known of the pair.
    fn estimate(
        &self,
        network: &Self::Network,
        configuration: &Self::Configuration,
    ) -> Result<Metrics, Self::Error>;

    /// What each layer and each part of the accelerator has in it; empty where that is not known.
    ///
    /// # Errors
    /// As [`Accelerator::estimate`].
    fn breakdown(
        &self,
        network: &Self::Network,
        configuration: &Self::Configuration,
    ) -> Result<Breakdown, Self::Error>;
}

/// What each layer of a network and each part of an accelerator has in what a pair costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breakdown {
    /// The layers, in the order in which they run.
    pub layers: Vec<LayerCost>,
    /// The parts of the accelerator.
    pub parts: Vec<PartCost>,
    /// What else there is to say.
    pub note: Option<String>,
}

/// What a layer, or an operation of one, costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerCost {
    /// The layer's name.
    pub name: String,
    /// The engine that runs it, where there are several.
    pub engine: Option<String>,
    /// When it starts, in ms from the start, where layers overlap.
    pub start_ms: Option<f64>,
    /// What it spends most of its time on.
    pub bound: Option<String>,
    /// Its own share: `latency_ms` is how long it takes.
    pub metrics: Metrics,
}

/// What a part of an accelerator has in it, such as its area.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartCost {
    /// The part's name.
    pub name: String,
    /// Its own share, in the order in which it is shown.
    pub metrics: Vec<(String, f64)>,
}
