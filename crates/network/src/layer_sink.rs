//! Putting a network together layer by layer, for whatever keeps it.

use std::fmt;

use crate::error::NetworkError;
use crate::layer::{Convolution, Operation, Relu, Shape};

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

    /// Adds a convolution with batch normalisation that keeps the image's size at stride 1.
    ///
    /// # Errors
    /// As [`LayerSink::add`].
    fn conv_bn(
        &mut self,
        name: impl fmt::Display,
        input: Self::Id,
        (channels, kernel, stride): (usize, usize, usize),
        relu: Relu,
    ) -> Result<Self::Id, Self::Error> {
        let convolution = normalised((channels, kernel, stride), relu);
        self.add(name, Operation::Convolution(convolution), &[input])
    }

    /// Adds a convolution of each channel on its own, with batch normalisation, that keeps the image's
    /// size at stride 1.
    ///
    /// # Errors
    /// As [`LayerSink::add`].
    fn depthwise_bn(
        &mut self,
        name: impl fmt::Display,
        input: Self::Id,
        (kernel, stride): (usize, usize),
        relu: Relu,
    ) -> Result<Self::Id, Self::Error> {
        let channels = self.shape(input).channels;
        let all = normalised((channels, kernel, stride), relu);
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

const fn normalised((channels, kernel, stride): (usize, usize, usize), relu: Relu) -> Convolution {
    Convolution {
        channels,
        kernel,
        stride,
        padding: kernel / 2,
        groups: 1,
        bias: false,
        batch_norm: true,
        relu,
    }
}
