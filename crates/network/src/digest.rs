//! The hash of a network under which training runs are cached. The hashed text is written out here, so that
//! it stays the same when types are renamed.

use crate::activation::{Activation, ActivationOrder};
use crate::graph::Network;
use crate::layer::{Convolution, Operation, Window};

impl Network {
    /// Returns a hash of everything but the layers' names (BLAKE3, hexadecimal).
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("tandem network v1");
        for layer in self.layers() {
            let operation = operation_text(layer.operation);
            let inputs: Vec<usize> = layer.inputs.iter().map(|id| id.index()).collect();
            let line = format!("{operation} {inputs:?} {} {}\n", layer.input, layer.output);
            hasher.update(line.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn operation_text(operation: Operation) -> String {
    match operation {
        Operation::Input => "Input".into(),
        Operation::Convolution(convolution) => convolution_text(convolution),
        Operation::MaxPool(window) => format!("MaxPool({})", window_text(window)),
        Operation::AveragePool(window) => format!("AveragePool({})", window_text(window)),
        Operation::GlobalAveragePool => "GlobalAveragePool".into(),
        Operation::Add => "Add".into(),
        Operation::Concatenate => "Concatenate".into(),
        Operation::Truncate { channels } => format!("Truncate {{ channels: {channels} }}"),
        Operation::BatchNormActivation(Activation::Relu) => "BatchNormRelu".into(),
        Operation::BatchNormActivation(activation) => format!("BatchNorm({activation})"),
        Operation::Linear { features } => format!("Linear {{ features: {features} }}"),
        Operation::Zero => "Zero".into(),
    }
}

fn convolution_text(convolution: Convolution) -> String {
    let Convolution {
        channels,
        kernel,
        stride,
        padding,
        groups,
        bias,
        batch_norm,
        activation,
        activation_order,
    } = convolution;
    let activation = match (activation, activation_order) {
        (Activation::None, _) => "relu: None".into(),
        (Activation::Relu, ActivationOrder::Before) => "relu: Before".into(),
        (Activation::Relu, ActivationOrder::After) => "relu: After".into(),
        (other, order) => format!("activation: {other} {}", order.name()),
    };
    format!(
        "Convolution(Convolution {{ channels: {channels}, kernel: {kernel}, stride: {stride}, \
         padding: {padding}, groups: {groups}, bias: {bias}, batch_norm: {batch_norm}, \
         {activation} }})"
    )
}

fn window_text(window: Window) -> String {
    let Window { kernel, stride, padding, ceil } = window;
    format!("Window {{ kernel: {kernel}, stride: {stride}, padding: {padding}, ceil: {ceil} }}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::graph::NetworkBuilder;
    use crate::layer::Shape;
    use crate::layer_sink::LayerSink as _;

    /// Training runs are cached under a network's digest, so these values never change.
    #[test]
    fn digests_stay_as_they_are() {
        let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
        let stem = net.conv_bn("stem", image, (16, 3, 2), Activation::Relu).unwrap();
        let side = net.preactivated_conv_bn("side", stem, (16, 1, 1), Activation::Relu).unwrap();
        let depthwise = net.depthwise_bn("depthwise", side, (3, 1), Activation::None).unwrap();
        let sum = net.sum("sum", &[stem, depthwise]).unwrap();
        let window = Window { kernel: 3, stride: 1, padding: 1, ceil: false };
        let most = net.add("most", Operation::MaxPool(window), &[sum]).unwrap();
        let average = net.add("average", Operation::AveragePool(window), &[sum]).unwrap();
        let zero = net.add("zero", Operation::Zero, &[sum]).unwrap();
        let all = net.add("all", Operation::Concatenate, &[most, average, zero]).unwrap();
        let some = net.add("some", Operation::Truncate { channels: 20 }, &[all]).unwrap();
        let bare = Convolution {
            channels: 8,
            kernel: 2,
            stride: 1,
            padding: 0,
            groups: 2,
            bias: true,
            batch_norm: false,
            activation: Activation::None,
            activation_order: ActivationOrder::After,
        };
        let bare = net.add("bare", Operation::Convolution(bare), &[some]).unwrap();
        let norm =
            net.add("norm", Operation::BatchNormActivation(Activation::Relu), &[bare]).unwrap();
        let pool = net.add("pool", Operation::GlobalAveragePool, &[norm]).unwrap();
        net.add("classifier", Operation::Linear { features: 10 }, &[pool]).unwrap();
        assert_eq!(
            net.finish().digest(),
            "c361ed3c0c3bedd31326eaa5222b6e35b701055fc6e40fbc1c581a098adcf4f2"
        );
    }

    /// Each activation in each place has a separate digest; the place of [`Activation::None`] does not count.
    #[test]
    fn digests_tell_activations_apart() {
        let orders = [ActivationOrder::Before, ActivationOrder::After];
        let mut digests = HashSet::new();
        for activation in Activation::ALL {
            for activation_order in orders {
                let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
                let convolution = Convolution {
                    channels: 8,
                    kernel: 1,
                    stride: 1,
                    padding: 0,
                    groups: 1,
                    bias: false,
                    batch_norm: true,
                    activation,
                    activation_order,
                };
                net.add("conv", Operation::Convolution(convolution), &[image]).unwrap();
                digests.insert(net.finish().digest());
            }
            let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8));
            net.add("norm", Operation::BatchNormActivation(activation), &[image]).unwrap();
            digests.insert(net.finish().digest());
        }
        assert_eq!(digests.len(), 3 * Activation::ALL.len() - 1);
    }
}
