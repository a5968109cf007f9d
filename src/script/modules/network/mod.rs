//! Networks in scripts: their properties, their layers, and the builder.

mod activation;
mod builder;
mod layer;
mod shapes;

use rhai::{Array, Dynamic, Engine, Module};

use self::layer::ScriptLayer;
use self::shapes::int;
use crate::script::native::{name_type, native};
use crate::script::services::ScriptNetwork;

type N = ScriptNetwork;

pub(super) fn register(engine: &mut Engine, globals: &mut Module) {
    name_type::<N>(globals, "Network", "A network: layers with shapes, the last its output.");
    native! { globals =>
        /// Trainable parameters.
        ///
        /// ```rhai
        /// let cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";
        /// nasbench201::network(nasbench201::cell(cell)).parameters // => 559386
        /// ```
        get parameters(net: Network) -> int = |net: &mut N| int(net.parameters());
        /// Multiply-accumulates for one image.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// net.finish(net.linear(net.input(), #{ features: 10 })).macs // => 30720
        /// ```
        get macs(net: Network) -> int = |net: &mut N| int(net.macs());
        /// The layers, each after those it reads: the first is the image, the last the output.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let x = net.conv(net.input(), #{ channels: 16, kernel: 3 });
        /// let y = net.linear(net.global_avg_pool(x), #{ features: 10 });
        /// net.finish(y).layers.map(|layer| layer.kind) // => ["input", "conv", "global_avg_pool", "linear"]
        /// ```
        get layers(net: Network) -> Array = |net: &mut N| -> Array {
            let all = 0..net.network().layers().len();
            all.map(|index| Dynamic::from(ScriptLayer::new(net.clone(), index))).collect()
        };
        /// The network without the layers that its output does not depend on, such as the convolutions of
        /// zeros.
        ///
        /// ```rhai
        /// let cell = "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|";
        /// let net = nasbench201::network(nasbench201::cell(cell));
        /// net.pruned().macs < net.macs // => true
        /// ```
        fn pruned(net: Network) -> Network = |net: &mut N| N::new(net.network().pruned());
        /// A line for each layer: name, operation, shape, parameters, multiply-accumulates, inputs.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let net = net.finish(net.conv(net.input(), #{ channels: 16, kernel: 3, name: "stem" }));
        /// net.to_string().contains("stem") // => true
        /// ```
        fn to_string(net: Network) -> String = |net: &mut N| net.network().to_text();
    }
    layer::register(globals);
    builder::register(globals);
    engine.register_static_module("network", builder::module().into());
}
