//! The module `nasbench201`: its space, its cells and their networks.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, Map, Module, NativeCallContext};

use super::part_value::ScriptPart;
use crate::network::Nasbench201Settings;
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call};
use crate::script::services::{ScriptNetwork, Services};
use crate::space::nasbench201::{Cell201, Nasbench201Space};

pub(super) fn register(engine: &mut Engine, globals: &mut Module, services: &Arc<Services>) {
    register_types(globals);
    engine.register_static_module("nasbench201", module(services).into());
}

fn register_types(globals: &mut Module) {
    name_type::<Cell201>(
        globals,
        "Cell201",
        "A cell of NAS-Bench-201: four nodes, and one of five operations on each of its six edges.",
    );
    name_type::<Nasbench201Settings>(
        globals,
        "Nasbench201Networks",
        "The networks of all NAS-Bench-201 cells, for a sweep.",
    );
    native! { globals =>
        /// The text of the cell, as results show it and `nasbench201::cell` reads it.
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// cell.to_string().len() // => 79
        /// ```
        fn to_string(cell: Cell201) -> String = |cell: &mut Cell201| cell.to_string();
        /// Whether two cells have the same operations. Cells that compute the same by others differ: the
        /// benchmark gives each its own accuracies.
        op ==(a: Cell201, b: Cell201) -> bool = |a: Cell201, b: Cell201| a == b;
    }
}

fn module(services: &Arc<Services>) -> Module {
    let (first, second) = (services.clone(), services.clone());
    let mut module = Module::new();
    module.set_doc(
        "NAS-Bench-201 (Dong and Yang, ICLR 2020): a space of 15,625 cells, and their networks.",
    );
    native! { &mut module =>
        /// All cells, as a part of a space. Its value in a point is the cell.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
        /// ```
        fn space() -> SpacePart = || {
            ScriptPart::new(Nasbench201Space::new(), |space, options| {
                Ok(rhai::Dynamic::from(space.cell(options)))
            })
        };
        /// The cell of a text in the benchmark's form: for each node after the first, `OPERATION~NODE` for the
        /// edge from each node before it. The operations are `none`, `skip_connect`, `nor_conv_1x1`,
        /// `nor_conv_3x3` and `avg_pool_3x3`.
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// ```
        fn cell(text: String) -> Cell201 =
            |context: NativeCallContext, text: &str| -> Result<Cell201, Box<EvalAltResult>> {
                Cell201::from_str(text).map_err(|error| error_at_call(&context, error.to_string()))
            };
        /// The network of a cell as the benchmark builds it on CIFAR-10.
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// nasbench201::network(cell).parameters // => 559386
        /// ```
        fn network(cell: Cell201) -> Network = move |context: NativeCallContext, cell: &mut Cell201| {
            network(&context, &first, (*cell, Nasbench201Settings::default()))
        };
        /// The network of a cell, of sizes that may differ from the benchmark's.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `stem_channels` | 16 | channels of the stem and of the first stage; each of the two reductions doubles them |
        /// | `cells` | 5 | cells in each of the three stages |
        /// | `classes` | 10 | classes that the network tells apart |
        /// | `image_size` | 32 | rows and columns of the image |
        /// | `image_channels` | 3 | channels of the image |
        ///
        /// All are whole numbers from 1 to a million.
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// let net = nasbench201::network(cell, #{ stem_channels: 4, cells: 1, image_size: 16 });
        /// net.parameters // => 11054
        /// ```
        fn network(cell: Cell201, options: Map) -> Network =
            move |context: NativeCallContext, cell: &mut Cell201, options: Map| {
                let settings = settings(&context, "nasbench201::network", options)?;
                network(&context, &second, (*cell, settings))
            };
        /// The networks of all cells as the benchmark builds them on CIFAR-10, for `sweep()`.
        ///
        /// ```rhai
        /// let networks = nasbench201::networks();
        /// ```
        fn networks() -> Nasbench201Networks = Nasbench201Settings::default;
        /// The networks of all cells, of sizes that may differ from the benchmark's, for `sweep()`: the options
        /// are those of `nasbench201::network`.
        ///
        /// ```rhai
        /// let networks = nasbench201::networks(#{ classes: 100 });
        /// ```
        fn networks(options: Map) -> Nasbench201Networks = |context: NativeCallContext, options: Map| {
            settings(&context, "nasbench201::networks", options)
        };
    }
    module
}

fn network(
    context: &NativeCallContext,
    services: &Services,
    key: (Cell201, Nasbench201Settings),
) -> Result<ScriptNetwork, Box<EvalAltResult>> {
    services.network201(key).map_err(|reason| error_at_call(context, reason))
}

fn settings(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Result<Nasbench201Settings, Box<EvalAltResult>> {
    let default = Nasbench201Settings::default();
    let mut options = OptionReader::new(context, function, options);
    let settings = Nasbench201Settings {
        stem_channels: options.size("stem_channels", default.stem_channels)?,
        cells: options.size("cells", default.cells)?,
        classes: options.size("classes", default.classes)?,
        image_size: options.size("image_size", default.image_size)?,
        image_channels: options.size("image_channels", default.image_channels)?,
    };
    options.end()?;
    Ok(settings)
}
