//! The module `accuracy`: what a network reaches.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext};

use crate::accuracy::nasbench201::{Dataset, Nasbench201Table};
use crate::script::host::{Host, Source};
use crate::script::options::refuse;
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    let mut module = Module::new();
    let shared = host.clone();
    FuncRegistration::new("nasbench201").set_into_module(
        &mut module,
        move |context: NativeCallContext,
              cell: Cell201,
              dataset: &str|
              -> Result<f64, Box<EvalAltResult>> {
            let dataset =
                Dataset::from_str(dataset).map_err(|error| refuse(&context, error.to_string()))?;
            let table = Nasbench201Table::embedded()
                .map_err(|error| refuse(&context, error.to_string()))?;
            shared.used(Source::Nasbench201);
            Ok(table.accuracy(cell, dataset))
        },
    );
    let shared = host.clone();
    FuncRegistration::new("nasbench101").set_into_module(
        &mut module,
        move |context: NativeCallContext, cell: Cell101| -> Result<f64, Box<EvalAltResult>> {
            let table = shared.nasbench101().map_err(|reason| refuse(&context, reason))?;
            shared.used(Source::Nasbench101);
            table
                .accuracy(&cell)
                .ok_or_else(|| refuse(&context, format!("the table has no cell {cell}")))
        },
    );
    engine.register_static_module("accuracy", module.into());
}
