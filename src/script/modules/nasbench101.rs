//! The module `nasbench101`: its space, its cells and their networks.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map, Module, NativeCallContext};

use super::part_value::ScriptPart;
use crate::network::Nasbench101Settings;
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call};
use crate::script::services::{ScriptNetwork, Services};
use crate::space::nasbench101::{Cell101, Nasbench101Space};

pub(super) fn register(engine: &mut Engine, globals: &mut Module, services: &Arc<Services>) {
    register_types(globals);
    engine.register_static_module("nasbench101", module(services).into());
}

fn register_types(globals: &mut Module) {
    name_type::<Cell101>(
        globals,
        "Cell101",
        "A cell of NASBench-101: at most 7 vertices and 9 edges, with one of three operations on each vertex \
         between the first and the last.",
    );
    name_type::<Nasbench101Settings>(
        globals,
        "Nasbench101Networks",
        "The networks of all NASBench-101 cells, for a sweep.",
    );
    native! { globals =>
        /// The text of the cell, as results show it and `nasbench101::cell` reads it.
        ///
        /// ```rhai
        /// nasbench101::cell("resnet").to_string() // => conv3x3(0) conv3x3(1) output(0,2)
        /// ```
        fn to_string(cell: Cell101) -> String = |cell: &mut Cell101| cell.to_string();
        /// The benchmark's hash of the cell: 32 hexadecimal digits, the same for isomorphic cells and for no
        /// others.
        get hash(cell: Cell101) -> String = |cell: &mut Cell101| cell.hash().to_string();
    }
}

fn module(services: &Arc<Services>) -> Module {
    let (first, second) = (services.clone(), services.clone());
    let mut module = Module::new();
    module.set_doc(
        "NASBench-101 (Ying et al., ICML 2019): a space of 423,624 cells, and their networks.",
    );
    native! { &mut module =>
        /// All cells, as a part of a space. Its value in a point is the cell.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench101::space(), hw: chaidnn::space() } }
        /// ```
        fn space() -> SpacePart = || {
            ScriptPart::new(Nasbench101Space::new(), |space, options| {
                space.cell(options).map(Dynamic::from).map_err(|illegal| illegal.to_string())
            })
        };
        /// A cell by its name, `"resnet"` or `"inception"`, the baselines of Codesign-NAS; or by its text: for
        /// each vertex after the first, its operation with the numbers of the vertices that feed it. The
        /// operations are `conv1x1`, `conv3x3` and `maxpool3x3`, and the last vertex is `output`. Vertices that
        /// are not on a path from the first to the last are left out.
        ///
        /// ```rhai
        /// nasbench101::cell("conv3x3(0) conv3x3(1) output(0,2)") // => conv3x3(0) conv3x3(1) output(0,2)
        /// ```
        fn cell(text: String) -> Cell101 =
            |context: NativeCallContext, text: &str| -> Result<Cell101, Box<EvalAltResult>> {
                match text {
                    "resnet" => Ok(Cell101::resnet_like()),
                    "inception" => Ok(Cell101::inception_like()),
                    _ => Cell101::from_str(text)
                        .map_err(|error| error_at_call(&context, error.to_string())),
                }
            };
        /// The network of a cell as the benchmark builds it on CIFAR-10.
        ///
        /// ```rhai
        /// nasbench101::network(nasbench101::cell("resnet")).parameters // => 20346506
        /// ```
        fn network(cell: Cell101) -> Network = move |context: NativeCallContext, cell: &mut Cell101| {
            network(&context, &first, cell, Nasbench101Settings::default())
        };
        /// The network of a cell, of sizes that may differ from the benchmark's.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `stem_channels` | 128 | channels of the stem and of the first stack; they double with each further stack |
        /// | `stacks` | 3 | stacks, with 2x2 max pooling between |
        /// | `cells` | 3 | cells in each stack |
        /// | `classes` | 10 | classes that the network tells apart |
        /// | `image_size` | 32 | rows and columns of the image |
        /// | `image_channels` | 3 | channels of the image |
        ///
        /// All are whole numbers from 1 to a million.
        ///
        /// ```rhai
        /// let cell = nasbench101::cell("resnet");
        /// let net = nasbench101::network(cell, #{ stem_channels: 16, stacks: 2, cells: 1 });
        /// net.parameters // => 25754
        /// ```
        fn network(cell: Cell101, options: Map) -> Network =
            move |context: NativeCallContext, cell: &mut Cell101, options: Map| {
                let settings = settings(&context, "nasbench101::network", options)?;
                network(&context, &second, cell, settings)
            };
        /// The networks of all cells as the benchmark builds them on CIFAR-10, for `sweep()`.
        ///
        /// ```rhai
        /// let networks = nasbench101::networks();
        /// ```
        fn networks() -> Nasbench101Networks = Nasbench101Settings::default;
        /// The networks of all cells, of sizes that may differ from the benchmark's, for `sweep()`: the options
        /// are those of `nasbench101::network`.
        ///
        /// ```rhai
        /// let networks = nasbench101::networks(#{ stem_channels: 64 });
        /// ```
        fn networks(options: Map) -> Nasbench101Networks = |context: NativeCallContext, options: Map| {
            settings(&context, "nasbench101::networks", options)
        };
    }
    module
}

fn network(
    context: &NativeCallContext,
    services: &Services,
    cell: &Cell101,
    settings: Nasbench101Settings,
) -> Result<ScriptNetwork, Box<EvalAltResult>> {
    services.network101((cell.kept(), settings)).map_err(|reason| error_at_call(context, reason))
}

fn settings(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Result<Nasbench101Settings, Box<EvalAltResult>> {
    let default = Nasbench101Settings::default();
    let mut options = OptionReader::new(context, function, options);
    let settings = Nasbench101Settings {
        stem_channels: options.size("stem_channels", default.stem_channels)?,
        stacks: options.size("stacks", default.stacks)?,
        cells: options.size("cells", default.cells)?,
        classes: options.size("classes", default.classes)?,
        image_size: options.size("image_size", default.image_size)?,
        image_channels: options.size("image_channels", default.image_channels)?,
    };
    options.end()?;
    Ok(settings)
}
