//! One layer: its operation, shapes, parameters and multiply-accumulates.

use std::fmt;

use crate::activation::{Activation, ActivationOrder};

/// The shape of a feature map of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// Feature maps.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Creates a shape.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// The number of values.
    pub const fn values(self) -> u64 {
        (self.channels * self.height * self.width) as u64
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// A two-dimensional convolution with square kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Output channels.
    pub channels: usize,
    /// Rows and columns of a kernel.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Zero rows and columns around the input.
    pub padding: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// True if every output channel has a trainable offset.
    pub bias: bool,
    /// True if batch normalization follows (two trainable parameters per channel).
    pub batch_norm: bool,
    /// The activation.
    pub activation: Activation,
    /// The activation's place; ignored if there is no activation.
    pub activation_order: ActivationOrder,
}

impl Convolution {
    /// Returns the activation of the input, before the convolution.
    pub const fn activation_before(&self) -> Activation {
        match self.activation_order {
            ActivationOrder::Before => self.activation,
            ActivationOrder::After => Activation::None,
        }
    }

    /// Returns the activation of the output, after the batch normalization.
    pub const fn activation_after(&self) -> Activation {
        match self.activation_order {
            ActivationOrder::Before => Activation::None,
            ActivationOrder::After => self.activation,
        }
    }
}

/// The window of a pooling layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Rows and columns around the input; they never count in a maximum or an average.
    pub padding: usize,
    /// True if a last window that extends past the edge is kept, unless it starts in the padding.
    pub ceil: bool,
}

/// The operation of a layer, with its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The image.
    Input,
    /// Convolution, with its batch normalization and activation.
    Convolution(Convolution),
    /// Maximum over a window.
    MaxPool(Window),
    /// Average over a window, padding not counted.
    AveragePool(Window),
    /// Average over the whole feature map.
    GlobalAveragePool,
    /// Sum of the inputs, which all have the same shape.
    Add,
    /// The inputs' channels one after another.
    Concatenate,
    /// The first channels of the input.
    Truncate {
        /// The number of channels kept.
        channels: usize,
    },
    /// Batch normalization and an activation without a convolution.
    BatchNormActivation(Activation),
    /// A fully connected layer with bias.
    Linear {
        /// Output features.
        features: usize,
    },
    /// Zeros of the input's shape.
    Zero,
}

impl Operation {
    /// Returns the kind of operation in one word, without its sizes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Convolution(_) => "conv",
            Self::MaxPool(_) => "max_pool",
            Self::AveragePool(_) => "avg_pool",
            Self::GlobalAveragePool => "global_avg_pool",
            Self::Add => "add",
            Self::Concatenate => "concat",
            Self::Truncate { .. } => "truncate",
            Self::BatchNormActivation(Activation::Relu) => "batch_norm_relu",
            Self::BatchNormActivation(_) => "batch_norm",
            Self::Linear { .. } => "linear",
            Self::Zero => "zero",
        }
    }

    /// Returns the activation, before or after the arithmetic; [`Activation::None`] if the operation has
    /// none.
    pub const fn activation(&self) -> Activation {
        match self {
            Self::Convolution(c) => c.activation,
            Self::BatchNormActivation(activation) => *activation,
            _ => Activation::None,
        }
    }

    /// Returns the operation's name in tables and drawings.
    pub fn label(&self) -> String {
        match self {
            Self::Input => "input".into(),
            Self::Convolution(c) => {
                let mut label = format!("conv {0}x{0}", c.kernel);
                if c.stride > 1 {
                    label += &format!(" /{}", c.stride);
                }
                if c.groups > 1 {
                    label += &format!(" ({} groups)", c.groups);
                }
                if c.batch_norm {
                    label += " + bn";
                }
                match (c.activation, c.activation_order) {
                    (Activation::None, _) => label,
                    (activation, ActivationOrder::Before) => format!("{activation} + {label}"),
                    (activation, ActivationOrder::After) => format!("{label} + {activation}"),
                }
            }
            Self::MaxPool(w) => format!("max pool {0}x{0} /{1}", w.kernel, w.stride),
            Self::AveragePool(w) => format!("average pool {0}x{0} /{1}", w.kernel, w.stride),
            Self::GlobalAveragePool => "global average pool".into(),
            Self::Add => "add".into(),
            Self::Concatenate => "concatenate".into(),
            Self::Truncate { .. } => "truncate".into(),
            Self::BatchNormActivation(Activation::None) => "bn".into(),
            Self::BatchNormActivation(activation) => format!("bn + {activation}"),
            Self::Linear { .. } => "linear".into(),
            Self::Zero => "zero".into(),
        }
    }
}

/// The index of a layer in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub(crate) usize);

impl LayerId {
    /// The position in [`crate::Network::layers`].
    pub const fn index(self) -> usize {
        self.0
    }
}

/// One layer of a network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// A name that is unique in the network.
    pub name: String,
    /// The operation.
    pub operation: Operation,
    /// The layers that it reads, all before it in the network.
    pub inputs: Vec<LayerId>,
    /// The input's shape; that of the first input if there are several.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
}

impl Layer {
    /// Returns the window that slides over the input; a single pixel for operations without one.
    pub const fn window(&self) -> Window {
        match self.operation {
            Operation::Convolution(Convolution { kernel, stride, padding, .. }) => {
                Window { kernel, stride, padding, ceil: false }
            }
            Operation::MaxPool(window) | Operation::AveragePool(window) => window,
            _ => Window { kernel: 1, stride: 1, padding: 0, ceil: false },
        }
    }

    /// Trainable parameters.
    pub fn parameters(&self) -> u64 {
        let count = match self.operation {
            Operation::Convolution(c) => {
                let weights = c.kernel * c.kernel * (self.input.channels / c.groups) * c.channels;
                let per_channel = usize::from(c.bias) + 2 * usize::from(c.batch_norm);
                weights + per_channel * c.channels
            }
            Operation::BatchNormActivation(_) => 2 * self.input.channels,
            Operation::Linear { features } => (self.input.values() as usize + 1) * features,
            _ => 0,
        };
        count as u64
    }

    /// Multiply-accumulates for one image; pooling, addition and normalization count none.
    pub fn macs(&self) -> u64 {
        match self.operation {
            Operation::Convolution(c) => {
                let taps = c.kernel * c.kernel * (self.input.channels / c.groups);
                self.output.values() * taps as u64
            }
            Operation::Linear { features } => self.input.values() * features as u64,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_the_activation_in_its_place() {
        let convolution = |activation, activation_order| {
            let (channels, kernel, stride, padding, groups) = (8, 3, 2, 1, 2);
            let (bias, batch_norm) = (false, true);
            let convolution = Convolution {
                channels,
                kernel,
                stride,
                padding,
                groups,
                bias,
                batch_norm,
                activation,
                activation_order,
            };
            let (before, after) = (convolution.activation_before(), convolution.activation_after());
            (Operation::Convolution(convolution).label(), before, after)
        };
        let label = |text: &str| text.to_owned();
        assert_eq!(
            convolution(Activation::HardSwish, ActivationOrder::After),
            (
                label("conv 3x3 /2 (2 groups) + bn + hard_swish"),
                Activation::None,
                Activation::HardSwish
            )
        );
        assert_eq!(
            convolution(Activation::Relu6, ActivationOrder::Before),
            (label("relu6 + conv 3x3 /2 (2 groups) + bn"), Activation::Relu6, Activation::None)
        );
        for order in [ActivationOrder::Before, ActivationOrder::After] {
            assert_eq!(
                convolution(Activation::None, order),
                (label("conv 3x3 /2 (2 groups) + bn"), Activation::None, Activation::None)
            );
        }
        let norm = Operation::BatchNormActivation;
        assert_eq!(norm(Activation::None).label(), "bn");
        assert_eq!(norm(Activation::Gelu).label(), "bn + gelu");
        assert_eq!(norm(Activation::Relu).label(), "bn + relu");
        assert_eq!(norm(Activation::Relu).kind(), "batch_norm_relu");
        assert_eq!(norm(Activation::Silu).kind(), "batch_norm");
    }
}
