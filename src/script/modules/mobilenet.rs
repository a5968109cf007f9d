//! The module `mobilenet`: networks of inverted residual blocks.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Module, NativeCallContext};

use super::part_value::ScriptPart;
use crate::network::{MobilenetSettings, mobilenet};
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call, number};
use crate::script::services::ScriptNetwork;
use crate::space::mobilenet::{Mobilenet, MobilenetSpace, Stage, StageChoices};

type Context<'a> = NativeCallContext<'a>;
type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// The width multipliers of the space: those of the MobileNetV2 paper without the smallest.
const WIDTHS: [f64; 4] = [0.5, 0.75, 1.0, 1.4];

pub(super) fn register(engine: &mut Engine, globals: &mut Module) {
    register_type(globals);
    engine.register_static_module("mobilenet", module().into());
}

fn module() -> Module {
    let mut module = Module::new();
    module.set_doc("Networks of inverted residual blocks in the manner of MobileNetV2.");
    native! { &mut module =>
        /// The networks with the stages of MobileNetV2, as a part of a space: 4 widths, 2 to 4 blocks in each stage
        /// but the first and the last, kernels 3, 5 and 7 and expansions 3, 4 and 6 for each block.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: mobilenet::space() } }
        /// ```
        fn space() -> SpacePart = |context: Context| space(&context, Map::new());
        /// Networks of inverted residual blocks with lists of one's own, as a part of a space: `width`, `depth`
        /// (blocks of a stage), `kernel` and `expansion`, each a number or an array, and `stages`, an array of maps
        /// with `channels`, `stride` (1), and lists of their own. What is not given is as in `mobilenet::space()`.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     cnn: mobilenet::space(#{
        ///         width: 1.0, depth: [1, 2, 3], kernel: [3, 5],
        ///         stages: [
        ///             #{ channels: 16, depth: 1, expansion: 1 },
        ///             #{ channels: 24, stride: 2 },
        ///             #{ channels: 64, stride: 2, kernel: 3 },
        ///         ],
        ///     })
        /// } }
        /// ```
        fn space(options: Map) -> SpacePart = |context: Context, options: Map| space(&context, options);
        /// MobileNetV2 itself: 3x3 kernels, and expansion by 6 in all stages but the first.
        ///
        /// ```rhai
        /// mobilenet::network(mobilenet::v2()).parameters // => 3504872
        /// ```
        fn v2() -> Mobilenet = || Mobilenet::v2(1.0);
        /// MobileNetV2 with all channels multiplied by a width from 0.01 to 100.
        ///
        /// ```rhai
        /// mobilenet::network(mobilenet::v2(0.5)).macs // => 97131840
        /// ```
        fn v2(width: float) -> Mobilenet = |context: Context, width: Dynamic| {
            let given = number(&width).filter(|width| (0.01..=100.0).contains(width));
            given.map(Mobilenet::v2).ok_or_else(|| {
                error_at_call(&context, format!("the width is {width}; it must be from 0.01 to 100"))
            })
        };
        /// The network of a choice of blocks, on images of 224x224 pixels in 1,000 classes.
        ///
        /// ```rhai
        /// mobilenet::network(mobilenet::v2()).macs // => 300774272
        /// ```
        fn network(model: Mobilenet) -> Network = |context: Context, model: Mobilenet| {
            network(&context, &model, Map::new())
        };
        /// The network of a choice of blocks, on images and with sizes of one's own.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `classes` | 1000 | classes that the network tells apart |
        /// | `image_size` | 224 | rows and columns of the image |
        /// | `image_channels` | 3 | channels of the image |
        /// | `stem_channels` | 32 | channels of the first convolution, before the width |
        /// | `stem_stride` | 2 | its stride |
        /// | `last_channels` | 1280 | channels of the last convolution, before a width above 1 |
        ///
        /// All are whole numbers from 1 to a million.
        ///
        /// ```rhai
        /// let small = #{ classes: 10, image_size: 32, stem_stride: 1 };
        /// mobilenet::network(mobilenet::v2(), small).parameters // => 2236682
        /// ```
        fn network(model: Mobilenet, options: Map) -> Network =
            |context: Context, model: Mobilenet, options: Map| network(&context, &model, options);
    }
    module
}

fn register_type(globals: &mut Module) {
    type M = Mobilenet;
    name_type::<M>(globals, "Mobilenet", "The blocks of a network of inverted residual blocks.");
    native! { globals =>
        /// The text of the choice, as results show it: the width, and each stage's blocks.
        ///
        /// ```rhai
        /// mobilenet::v2().to_string() // => w1 e1k3 | e6k3 e6k3 | e6k3 e6k3 e6k3 | e6k3 e6k3 e6k3 e6k3 | e6k3 e6k3 e6k3 | e6k3 e6k3 e6k3 | e6k3
        /// ```
        fn to_string(model: Mobilenet) -> String = |model: &mut M| model.to_string();
        /// Whether two choices are the same.
        op ==(a: Mobilenet, b: Mobilenet) -> bool = |a: M, b: M| a == b;
        /// What the channels of all stages are multiplied by.
        get width(model: Mobilenet) -> float = |model: &mut M| model.width;
        /// The stages, each as `#{ channels, stride, blocks }`, and each block as `#{ kernel, expansion }`.
        ///
        /// ```rhai
        /// mobilenet::v2().stages[1].blocks.len() // => 2
        /// ```
        get stages(model: Mobilenet) -> Array = |model: &mut M| {
            model.stages.iter().map(shown).collect::<Array>()
        };
    }
}

fn shown(stage: &Stage) -> Dynamic {
    let int = |size: usize| Dynamic::from(size as i64);
    let block = |block: &crate::space::mobilenet::Block| {
        let sizes = [("kernel", block.kernel), ("expansion", block.expansion)];
        Dynamic::from(
            sizes.map(|(name, size)| (name.into(), int(size))).into_iter().collect::<Map>(),
        )
    };
    let blocks: Array = stage.blocks.iter().map(block).collect();
    Dynamic::from(Map::from([
        ("channels".into(), int(stage.channels)),
        ("stride".into(), int(stage.stride)),
        ("blocks".into(), blocks.into()),
    ]))
}

/// Takes an option that is a number or an array of numbers; `default` if it is not given.
fn numbers<T>(
    options: &mut OptionReader<'_>,
    name: &'static str,
    default: &[T],
    expected: &str,
    read: impl Fn(&Dynamic) -> Option<T>,
) -> Fallible<Vec<T>>
where
    T: Clone,
{
    let Some(given) = options.take(name) else { return Ok(default.to_vec()) };
    let values = given.clone().into_array().unwrap_or_else(|_| vec![given.clone()]);
    let values: Option<Vec<T>> = values.iter().map(read).collect();
    values.ok_or_else(|| options.wrong(name, expected, &given))
}

fn sizes(
    options: &mut OptionReader<'_>,
    name: &'static str,
    default: &[usize],
) -> Fallible<Vec<usize>> {
    let size = |value: &Dynamic| usize::try_from(value.as_int().ok()?).ok();
    numbers(options, name, default, "a whole number or an array of them", size)
}

fn space(context: &NativeCallContext, options: Map) -> Fallible<ScriptPart> {
    let mut options = OptionReader::new(context, "mobilenet::space", options);
    let widths = numbers(&mut options, "width", &WIDTHS, "a number or an array of them", number)?;
    let depths = sizes(&mut options, "depth", &[2, 3, 4])?;
    let kernels = sizes(&mut options, "kernel", &[3, 5, 7])?;
    let expansions = sizes(&mut options, "expansion", &[3, 4, 6])?;
    let stages = options.take("stages");
    let stages = match stages {
        None => StageChoices::v2(&depths, &kernels, &expansions),
        Some(given) => {
            let wrong =
                |options: &OptionReader<'_>| options.wrong("stages", "an array of maps", &given);
            let stages = given.clone().into_array().map_err(|_| wrong(&options))?;
            let stage = |stage: Dynamic| {
                let map = stage.try_cast::<Map>().ok_or_else(|| wrong(&options))?;
                let mut own = OptionReader::new(context, "a stage of mobilenet::space", map);
                let channels = own.size("channels", 0)?;
                let choices = StageChoices {
                    channels,
                    stride: own.size("stride", 1)?,
                    depths: sizes(&mut own, "depth", &depths)?,
                    kernels: sizes(&mut own, "kernel", &kernels)?,
                    expansions: sizes(&mut own, "expansion", &expansions)?,
                };
                own.end()?;
                if channels == 0 {
                    return Err(error_at_call(
                        context,
                        "a stage of mobilenet::space needs `channels`",
                    ));
                }
                Ok(choices)
            };
            stages.into_iter().map(stage).collect::<Fallible<Vec<_>>>()?
        }
    };
    options.end()?;
    let space = MobilenetSpace::new(widths, stages)
        .map_err(|error| error_at_call(context, format!("mobilenet::space: {error}")))?;
    Ok(ScriptPart::new(space, |space, options| Ok(Dynamic::from(space.model(options)))))
}

fn network(
    context: &NativeCallContext,
    model: &Mobilenet,
    options: Map,
) -> Fallible<ScriptNetwork> {
    let default = MobilenetSettings::default();
    let mut options = OptionReader::new(context, "mobilenet::network", options);
    let settings = MobilenetSettings {
        classes: options.size("classes", default.classes)?,
        image_size: options.size("image_size", default.image_size)?,
        image_channels: options.size("image_channels", default.image_channels)?,
        stem_channels: options.size("stem_channels", default.stem_channels)?,
        stem_stride: options.size("stem_stride", default.stem_stride)?,
        last_channels: options.size("last_channels", default.last_channels)?,
    };
    options.end()?;
    let network = mobilenet(model, settings);
    network.map(ScriptNetwork::new).map_err(|error| error_at_call(context, error.to_string()))
}
