//! Inference of the shapes of layers.

use std::fmt;

use crate::error::NetworkError;
use crate::layer::{Operation, Shape, Window};

/// The maximum number of values of a feature map, and of weights of a layer.
const MAX_VALUES: u64 = 1 << 40;

/// The maximum number of multiply-accumulates of a layer.
const MAX_MACS: u64 = 1 << 48;

/// Returns the input shape of a layer (that of the first input if there are several) and its output shape.
///
/// # Errors
/// [`NetworkError::Inputs`] for a wrong number of inputs, [`NetworkError::Shapes`] for shapes that do not
/// fit, and [`NetworkError::Sizes`] for sizes that are invalid for the input, or that exceed 2^40 values or
/// weights, or 2^48 multiply-accumulates.
pub fn layer_shapes(
    name: &dyn fmt::Display,
    operation: Operation,
    mut inputs: impl ExactSizeIterator<Item = Shape> + Clone,
) -> Result<(Shape, Shape), NetworkError> {
    let expected = match operation {
        Operation::Input => Some("none, and a network has one"),
        Operation::Add | Operation::Concatenate if inputs.len() < 2 => Some("two or more"),
        Operation::Add | Operation::Concatenate => None,
        _ if inputs.len() != 1 => Some("one"),
        _ => None,
    };
    if let Some(expected) = expected {
        let (layer, operation) = (name.to_string(), operation.label());
        return Err(NetworkError::Inputs { layer, operation, given: inputs.len(), expected });
    }
    let input = inputs.next().unwrap_or(Shape::new(0, 0, 0));
    let sizes = |reason| NetworkError::Sizes {
        layer: name.to_string(),
        operation: operation.label(),
        shape: input,
        reason,
    };
    let mismatch =
        |second, rule| NetworkError::Shapes { layer: name.to_string(), first: input, second, rule };
    let mut others = inputs;
    let output = match operation {
        Operation::Convolution(c) => {
            if c.channels == 0 || c.groups == 0 {
                return Err(sizes("channels and groups must be at least 1"));
            }
            if !input.channels.is_multiple_of(c.groups) || !c.channels.is_multiple_of(c.groups) {
                return Err(sizes("the groups do not divide the channels"));
            }
            let window =
                Window { kernel: c.kernel, stride: c.stride, padding: c.padding, ceil: false };
            slide(input, window).map(|s| Shape { channels: c.channels, ..s }).map_err(sizes)?
        }
        Operation::MaxPool(window) | Operation::AveragePool(window) => {
            if 2 * window.padding > window.kernel {
                return Err(sizes("the padding is more than half the window"));
            }
            slide(input, window).map_err(sizes)?
        }
        Operation::GlobalAveragePool => Shape::new(input.channels, 1, 1),
        Operation::Add => {
            if let Some(other) = others.find(|other| *other != input) {
                return Err(mismatch(other, "a sum takes equal shapes"));
            }
            input
        }
        Operation::Concatenate => {
            let same_size = |s: &Shape| (s.height, s.width) == (input.height, input.width);
            if let Some(other) = others.clone().find(|other| !same_size(other)) {
                return Err(mismatch(other, "concatenation takes equal heights and widths"));
            }
            let channels = input.channels + others.map(|s| s.channels).sum::<usize>();
            Shape { channels, ..input }
        }
        Operation::Truncate { channels } => {
            if channels == 0 || channels > input.channels {
                return Err(sizes("it must keep between one and all of the channels"));
            }
            Shape { channels, ..input }
        }
        Operation::Linear { features: 0 } => return Err(sizes("it has no output features")),
        Operation::Linear { features } => Shape::new(features, 1, 1),
        Operation::Input | Operation::BatchNormActivation(_) | Operation::Zero => input,
    };
    if !is_countable(operation, input, output) {
        return Err(sizes("it has more than 2^40 values or weights, or 2^48 multiply-accumulates"));
    }
    Ok((input, output))
}

/// Returns true if the layer is small enough that sums over a network's layers fit in 64 bits.
fn is_countable(operation: Operation, input: Shape, output: Shape) -> bool {
    let product = |factors: [usize; 4]| {
        factors.into_iter().try_fold(1u64, |product, factor| product.checked_mul(factor as u64))
    };
    let values = |s: Shape| product([s.channels, s.height, s.width, 1]);
    let weights = match operation {
        Operation::Convolution(c) => {
            product([c.kernel, c.kernel, input.channels / c.groups, c.channels])
        }
        Operation::Linear { features } => {
            values(input).and_then(|n| n.checked_mul(features as u64))
        }
        _ => Some(0),
    };
    let pixels = output.height.checked_mul(output.width);
    let macs = weights.zip(pixels).and_then(|(n, pixels)| n.checked_mul(pixels as u64));
    let within = |count: Option<u64>, most: u64| count.is_some_and(|count| count <= most);
    within(values(input), MAX_VALUES)
        && within(values(output), MAX_VALUES)
        && within(weights, MAX_VALUES)
        && within(macs, MAX_MACS)
}

/// Returns the output shape of a window that slides over the input.
fn slide(input: Shape, window: Window) -> Result<Shape, &'static str> {
    let Window { kernel, stride, padding, ceil } = window;
    if kernel == 0 || stride == 0 {
        return Err("kernel and stride must be at least 1");
    }
    let along = |size: usize| {
        let span = (size + 2 * padding).checked_sub(kernel)?;
        let steps = if ceil { span.div_ceil(stride) } else { span / stride };
        // A window that starts in the padding behind the input would cover nothing.
        let last_starts_outside = ceil && steps * stride >= size + padding;
        Some(steps + 1 - usize::from(last_starts_outside))
    };
    match (along(input.height), along(input.width)) {
        (Some(height), Some(width)) => Ok(Shape { height, width, ..input }),
        _ => Err("the window is larger than the padded input"),
    }
}
