//! Errors of plans and of their execution.

use tandem_network::Activation;

/// Why a network cannot be planned or run.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The tensor library fails.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The network cannot be trained.
    #[error("the network cannot be trained: {0}")]
    Network(String),
    /// An activation that the kernels do not compute.
    #[error(
        "the network cannot be trained: the activation of layer `{layer}` is {activation}; training \
         knows {known}",
        known = names(known)
    )]
    Activation {
        /// The layer's name.
        layer: String,
        /// The layer's activation.
        activation: Activation,
        /// The activations that the kernels compute.
        known: &'static [Activation],
    },
    /// A batch that does not fit.
    #[error("a batch of {given} images was given; it takes 1 to {most}")]
    Batch {
        /// Images given.
        given: usize,
        /// The most images.
        most: usize,
    },
    /// A label that the network does not tell apart.
    #[error("label {label} is out of range; the network tells {classes} classes apart")]
    Label {
        /// The label.
        label: u32,
        /// The network's classes.
        classes: usize,
    },
}

fn names(activations: &[Activation]) -> String {
    let names: Vec<&str> = activations.iter().map(|activation| activation.name()).collect();
    names.join(" and ")
}
