//! The steps of a plan, and their parts.

use super::buffers::{BufferId, Place};
use crate::kernels::{Class, ConvolutionWindow, Packing, Pooling, Tap};
use tandem_network as network;

/// A summand of a layer's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summand {
    /// The stored values.
    pub place: Place,
    /// The index of the first channel's scale and offset; none if the values are used as stored.
    pub affine: Option<usize>,
    /// True if negative values become 0, after scale and offset.
    pub relu: bool,
}

/// A layer's input: a sum, optionally rectified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The summands.
    pub terms: Vec<Summand>,
    /// True if negative sums become 0.
    pub relu: bool,
}

/// The target of a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientTarget {
    /// The place.
    pub place: Place,
    /// True to add the gradient to the values there, false to overwrite them.
    pub add: bool,
}

/// One layer's channels in a convolution's output, or a separate batch normalization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputPart {
    /// The layer's index in the network.
    pub layer: usize,
    /// The first channel in the convolution's output.
    pub channel: usize,
    /// The layer's values before normalization.
    pub z: Place,
    /// The index of the first channel's coefficients.
    pub coefficients: usize,
    /// True if a rectifier follows.
    pub relu: bool,
    /// True if scale and offset are applied; false if the layer has neither normalization nor a bias.
    pub applied: bool,
    /// The gradient of the layer's output.
    pub gradient: Option<Place>,
}

/// The kernel of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvolutionKernel {
    /// Sums over taps, in which every output depends on all inputs of its group.
    Direct,
    /// The same by Winograd's minimal filtering.
    Winograd,
    /// Sums over taps, in which every output depends on its own channel alone.
    Depthwise,
}

/// A convolution, or several of the same geometry and input that are computed as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvolutionStep {
    /// The geometry of a group of channels.
    pub window: ConvolutionWindow,
    /// The number of groups of channels; 1 for a depthwise convolution.
    pub groups: usize,
    /// The kernel.
    pub kind: ConvolutionKernel,
    /// The input.
    pub sources: Sources,
    /// The output, before normalization.
    pub z: Place,
    /// The layers, in the order of their channels.
    pub parts: Vec<OutputPart>,
    /// The taps of the forward pass, and the number of inputs of each.
    pub taps: (Vec<Tap>, usize),
    /// The classes of input pixels, for the input's gradient.
    pub classes: Vec<Class>,
    /// The layout of the packed weights, for the forward and the backward pass.
    pub packing: [Packing; 2],
    /// The offsets of the packed weights of each pass.
    pub packed: [usize; 2],
    /// The offset of the unpacked weights, which lie one part after another.
    pub weights: usize,
    /// The target of the input's gradient; none if it is not needed.
    pub towards: Option<GradientTarget>,
    /// The number of groups of images whose weight gradients are summed separately.
    pub groups_of_images: usize,
}

/// A step of the forward pass; the backward pass runs the steps in reverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Convolutions.
    Convolution(Box<ConvolutionStep>),
    /// A sum that is stored.
    Combine {
        /// The summands.
        sources: Sources,
        /// The place of the sum.
        to: Place,
    },
    /// The gradient of a sum, a concatenation or a truncation, passed on to its inputs; backward pass only.
    Pass {
        /// The gradients and their targets.
        to: Vec<(Place, GradientTarget)>,
        /// The places set to 0 first, because the gradient covers only some of their channels.
        clear: Vec<Place>,
    },
    /// Pooling.
    Pool {
        /// The kind of pooling.
        pooling: Pooling,
        /// The window.
        window: network::Window,
        /// The input.
        from: Place,
        /// The output.
        to: Place,
        /// The positions of the maxima; none for averages.
        chosen: Option<BufferId>,
        /// The output's gradient.
        gradient: Option<Place>,
        /// The target of the input's gradient; none if it is not needed.
        towards: Option<GradientTarget>,
    },
    /// The average of whole feature maps.
    Global {
        /// The input.
        from: Place,
        /// The output.
        to: Place,
        /// The output's gradient.
        gradient: Option<Place>,
        /// The target of the input's gradient; none if it is not needed.
        towards: Option<GradientTarget>,
    },
    /// A separate batch normalization.
    Norm {
        /// Its values and coefficients.
        part: OutputPart,
        /// The target of the input's gradient; none if it is not needed.
        towards: Option<GradientTarget>,
    },
    /// A fully connected layer.
    Linear {
        /// The layer's index in the network.
        layer: usize,
        /// The input.
        from: Place,
        /// The output.
        to: Place,
        /// The output's gradient.
        gradient: Option<Place>,
        /// The target of the input's gradient; none if it is not needed.
        towards: Option<GradientTarget>,
        /// The offset of the weights, whose inputs are ordered by row, column and channel.
        weights: usize,
    },
}
