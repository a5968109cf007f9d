//! What a plan consists of.

use super::buffers::{BufferId, Place};
use crate::kernels::{Class, Packing, Pooling, Tap, Window};
use tandem_network as network;

/// A summand of what a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summand {
    /// The stored values.
    pub place: Place,
    /// The coefficients that normalise them: index of the first channel's.
    pub affine: Option<usize>,
    /// Whether negative values become 0.
    pub relu: bool,
}

/// What a layer reads: a sum, rectified or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The summands.
    pub terms: Vec<Summand>,
    /// Whether negative sums become 0.
    pub relu: bool,
}

/// The place of a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientTarget {
    /// The place.
    pub place: Place,
    /// Whether it is added to what is there.
    pub add: bool,
}

/// One layer's channels in a convolution's output, or a batch normalisation of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The layer's index in the network.
    pub layer: usize,
    /// The first channel in the convolution's output.
    pub channel: usize,
    /// The layer's own values before normalisation.
    pub z: Place,
    /// Its coefficients: index of the first channel's.
    pub coefficients: usize,
    /// Whether a rectifier follows.
    pub relu: bool,
    /// Whether scale and offset are applied at all; without, the values are the layer's as they are.
    pub applied: bool,
    /// The gradient of what the layer gives.
    pub gradient: Option<Place>,
}

/// Which kernel a convolution takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every output sees all inputs of its group: sums over taps.
    Direct,
    /// The same by minimal filtering.
    Winograd,
    /// Every channel sees itself.
    Depthwise,
}

/// A convolution, or several of one shape that read the same and are computed as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// The geometry of a group.
    pub window: Window,
    /// Groups.
    pub groups: usize,
    /// The kernel.
    pub kind: Kind,
    /// What is read.
    pub sources: Sources,
    /// The output.
    pub z: Place,
    /// The layers.
    pub parts: Vec<Part>,
    /// Taps of the forward pass and their inputs.
    pub taps: (Vec<Tap>, usize),
    /// Classes of the input's gradient.
    pub classes: Vec<Class>,
    /// How the weights are packed for each pass.
    pub packing: [Packing; 2],
    /// Where the packed weights of each pass are.
    pub packed: [usize; 2],
    /// Where the weights lie one part after another, unpacked.
    pub weights: usize,
    /// Where the input's gradient goes, if it is wanted.
    pub towards: Option<GradientTarget>,
    /// Images whose weight gradients are summed apart.
    pub groups_of_images: usize,
}

/// A step of the forward pass; the backward pass takes them from the last to the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Convolutions.
    Convolution(Box<Convolution>),
    /// A sum that is written out.
    Combine {
        /// What is summed.
        sources: Sources,
        /// Where the sum goes.
        to: Place,
    },
    /// A sum's or a concatenation's gradient passed on: only a backward pass.
    Pass {
        /// Gradients and where they go.
        to: Vec<(Place, GradientTarget)>,
        /// What becomes 0 before, because the gradient covers it in part.
        clear: Vec<Place>,
    },
    /// Pooling.
    Pool {
        /// What is taken.
        pooling: Pooling,
        /// The window.
        window: network::Window,
        /// The input.
        from: Place,
        /// The output.
        to: Place,
        /// Positions of maxima.
        chosen: Option<BufferId>,
        /// The output's gradient.
        gradient: Option<Place>,
        /// Where the input's goes.
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
        /// Where the input's goes.
        towards: Option<GradientTarget>,
    },
    /// A batch normalisation of its own.
    Norm {
        /// Its values and coefficients.
        part: Part,
        /// Where the input's gradient goes.
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
        /// Where the input's goes.
        towards: Option<GradientTarget>,
        /// Where its weights lie, in the order of the input's pixels.
        weights: usize,
    },
}
