//! Errors of plans and of their execution.

use tandem_network::Activation;

/// Reasons that a network cannot be planned or run.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// An error of the tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A network that cannot be trained, with the reason.
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
    /// A batch without images, or with more than were prepared for.
    #[error("a batch of {given} images was given; it takes 1 to {most}")]
    Batch {
        /// The number of images given.
        given: usize,
        /// The maximum number of images.
        most: usize,
    },
    /// A label that is not below the number of classes.
    #[error("label {label} is out of range; the network tells {classes} classes apart")]
    Label {
        /// The label.
        label: u32,
        /// The number of the network's classes.
        classes: usize,
    },
}

fn names(activations: &[Activation]) -> String {
    let names: Vec<&str> = activations.iter().map(|activation| activation.name()).collect();
    names.join(" and ")
}
