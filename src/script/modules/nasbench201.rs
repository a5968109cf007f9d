//! The module `nasbench201`: its space, its cells and their networks.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext};

use super::space::ScriptPart;
use crate::network::Nasbench201Settings;
use crate::script::host::{Host, ScriptNetwork};
use crate::script::options::{Options, refuse};
use crate::space::nasbench201::{Cell201, Nasbench201Space};

pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    engine.register_type_with_name::<Cell201>("Cell201");
    engine.register_fn("to_string", |cell: &mut Cell201| cell.to_string());
    engine.register_fn("==", |a: Cell201, b: Cell201| a == b);

    engine.register_type_with_name::<Nasbench201Settings>("Nasbench201Networks");
    let mut module = Module::new();
    FuncRegistration::new("space").set_into_module(&mut module, || {
        ScriptPart::new(Nasbench201Space::new(), |space, options| {
            Ok(rhai::Dynamic::from(space.cell(options)))
        })
    });
    FuncRegistration::new("cell").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &str| -> Result<Cell201, Box<EvalAltResult>> {
            Cell201::from_str(text).map_err(|error| refuse(&context, error.to_string()))
        },
    );
    let shared = host.clone();
    FuncRegistration::new("network").set_into_module(
        &mut module,
        move |context: NativeCallContext, cell: Cell201| {
            network(&context, &shared, cell, Map::new())
        },
    );
    let shared = host.clone();
    FuncRegistration::new("network").set_into_module(
        &mut module,
        move |context: NativeCallContext, cell: Cell201, options: Map| {
            network(&context, &shared, cell, options)
        },
    );
    FuncRegistration::new("networks").set_into_module(&mut module, Nasbench201Settings::default);
    FuncRegistration::new("networks").set_into_module(
        &mut module,
        |context: NativeCallContext, options: Map| {
            settings(&context, "nasbench201::networks", options)
        },
    );
    engine.register_static_module("nasbench201", module.into());
}

fn network(
    context: &NativeCallContext,
    host: &Host,
    cell: Cell201,
    options: Map,
) -> Result<ScriptNetwork, Box<EvalAltResult>> {
    let settings = settings(context, "nasbench201::network", options)?;
    host.network201((cell, settings)).map_err(|reason| refuse(context, reason))
}

fn settings(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Result<Nasbench201Settings, Box<EvalAltResult>> {
    let default = Nasbench201Settings::default();
    let mut options = Options::new(context, function, options);
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
