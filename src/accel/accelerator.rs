//! The interface of an accelerator: its configurations, and the cost of a network on one of them.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use super::workload::{NetworkForm, Workload, WrongForm};
use crate::metrics::{Metrics, Origin, Trust};
use crate::space::{Domain, Illegal};

/// A piece of hardware that runs networks, in one of several configurations.
///
/// A configuration is an option for each choice of [`Accelerator::space`], in the same order as in a point. A
/// model may also have faster functions on types of its own, and implement these methods with them.
pub trait Accelerator: Any + Send + Sync {
    /// The identifier in scripts and results.
    fn id(&self) -> &str;

    /// The version of the model, or the hash of the measurements. Estimates of different versions must not be
    /// mixed.
    fn version(&self) -> &str;

    /// The source of the numbers as results show it, such as `latency and area: CHaiDNN model`.
    fn source(&self) -> String;

    /// Returns true if the numbers were measured on the hardware, false if a model computes them.
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

    /// The form in which the accelerator takes networks: layers, unless overridden.
    fn network_form(&self) -> NetworkForm {
        NetworkForm::Layers
    }

    /// Estimates the cost of a network on a configuration.
    ///
    /// # Errors
    /// If the network has the wrong form, if the configuration is illegal or cannot run the network, or if
    /// the pair was not measured.
    fn estimate(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Metrics, AcceleratorError>;

    /// Breaks the cost of a network on a configuration down by layer and by part of the accelerator.
    ///
    /// A list is empty where shares are unknown.
    ///
    /// # Errors
    /// As [`Accelerator::estimate`].
    fn breakdown(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Breakdown, AcceleratorError>;
}

/// Reasons that a pair of network and configuration has no estimate.
#[derive(Debug, thiserror::Error)]
pub enum AcceleratorError {
    /// The network is in a form that the accelerator does not take.
    #[error(transparent)]
    Form(#[from] WrongForm),
    /// The options are not a legal configuration.
    #[error(transparent)]
    Configuration(#[from] Illegal),
    /// An error of the model, such as a layer that it cannot run.
    #[error(transparent)]
    Model(Box<dyn Error + Send + Sync>),
}

impl AcceleratorError {
    /// Wraps the error of a model and keeps its text.
    pub fn model(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Model(Box::new(error))
    }
}

/// The cost of a pair, by layer of the network and by part of the accelerator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breakdown {
    /// The layers, in the order in which they run.
    pub layers: Vec<LayerCost>,
    /// The parts of the accelerator.
    pub parts: Vec<PartCost>,
    /// A remark on the whole, such as whether the design fits its FPGA.
    pub note: Option<String>,
}

/// The cost of a layer, or of one operation of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerCost {
    /// The layer's name.
    pub name: String,
    /// The engine that runs it, where there are several.
    pub engine: Option<String>,
    /// Start time in ms from the start of the run, where layers overlap.
    pub start_ms: Option<f64>,
    /// The bottleneck, such as `compute` or `weights`.
    pub bound: Option<String>,
    /// Metrics of this layer alone; `latency_ms` is its duration.
    pub metrics: Metrics,
}

/// A part of an accelerator and its share of a cost, such as area.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartCost {
    /// The part's name.
    pub name: String,
    /// Metrics of this part alone, in the order in which results show them.
    pub metrics: Vec<(String, f64)>,
}
