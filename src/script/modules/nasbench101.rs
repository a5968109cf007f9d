//! The module `nasbench101`: its space, its cells and their networks.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext};

use super::space::ScriptPart;
use crate::network::Nasbench101Settings;
use crate::script::host::{Host, ScriptNetwork};
use crate::script::options::{Options, refuse};
use crate::space::nasbench101::{Cell101, Nasbench101Space};

pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    engine.register_type_with_name::<Cell101>("Cell101");
    engine.register_fn("to_string", |cell: &mut Cell101| cell.to_string());
    engine.register_get("hash", |cell: &mut Cell101| cell.hash().to_string());

    engine.register_type_with_name::<Nasbench101Settings>("Nasbench101Networks");
    let mut module = Module::new();
    FuncRegistration::new("space").set_into_module(&mut module, || {
        ScriptPart::new(Nasbench101Space::new(), |space, options| {
            space.cell(options).map(Dynamic::from).map_err(|illegal| illegal.to_string())
        })
    });
    FuncRegistration::new("cell").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &str| -> Result<Cell101, Box<EvalAltResult>> {
            match text {
                "resnet" => Ok(Cell101::resnet_like()),
                "inception" => Ok(Cell101::inception_like()),
                _ => Cell101::from_str(text).map_err(|error| refuse(&context, error.to_string())),
            }
        },
    );
    let shared = host.clone();
    FuncRegistration::new("network").set_into_module(
        &mut module,
        move |context: NativeCallContext, cell: Cell101| {
            network(&context, &shared, cell, Map::new())
        },
    );
    let shared = host.clone();
    FuncRegistration::new("network").set_into_module(
        &mut module,
        move |context: NativeCallContext, cell: Cell101, options: Map| {
            network(&context, &shared, cell, options)
        },
    );
    FuncRegistration::new("networks").set_into_module(&mut module, Nasbench101Settings::default);
    FuncRegistration::new("networks").set_into_module(
        &mut module,
        |context: NativeCallContext, options: Map| {
            settings(&context, "nasbench101::networks", options)
        },
    );
    engine.register_static_module("nasbench101", module.into());
}

fn network(
    context: &NativeCallContext,
    host: &Host,
    cell: Cell101,
    options: Map,
) -> Result<ScriptNetwork, Box<EvalAltResult>> {
    let settings = settings(context, "nasbench101::network", options)?;
    host.network101((cell.kept(), settings)).map_err(|reason| refuse(context, reason))
}

fn settings(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Result<Nasbench101Settings, Box<EvalAltResult>> {
    let default = Nasbench101Settings::default();
    let mut options = Options::new(context, function, options);
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
