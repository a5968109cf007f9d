//! Networks built in scripts, layer by layer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Array, Dynamic, EvalAltResult, Map, Module, NativeCallContext};

use super::activation::{activation, conv_activation};
use super::shapes::{array, int};
use crate::network::{
    Activation, Convolution, LayerId, LayerSink, NetworkBuilder, Operation, Shape, Window,
};
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, described, error_at_call};
use crate::script::services::ScriptNetwork;

/// The most layers of a network that a script builds.
const MAX_LAYERS: usize = 10_000;

/// The most inputs of a layer, and the longest name in characters.
const MAX_INPUTS: usize = 1_000;
const LONGEST_NAME: usize = 100;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A network under construction; its copies share it.
#[derive(Clone)]
struct ScriptBuilder {
    image: LayerId,
    net: Arc<Mutex<NetworkBuilder>>,
}

/// The output of a layer in a network under construction.
#[derive(Clone)]
struct Tensor {
    id: LayerId,
    shape: Shape,
    net: Arc<Mutex<NetworkBuilder>>,
}

impl ScriptBuilder {
    fn new(image: Shape) -> Self {
        let (net, image) = NetworkBuilder::new(image);
        Self { image, net: Arc::new(Mutex::new(net)) }
    }

    fn lock(&self) -> MutexGuard<'_, NetworkBuilder> {
        self.net.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tensor(&self, id: LayerId) -> Tensor {
        Tensor { id, shape: self.lock().shape(id), net: self.net.clone() }
    }

    /// Returns the layer of a tensor; a tensor of another network is an error.
    fn own(&self, context: &NativeCallContext, tensor: &Tensor) -> Fallible<LayerId> {
        if Arc::ptr_eq(&self.net, &tensor.net) {
            return Ok(tensor.id);
        }
        Err(error_at_call(
            context,
            "the input is a layer of another network than the one it is added to",
        ))
    }

    /// Adds a layer; one without a name is named by its kind and a number.
    fn push(
        &self,
        context: &NativeCallContext,
        name: Option<String>,
        operation: Operation,
        inputs: &[Tensor],
    ) -> Fallible<Tensor> {
        let inputs: Fallible<Vec<LayerId>> =
            inputs.iter().map(|tensor| self.own(context, tensor)).collect();
        let inputs = inputs?;
        let mut net = self.lock();
        if net.len() >= MAX_LAYERS {
            return Err(error_at_call(
                context,
                format!("the network has {MAX_LAYERS} layers, the most"),
            ));
        }
        if inputs.len() > MAX_INPUTS {
            return Err(error_at_call(context, format!("a layer has at most {MAX_INPUTS} inputs")));
        }
        let name = match name {
            Some(name) if !(1..=LONGEST_NAME).contains(&name.chars().count()) => {
                let reason = format!("a layer's name has from 1 to {LONGEST_NAME} characters");
                return Err(error_at_call(context, reason));
            }
            Some(name) => name,
            None => {
                let kind = operation.kind();
                // A script may have used the name itself.
                let free = (net.len()..).map(|n| format!("{kind}{n}")).find(|name| !net.has(name));
                free.unwrap_or_default()
            }
        };
        let id = net
            .add(name, operation, &inputs)
            .map_err(|error| error_at_call(context, error.to_string()))?;
        drop(net);
        Ok(self.tensor(id))
    }

    fn finish(&self, context: &NativeCallContext, output: &Tensor) -> Fallible<ScriptNetwork> {
        let output = self.own(context, output)?;
        let net = self.lock().clone();
        let net =
            net.finish_at(output).map_err(|error| error_at_call(context, error.to_string()))?;
        Ok(ScriptNetwork::new(net))
    }
}

/// The module `network`.
pub(super) fn module() -> Module {
    let mut module = Module::new();
    module.set_doc("Networks built layer by layer.");
    native! { &mut module =>
        /// Starts a network on an image of a shape: [channels, height, width], or a map of these.
        ///
        /// Methods add layers and give what later layers read; `finish` ends the network. Shapes are checked
        /// on the way.
        ///
        /// ```rhai
        /// let net = network::builder(#{ channels: 3, height: 32, width: 32 });
        /// let stem = net.conv(net.input(), #{ channels: 16, kernel: 3, name: "stem" });
        /// let a = net.conv(stem, #{ channels: 16, kernel: 3 });
        /// let sum = net.add([stem, a]);
        /// let y = net.linear(net.global_avg_pool(sum), #{ features: 10 });
        /// net.finish(y).parameters // => 2970
        /// ```
        fn builder(image: Dynamic) -> NetworkBuilder = builder;
    }
    module
}

pub(super) fn register(globals: &mut Module) {
    type B = ScriptBuilder;
    name_type::<B>(globals, "NetworkBuilder", "A network in the making.");
    native! { globals =>
        /// The image, for the first layers to read.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// net.input().shape // => [3, 32, 32]
        /// ```
        fn input(net: NetworkBuilder) -> Tensor = |net: &mut B| net.tensor(net.image);
        /// Ends the network at a layer, which must depend on all the others.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let y = net.linear(net.global_avg_pool(net.input()), #{ features: 10 });
        /// net.finish(y).parameters // => 40
        /// ```
        fn finish(net: NetworkBuilder, output: Tensor) -> Network =
            |context: NativeCallContext, net: &mut B, output: Tensor| net.finish(&context, &output);
    }
    register_tensor(globals);
    register_windows(globals);
    register_joins(globals);
    register_others(globals);
}

fn register_tensor(globals: &mut Module) {
    type T = Tensor;
    name_type::<T>(globals, "Tensor", "What a layer of a network in the making gives.");
    native! { globals =>
        /// Its shape: [channels, height, width].
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// net.max_pool(net.input(), #{ kernel: 2, stride: 2 }).shape // => [3, 16, 16]
        /// ```
        get shape(x: Tensor) -> Array = |x: &mut T| array(x.shape);
        /// Its channels.
        get channels(x: Tensor) -> int = |x: &mut T| int(x.shape.channels as u64);
        /// Its rows.
        get height(x: Tensor) -> int = |x: &mut T| int(x.shape.height as u64);
        /// Its columns.
        get width(x: Tensor) -> int = |x: &mut T| int(x.shape.width as u64);
    }
}

fn register_windows(globals: &mut Module) {
    type B = ScriptBuilder;
    native! { globals =>
        /// Adds a convolution with square kernels: `channels` and `kernel`, and optionally `stride` (1),
        /// `padding` ("same", or a number of zero rows and columns), `groups` (1), `batch_norm` (true), `bias`
        /// (true where there is no batch normalization), `activation` ("relu", or "relu6", "hard_swish", "silu",
        /// "gelu", "none"), `activation_order` ("after", or "before" the convolution), `name`.
        ///
        /// `relu` ("after", "before" or "none") is short for a ReLU in that place, or no activation; it excludes
        /// `activation` and `activation_order`. "gelu" is the exact one, with erf. `train::fit` and
        /// `chaidnn::estimate` refuse networks with activations other than "relu" and "none".
        ///
        /// "same" keeps the image's size at stride 1, and takes odd kernels. With one channel a group it is a
        /// depthwise convolution.
        ///
        /// ```rhai
        /// let net = network::builder([3, 32, 32]);
        /// let x = net.conv(net.input(), #{ channels: 16, kernel: 3, stride: 2 });
        /// let y = net.conv(x, #{ channels: 16, kernel: 3, groups: x.channels, relu: "none" });
        /// let z = net.conv(y, #{ channels: 16, kernel: 1, activation: "hard_swish" });
        /// z.shape // => [16, 16, 16]
        /// ```
        fn conv(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor = conv;
        /// Adds a maximum over a square window: `kernel`, and optionally `stride` (1), `padding` (0, or "same"),
        /// `ceil` (whether a last window that hangs over the edge is kept), `name`.
        ///
        /// ```rhai
        /// let net = network::builder([8, 9, 9]);
        /// net.max_pool(net.input(), #{ kernel: 2, stride: 2, ceil: true }).shape // => [8, 5, 5]
        /// ```
        fn max_pool(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor =
            |context: NativeCallContext, net: &mut B, x: Tensor, options: Map| {
                pool(&context, "max_pool", net, x, options, Operation::MaxPool)
            };
        /// Adds an average over a square window, padding not counted: options as for `max_pool`.
        ///
        /// ```rhai
        /// let net = network::builder([8, 9, 9]);
        /// net.avg_pool(net.input(), #{ kernel: 3, padding: "same" }).shape // => [8, 9, 9]
        /// ```
        fn avg_pool(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor =
            |context: NativeCallContext, net: &mut B, x: Tensor, options: Map| {
                pool(&context, "avg_pool", net, x, options, Operation::AveragePool)
            };
    }
}

fn register_joins(globals: &mut Module) {
    type B = ScriptBuilder;
    let join = |function: &'static str, operation: Operation| {
        move |context: NativeCallContext, net: &mut B, inputs: Array, options: Map| {
            let name = name_of(&context, function, options)?;
            let inputs = tensors(&context, function, inputs)?;
            net.push(&context, name, operation, &inputs)
        }
    };
    let (add, concat) = (join("add", Operation::Add), join("concat", Operation::Concatenate));
    native! { globals =>
        /// Adds the sum of two or more tensors of one shape.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.add([net.input(), net.conv(net.input(), #{ channels: 8, kernel: 3 })]).shape // => [8, 4, 4]
        /// ```
        fn add(net: NetworkBuilder, inputs: Array) -> Tensor =
            move |context: NativeCallContext, net: &mut B, inputs: Array| {
                add(context, net, inputs, Map::new())
            };
        /// Adds the sum of two or more tensors of one shape, with a `name` for the layer.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// let x = net.conv(net.input(), #{ channels: 8, kernel: 3 });
        /// net.finish(net.add([net.input(), x], #{ name: "sum" })).layers[2].name // => sum
        /// ```
        fn add(net: NetworkBuilder, inputs: Array, options: Map) -> Tensor = add;
        /// Adds the channels of two or more tensors of one height and width, one after another.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.concat([net.input(), net.conv(net.input(), #{ channels: 2, kernel: 1 })]).channels // => 10
        /// ```
        fn concat(net: NetworkBuilder, inputs: Array) -> Tensor =
            move |context: NativeCallContext, net: &mut B, inputs: Array| {
                concat(context, net, inputs, Map::new())
            };
        /// Adds the channels of two or more tensors of one height and width, one after another, with a `name` for the
        /// layer.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// let x = net.conv(net.input(), #{ channels: 2, kernel: 1 });
        /// net.finish(net.concat([net.input(), x], #{ name: "both" })).layers[2].name // => both
        /// ```
        fn concat(net: NetworkBuilder, inputs: Array, options: Map) -> Tensor = concat;
    }
}

fn register_others(globals: &mut Module) {
    type B = ScriptBuilder;
    let plain = |function: &'static str, operation: Operation| {
        move |context: NativeCallContext, net: &mut B, x: Tensor, options: Map| {
            let name = name_of(&context, function, options)?;
            net.push(&context, name, operation, &[x])
        }
    };
    let average = plain("global_avg_pool", Operation::GlobalAveragePool);
    let norm = plain("batch_norm_relu", Operation::BatchNormActivation(Activation::Relu));
    let zero = plain("zero", Operation::Zero);
    native! { globals =>
        /// Adds the average over the whole feature map.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.global_avg_pool(net.input()).shape // => [8, 1, 1]
        /// ```
        fn global_avg_pool(net: NetworkBuilder, x: Tensor) -> Tensor =
            move |context: NativeCallContext, net: &mut B, x: Tensor| average(context, net, x, Map::new());
        /// Adds the average over the whole feature map, with a `name` for the layer.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.finish(net.global_avg_pool(net.input(), #{ name: "mean" })).layers[1].name // => mean
        /// ```
        fn global_avg_pool(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor = average;
        /// Adds a batch normalization and a rectifier on their own.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.batch_norm_relu(net.input()).shape // => [8, 4, 4]
        /// ```
        fn batch_norm_relu(net: NetworkBuilder, x: Tensor) -> Tensor =
            move |context: NativeCallContext, net: &mut B, x: Tensor| norm(context, net, x, Map::new());
        /// Adds a batch normalization and a rectifier on their own, with a `name` for the layer.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.finish(net.batch_norm_relu(net.input(), #{ name: "norm" })).layers[1].name // => norm
        /// ```
        fn batch_norm_relu(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor = norm;
        /// Adds a batch normalization on its own.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.finish(net.batch_norm(net.input())).layers[1].kind // => batch_norm
        /// ```
        fn batch_norm(net: NetworkBuilder, x: Tensor) -> Tensor =
            |context: NativeCallContext, net: &mut B, x: Tensor| batch_norm(context, net, x, Map::new());
        /// Adds a batch normalization with an `activation` after it ("none"; see `conv`) and a `name` for the
        /// layer. With "relu" it is the layer of `batch_norm_relu`.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// let y = net.batch_norm(net.input(), #{ activation: "gelu", name: "norm" });
        /// net.finish(y).layers[1].operation // => bn + gelu
        /// ```
        fn batch_norm(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor = batch_norm;
        /// Adds zeros of a tensor's shape.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.zero(net.input()).shape // => [8, 4, 4]
        /// ```
        fn zero(net: NetworkBuilder, x: Tensor) -> Tensor =
            move |context: NativeCallContext, net: &mut B, x: Tensor| zero(context, net, x, Map::new());
        /// Adds zeros of a tensor's shape, with a `name` for the layer.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.finish(net.zero(net.input(), #{ name: "nothing" })).layers[1].name // => nothing
        /// ```
        fn zero(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor = zero;
        /// Adds a fully connected layer with bias, of `features` outputs; `name` is optional.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.linear(net.input(), #{ features: 10 }).shape // => [10, 1, 1]
        /// ```
        fn linear(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor =
            |context: NativeCallContext, net: &mut B, x: Tensor, options: Map| {
                let mut options = OptionReader::new(&context, "linear", options);
                let features = needed(&context, &mut options, "linear", "features")?;
                let name = options.text("name")?;
                options.end()?;
                net.push(&context, name, Operation::Linear { features }, &[x])
            };
        /// Adds the first `channels` channels of a tensor; `name` is optional.
        ///
        /// ```rhai
        /// let net = network::builder([8, 4, 4]);
        /// net.truncate(net.input(), #{ channels: 5 }).shape // => [5, 4, 4]
        /// ```
        fn truncate(net: NetworkBuilder, x: Tensor, options: Map) -> Tensor =
            |context: NativeCallContext, net: &mut B, x: Tensor, options: Map| {
                let mut options = OptionReader::new(&context, "truncate", options);
                let channels = needed(&context, &mut options, "truncate", "channels")?;
                let name = options.text("name")?;
                options.end()?;
                net.push(&context, name, Operation::Truncate { channels }, &[x])
            };
    }
}

fn builder(context: NativeCallContext, image: Dynamic) -> Fallible<ScriptBuilder> {
    const FORM: &str = "[channels, height, width]";
    let given = described(&context, &image);
    let sizes = match (image.clone().try_cast::<Map>(), image.try_cast::<Array>()) {
        (Some(map), _) => {
            let mut options = OptionReader::new(&context, "network::builder", map);
            let mut size = |name| needed(&context, &mut options, "network::builder", name);
            let sizes = [size("channels")?, size("height")?, size("width")?];
            options.end()?;
            sizes
        }
        (None, Some(array)) if array.len() == 3 => {
            let mut sizes = [0; 3];
            for ((size, value), name) in
                sizes.iter_mut().zip(array).zip(["channels", "height", "width"])
            {
                let map = Map::from([(name.into(), value)]);
                *size = OptionReader::new(&context, "network::builder", map).size(name, 1)?;
            }
            sizes
        }
        _ => {
            let reason = format!("network::builder takes {FORM} or a map of these, not {given}");
            return Err(error_at_call(&context, reason));
        }
    };
    Ok(ScriptBuilder::new(Shape::new(sizes[0], sizes[1], sizes[2])))
}

fn conv(
    context: NativeCallContext,
    net: &mut ScriptBuilder,
    x: Tensor,
    options: Map,
) -> Fallible<Tensor> {
    let mut options = OptionReader::new(&context, "conv", options);
    let channels = needed(&context, &mut options, "conv", "channels")?;
    let kernel = needed(&context, &mut options, "conv", "kernel")?;
    let stride = options.size("stride", 1)?;
    let padding = padding(&mut options, kernel, "same".into())?;
    let groups = options.size("groups", 1)?;
    let batch_norm = options.flag_or("batch_norm", true)?;
    let bias = options.flag_or("bias", !batch_norm)?;
    let (activation, activation_order) = conv_activation(&context, &mut options)?;
    let name = options.text("name")?;
    options.end()?;
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
    net.push(&context, name, Operation::Convolution(convolution), &[x])
}

fn batch_norm(
    context: NativeCallContext,
    net: &mut ScriptBuilder,
    x: Tensor,
    options: Map,
) -> Fallible<Tensor> {
    let mut options = OptionReader::new(&context, "batch_norm", options);
    let activation = activation(&mut options)?.unwrap_or(Activation::None);
    let name = options.text("name")?;
    options.end()?;
    net.push(&context, name, Operation::BatchNormActivation(activation), &[x])
}

fn pool(
    context: &NativeCallContext,
    function: &'static str,
    net: &ScriptBuilder,
    x: Tensor,
    options: Map,
    operation: impl Fn(Window) -> Operation,
) -> Fallible<Tensor> {
    let mut options = OptionReader::new(context, function, options);
    let kernel = needed(context, &mut options, function, "kernel")?;
    let stride = options.size("stride", 1)?;
    let padding = padding(&mut options, kernel, Dynamic::from(0_i64))?;
    let ceil = options.flag("ceil")?;
    let name = options.text("name")?;
    options.end()?;
    net.push(context, name, operation(Window { kernel, stride, padding, ceil }), &[x])
}

/// Takes a required size.
fn needed(
    context: &NativeCallContext,
    options: &mut OptionReader<'_>,
    function: &str,
    name: &'static str,
) -> Fallible<usize> {
    match options.size(name, 0)? {
        0 => Err(error_at_call(context, format!("{function} needs the option `{name}`"))),
        size => Ok(size),
    }
}

/// Takes the padding of each side: a number, or "same" to keep the image's size at stride 1.
fn padding(options: &mut OptionReader<'_>, kernel: usize, default: Dynamic) -> Fallible<usize> {
    let value = options.take("padding").unwrap_or(default);
    if value.clone().into_string().is_ok_and(|word| word == "same") {
        if kernel % 2 == 1 {
            return Ok(kernel / 2);
        }
        let expected = format!("a number where the kernel is even, as {kernel} is");
        return Err(options.wrong("padding", &expected, &value));
    }
    match value.as_int() {
        Ok(padding @ 0..=1_000_000) => Ok(padding as usize),
        _ => Err(options.wrong("padding", "\"same\" or a number from 0 to a million", &value)),
    }
}

/// Takes the name from options that have no other entry.
fn name_of(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Fallible<Option<String>> {
    if options.is_empty() {
        return Ok(None);
    }
    let mut options = OptionReader::new(context, function, options);
    let name = options.text("name")?;
    options.end()?;
    Ok(name)
}

fn tensors(context: &NativeCallContext, function: &str, inputs: Array) -> Fallible<Vec<Tensor>> {
    let tensor = |value: Dynamic| {
        let given = described(context, &value);
        let wrong = || error_at_call(context, format!("{function} takes tensors, not {given}"));
        value.try_cast::<Tensor>().ok_or_else(wrong)
    };
    inputs.into_iter().map(tensor).collect()
}
