//! Errors of invalid layers.

use crate::layer::Shape;

/// The maximum number of layers of a network.
pub(crate) const MAX_LAYERS: usize = 20_000;

/// Reasons that a network or one of its layers is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// More layers than the maximum of a network.
    #[error("the network has more than {MAX_LAYERS} layers")]
    TooMany,
    /// Two layers of the same name.
    #[error("layer `{0}` is named twice")]
    DuplicateName(String),
    /// A number of inputs that the operation does not take.
    #[error("layer `{layer}` ({operation}) has {given} inputs; it takes {expected}")]
    Inputs {
        /// The layer's name.
        layer: String,
        /// The label of its operation.
        operation: String,
        /// The number of inputs given.
        given: usize,
        /// The number of inputs that the operation takes, in words.
        expected: &'static str,
    },
    /// Inputs of shapes that do not fit together.
    #[error("layer `{layer}`: shapes {first} and {second} do not fit; {rule}")]
    Shapes {
        /// The layer's name.
        layer: String,
        /// The first input's shape.
        first: Shape,
        /// The shape that differs.
        second: Shape,
        /// The requirement of the operation.
        rule: &'static str,
    },
    /// Sizes of the operation that are invalid for its input.
    #[error("layer `{layer}` ({operation}) cannot be applied to {shape}: {reason}")]
    Sizes {
        /// The layer's name.
        layer: String,
        /// The label of its operation.
        operation: String,
        /// The input's shape.
        shape: Shape,
        /// The reason.
        reason: &'static str,
    },
    /// A layer that the output does not depend on.
    #[error("layer `{layer}` leads nowhere: the network ends at `{output}`, which does not use it")]
    Unused {
        /// The layer's name.
        layer: String,
        /// The name of the network's output layer.
        output: String,
    },
}
