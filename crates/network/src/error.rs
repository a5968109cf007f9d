//! Errors of layers that cannot be.

use crate::layer::Shape;

/// The most layers of a network.
pub(crate) const MAX_LAYERS: usize = 20_000;

/// What makes a layer impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// More layers than any network has.
    #[error("the network has more than {MAX_LAYERS} layers")]
    TooMany,
    /// Two layers of one name.
    #[error("layer `{0}` is named twice")]
    DuplicateName(String),
    /// The number of inputs does not suit the operation.
    #[error("layer `{layer}` ({operation}) has {given} inputs; it takes {expected}")]
    Inputs {
        /// The layer's name.
        layer: String,
        /// What it computes.
        operation: String,
        /// How many inputs it was given.
        given: usize,
        /// How many it takes.
        expected: &'static str,
    },
    /// The inputs' shapes do not go together.
    #[error("layer `{layer}`: shapes {first} and {second} do not fit; {rule}")]
    Shapes {
        /// The layer's name.
        layer: String,
        /// The first input's shape.
        first: Shape,
        /// The shape that differs.
        second: Shape,
        /// What the operation asks for.
        rule: &'static str,
    },
    /// The operation's sizes make no sense for its input.
    #[error("layer `{layer}` ({operation}) cannot be applied to {shape}: {reason}")]
    Sizes {
        /// The layer's name.
        layer: String,
        /// What it computes.
        operation: String,
        /// The shape it reads.
        shape: Shape,
        /// What is wrong.
        reason: &'static str,
    },
    /// A layer that the output does not depend on.
    #[error("layer `{layer}` leads nowhere: the network ends at `{output}`, which does not use it")]
    Unused {
        /// The layer's name.
        layer: String,
        /// The name of the layer that the network ends at.
        output: String,
    },
}
