//! The trait for building a network layer by layer, shared by networks and accelerators.

use std::fmt;

use crate::activation::{Activation, ActivationOrder};
use crate::error::NetworkError;
use crate::layer::{Convolution, Operation, Shape};

/// A receiver of a network's layers, one at a time: a [`NetworkBuilder`](crate::NetworkBuilder) stores all of
/// them, an accelerator only those that it runs.
pub trait LayerSink {
    /// The identifier of a layer.
    type Id: Copy;
    /// The error of a layer that cannot be added.
    type Error: From<NetworkError>;

    /// Returns the output shape of a layer.
    fn shape(&self, id: Self::Id) -> Shape;

    /// Adds a layer.
    ///
    /// # Errors
    /// A name that is taken, a wrong number of inputs, shapes that do not fit, or an operation that the
    /// receiver does not support.
    fn add(
        &mut self,
        name: impl fmt::Display,
        operation: Operation,
        inputs: &[Self::Id],
    ) -> Result<Self::Id, Self::Error>;

    /// Adds a convolution followed by batch normalization and an activation, padded to keep the image's size
    /// at stride 1 (for odd kernels).
    ///
    /// # Errors
    /// As [`LayerSink::add`].
    fn conv_bn(
        &mut self,
        name: impl fmt::Display,
        input: Self::Id,
        (channels, kernel, stride): (usize, usize, usize),
        activation: Activation,
    ) -> Result<Self::Id, Self::Error> {
        let convolution = normalised((channels, kernel, stride), activation);
        self.add(name, Operation::Convolution(convolution), &[input])
    }

    /// Adds an activation, a convolution and a batch normalization, in this order, padded like
    /// [`LayerSink::conv_bn`].
    ///
    /// # Errors
    /// As [`LayerSink::add`].
    fn preactivated_conv_bn(
        &mut self,
        name: impl fmt::Display,
        input: Self::Id,
        sizes: (usize, usize, usize),
        activation: Activation,
    ) -> Result<Self::Id, Self::Error> {
        let convolution = Convolution {
            activation_order: ActivationOrder::Before,
            ..normalised(sizes, activation)
        };
        self.add(name, Operation::Convolution(convolution), &[input])
    }

    /// Adds a depthwise convolution followed by batch normalization and an activation, padded like
    /// [`LayerSink::conv_bn`].
    ///
    /// # Errors
    /// As [`LayerSink::add`].
    fn depthwise_bn(
        &mut self,
        name: impl fmt::Display,
        input: Self::Id,
        (kernel, stride): (usize, usize),
        activation: Activation,
    ) -> Result<Self::Id, Self::Error> {
        let channels = self.shape(input).channels;
        let all = normalised((channels, kernel, stride), activation);
        let convolution = Convolution { groups: channels, ..all };
        self.add(name, Operation::Convolution(convolution), &[input])
    }

    /// Adds the sum of one or more layers; for a single layer, returns its id and adds nothing.
    ///
    /// # Errors
    /// As [`LayerSink::add`].
    fn sum(
        &mut self,
        name: impl fmt::Display,
        inputs: &[Self::Id],
    ) -> Result<Self::Id, Self::Error> {
        match inputs {
            [one] => Ok(*one),
            _ => self.add(name, Operation::Add, inputs),
        }
    }
}

const fn normalised(
    (channels, kernel, stride): (usize, usize, usize),
    activation: Activation,
) -> Convolution {
    Convolution {
        channels,
        kernel,
        stride,
        padding: kernel / 2,
        groups: 1,
        bias: false,
        batch_norm: true,
        activation,
        activation_order: ActivationOrder::After,
    }
}
