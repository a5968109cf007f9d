//! Layers of a network, as scripts iterate over them.

use rhai::{Array, Module};

use super::shapes::{array, int};
use crate::network::{Activation, ActivationOrder, Layer, Operation};
use crate::script::native::{name_type, native};
use crate::script::services::ScriptNetwork;

/// A layer of a network.
#[derive(Clone)]
pub(super) struct ScriptLayer {
    net: ScriptNetwork,
    index: usize,
}

impl ScriptLayer {
    pub(super) const fn new(net: ScriptNetwork, index: usize) -> Self {
        Self { net, index }
    }

    fn get(&self) -> &Layer {
        &self.net.network().layers()[self.index]
    }

    fn inputs(&self) -> impl Iterator<Item = &Layer> {
        self.get().inputs.iter().map(|&id| self.net.network().layer(id))
    }
}

/// Returns the order of an operation's activation as a word: "before", "after" or "none".
const fn order_word(operation: Operation) -> &'static str {
    match (operation.activation(), operation) {
        (Activation::None, _) => "none",
        (_, Operation::Convolution(c)) => c.activation_order.name(),
        _ => ActivationOrder::After.name(),
    }
}

pub(super) fn register(globals: &mut Module) {
    type L = ScriptLayer;
    let size = |size: usize| int(size as u64);
    name_type::<L>(globals, "Layer", "A layer of a network.");
    native! { globals =>
        /// The layer's name, unique in its network.
        get name(layer: Layer) -> String = |layer: &mut L| layer.get().name.clone();
        /// What it computes, in a word: the name of the method that adds it to a network, or `input`.
        get kind(layer: Layer) -> String = |layer: &mut L| layer.get().operation.kind();
        /// What it computes, with its sizes, as tables show it.
        get operation(layer: Layer) -> String = |layer: &mut L| layer.get().operation.label();
        /// The names of the layers that it reads.
        get inputs(layer: Layer) -> Array = |layer: &mut L| -> Array {
            layer.inputs().map(|input| input.name.clone().into()).collect()
        };
        /// The shape that it reads, of the first input where there are several: [channels, height, width].
        get input(layer: Layer) -> Array = |layer: &mut L| array(layer.get().input);
        /// The shape that it gives: [channels, height, width].
        get output(layer: Layer) -> Array = |layer: &mut L| array(layer.get().output);
        /// Channels of the input, of the first where there are several.
        get input_channels(layer: Layer) -> int = move |layer: &mut L| size(layer.get().input.channels);
        /// Channels of the output; the features of a linear layer.
        get channels(layer: Layer) -> int = move |layer: &mut L| size(layer.get().output.channels);
        /// Rows of the output.
        get height(layer: Layer) -> int = move |layer: &mut L| size(layer.get().output.height);
        /// Columns of the output.
        get width(layer: Layer) -> int = move |layer: &mut L| size(layer.get().output.width);
        /// Rows and columns of the window that slides over the input; 1 where there is none.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let y = net.conv(net.input(), #{ channels: 16, kernel: 5, stride: 2 });
        /// let layer = net.finish(y).layers[1];
        /// [layer.kernel, layer.stride, layer.padding, layer.channels, layer.height] // => [5, 2, 2, 16, 16]
        /// ```
        get kernel(layer: Layer) -> int = move |layer: &mut L| size(layer.get().window().kernel);
        /// Step between output pixels; 1 where there is no window.
        get stride(layer: Layer) -> int = move |layer: &mut L| size(layer.get().window().stride);
        /// Rows and columns around the input; 0 where there is no window.
        get padding(layer: Layer) -> int = move |layer: &mut L| size(layer.get().window().padding);
        /// Groups of channels of a convolution that do not see each other; 1 elsewhere.
        get groups(layer: Layer) -> int = move |layer: &mut L| match layer.get().operation {
            Operation::Convolution(c) => size(c.groups),
            _ => 1,
        };
        /// Whether every output channel has a trainable offset of its own.
        get bias(layer: Layer) -> bool = |layer: &mut L| match layer.get().operation {
            Operation::Convolution(c) => c.bias,
            Operation::Linear { .. } => true,
            _ => false,
        };
        /// True if it has a batch normalization.
        get batch_norm(layer: Layer) -> bool = |layer: &mut L| match layer.get().operation {
            Operation::Convolution(c) => c.batch_norm,
            Operation::BatchNormActivation(_) => true,
            _ => false,
        };
        /// Its activation: "relu", "relu6", "hard_swish", "silu", "gelu" or "none".
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let y = net.conv(net.input(), #{ channels: 16, kernel: 3, activation: "silu" });
        /// let layer = net.finish(y).layers[1];
        /// [layer.activation, layer.activation_order, layer.relu] // => ["silu", "after", "none"]
        /// ```
        get activation(layer: Layer) -> String =
            |layer: &mut L| layer.get().operation.activation().name();
        /// The place of its activation: "before" or "after" its convolution or normalization, or "none".
        get activation_order(layer: Layer) -> String = |layer: &mut L| order_word(layer.get().operation);
        /// The place of its ReLU: "before", "after" or "none"; "none" with another activation.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let y = net.conv(net.input(), #{ channels: 16, kernel: 3, relu: "before" });
        /// let layer = net.finish(y).layers[1];
        /// [layer.relu, layer.activation, layer.activation_order] // => ["before", "relu", "before"]
        /// ```
        get relu(layer: Layer) -> String = |layer: &mut L| match layer.get().operation {
            operation if operation.activation() == Activation::Relu => order_word(operation),
            _ => "none",
        };
        /// Trainable parameters.
        get parameters(layer: Layer) -> int = |layer: &mut L| int(layer.get().parameters());
        /// Multiply-accumulates for one image; pooling, sums and normalization count none.
        get macs(layer: Layer) -> int = |layer: &mut L| int(layer.get().macs());
        /// Values of the output.
        get values(layer: Layer) -> int = |layer: &mut L| int(layer.get().output.values());
        /// Values of all inputs together.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// let y = net.add([net.input(), net.conv(net.input(), #{ channels: 8, kernel: 3 })]);
        /// let sum = net.finish(y).layers[2];
        /// [sum.input_values, sum.values] // => [256, 128]
        /// ```
        get input_values(layer: Layer) -> int =
            |layer: &mut L| int(layer.inputs().map(|input| input.output.values()).sum());
        /// The layer's name and what it computes.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let net = net.finish(net.conv(net.input(), #{ channels: 16, kernel: 3, name: "stem" }));
        /// net.layers[1].to_string().starts_with("stem: ") // => true
        /// ```
        fn to_string(layer: Layer) -> String = |layer: &mut L| {
            let layer = layer.get();
            format!("{}: {}", layer.name, layer.operation.label())
        };
    }
}
