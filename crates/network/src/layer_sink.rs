//! Putting a network together layer by layer, for whatever keeps it.

use std::fmt;

use crate::activation::{Activation, ActivationOrder};
use crate::error::NetworkError;
use crate::layer::{Convolution, Operation, Shape};

/// Something that takes a network layer by layer: a [`NetworkBuilder`](crate::NetworkBuilder) keeps
/// all of it, an accelerator only what it runs.
pub trait LayerSink {
    /// Names a layer.
    type Id: Copy;
    /// What makes a layer impossible.
    type Error: From<NetworkError>;

    /// The shape that a layer gives.
    fn shape(&self, id: Self::Id) -> Shape;

    /// Adds a layer.
    ///
    /// # Errors
    /// A name that is taken, a number of inputs that the operation does not take, shapes that do
    /// not fit, or an operation that the taker has no use for.
    fn add(
        &mut self,
        name: impl fmt::Display,
        operation: Operation,
        inputs: &[Self::Id],
    ) -> Result<Self::Id, Self::Error>;

    /// Adds a convolution with batch normalisation and an activation after it that keeps the image's size
    /// at stride 1.
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

    /// Adds an activation, a convolution and a batch normalisation, in this order, that keep the image's
    /// size at stride 1.
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

    /// Adds a convolution of each channel on its own, with batch normalisation and an activation after it,
    /// that keeps the image's size at stride 1.
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

    /// Adds the sum of one or more layers; a single layer is its own sum.
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
