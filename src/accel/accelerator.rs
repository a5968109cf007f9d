//! The interface of an accelerator: its configurations, and the cost of a network on one of them.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use super::workload::{NetworkForm, Workload, WrongForm};
use crate::metrics::{Metrics, Origin, Trust};
use crate::space::{Domain, Illegal};

/// A piece of hardware that runs networks, in one of several configurations.
///
/// A configuration is an option for each choice of [`Accelerator::space`], as a point has them.
/// A model whose own types are faster to build has functions for these, with the ones here on top.
pub trait Accelerator: Any + Send + Sync {
    /// The name in scripts and results.
    fn id(&self) -> &str;

    /// The version of the model or the hash of the measurements: estimates of different versions
    /// are not to be mixed.
    fn version(&self) -> &str;

    /// The source of the numbers as results show it, such as `latency and area: CHaiDNN model`.
    fn source(&self) -> String;

    /// Whether the numbers were observed on the hardware; a model's are not.
    fn is_measured(&self) -> bool {
        false
    }

    /// The origin of its numbers, as results show it.
    fn origin(&self) -> Origin {
        let trust = if self.is_measured() { Trust::Measured } else { Trust::Modelled };
        Origin::new(trust, self.source())
    }

    /// The configurations.
    fn space(&self) -> Arc<dyn Domain>;

    /// The form in which the accelerator takes networks.
    fn network_form(&self) -> NetworkForm {
        NetworkForm::Layers
    }

    /// The cost of a network on a configuration.
    ///
    /// # Errors
    /// The configuration is none or cannot run the network, or nothing is known of the pair.
    fn estimate(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Metrics, AcceleratorError>;

    /// The share of each layer and of each part of the accelerator; empty where that is not known.
    ///
    /// # Errors
    /// As [`Accelerator::estimate`].
    fn breakdown(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Breakdown, AcceleratorError>;
}

/// Why a pair has no estimate.
#[derive(Debug, thiserror::Error)]
pub enum AcceleratorError {
    /// The network comes in another form.
    #[error(transparent)]
    Form(#[from] WrongForm),
    /// The options are no configuration.
    #[error(transparent)]
    Configuration(#[from] Illegal),
    /// The model's own reason.
    #[error(transparent)]
    Model(Box<dyn Error + Send + Sync>),
}

impl AcceleratorError {
    /// Wraps the error of a model; its text stays as it is.
    pub fn model(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Model(Box::new(error))
    }
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
