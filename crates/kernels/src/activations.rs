//! The activations that the kernels compute.

use tandem_network::{Activation, Network};

use crate::error::KernelError;

/// The activations with a forward and a backward pass in the kernels.
const KNOWN: [Activation; 2] = [Activation::None, Activation::Relu];

/// Checks that the kernels compute the activations of all layers, also of unused ones.
///
/// # Errors
/// [`KernelError::Activation`] for the first layer with another activation.
pub fn check_activations(network: &Network) -> Result<(), KernelError> {
    let unknown = |activation: &Activation| !KNOWN.contains(activation);
    let mut layers = network.layers().iter();
    match layers.find(|layer| unknown(&layer.operation.activation())) {
        None => Ok(()),
        Some(layer) => Err(KernelError::Activation {
            layer: layer.name.clone(),
            activation: layer.operation.activation(),
            known: &KNOWN,
        }),
    }
}
