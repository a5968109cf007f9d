//! The module `accuracy`: what a network reaches.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext};

use crate::accuracy::nasbench201::{Dataset, Nasbench201Table};
use crate::script::host::{Host, Source};
use crate::script::options::{Options, refuse};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

/// What happens where there is no NASBench-101 table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::script) enum Missing {
    /// An error that names the command which imports it.
    #[default]
    Fail,
    /// The accuracies are predicted.
    Predict,
}

/// Where a sweep takes the accuracies of all its networks from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum AccuracySource {
    /// The imported table.
    Nasbench101(Missing),
    /// The predictor.
    Predicted,
    /// The embedded table.
    Nasbench201(Dataset),
}

type Fallible<T> = Result<T, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    engine.register_type_with_name::<AccuracySource>("AccuracySource");
    let mut module = Module::new();
    register_nasbench201(&mut module, host);
    register_nasbench101(&mut module, host);
    engine.register_static_module("accuracy", module.into());
}

fn register_nasbench201(module: &mut Module, host: &Arc<Host>) {
    let read = |context: &NativeCallContext, dataset: &str| {
        Dataset::from_str(dataset).map_err(|error| refuse(context, error.to_string()))
    };
    FuncRegistration::new("nasbench201").set_into_module(
        module,
        move |context: NativeCallContext, dataset: &str| {
            read(&context, dataset).map(AccuracySource::Nasbench201)
        },
    );
    let shared = host.clone();
    FuncRegistration::new("nasbench201").set_into_module(
        module,
        move |context: NativeCallContext, cell: Cell201, dataset: &str| -> Fallible<f64> {
            let dataset = read(&context, dataset)?;
            let table = Nasbench201Table::embedded()
                .map_err(|error| refuse(&context, error.to_string()))?;
            shared.used(Source::Nasbench201);
            Ok(table.accuracy(cell, dataset))
        },
    );
}

fn register_nasbench101(module: &mut Module, host: &Arc<Host>) {
    FuncRegistration::new("nasbench101")
        .set_into_module(module, || AccuracySource::Nasbench101(Missing::Fail));
    FuncRegistration::new("nasbench101").set_into_module(
        module,
        |context: NativeCallContext, options: Map| {
            missing(&context, options).map(AccuracySource::Nasbench101)
        },
    );
    FuncRegistration::new("predicted").set_into_module(module, || AccuracySource::Predicted);
    let shared = host.clone();
    FuncRegistration::new("predicted").set_into_module(
        module,
        move |context: NativeCallContext, cell: Cell101| -> Fallible<f64> {
            shared.predicted101(&cell).map_err(|reason| refuse(&context, reason))
        },
    );
    let shared = host.clone();
    FuncRegistration::new("nasbench101").set_into_module(
        module,
        move |context: NativeCallContext, cell: Cell101| {
            nasbench101(&context, &shared, cell, Missing::Fail)
        },
    );
    let shared = host.clone();
    FuncRegistration::new("nasbench101").set_into_module(
        module,
        move |context: NativeCallContext, cell: Cell101, options: Map| {
            let missing = missing(&context, options)?;
            nasbench101(&context, &shared, cell, missing)
        },
    );
}

fn missing(context: &NativeCallContext, options: Map) -> Fallible<Missing> {
    let mut options = Options::new(context, "accuracy::nasbench101", options);
    let missing = match options.text("missing")?.as_deref() {
        None | Some("fail") => Missing::Fail,
        Some("predict") => Missing::Predict,
        Some(other) => {
            let value = other.to_owned().into();
            return Err(options.wrong("missing", "\"fail\" or \"predict\"", &value));
        }
    };
    options.end()?;
    Ok(missing)
}

fn nasbench101(
    context: &NativeCallContext,
    host: &Host,
    cell: Cell101,
    missing: Missing,
) -> Fallible<f64> {
    let refuse = |reason: String| refuse(context, reason);
    if missing == Missing::Predict && host.imported101().map_err(refuse)?.is_none() {
        return host.predicted101(&cell).map_err(refuse);
    }
    let table = host.nasbench101().map_err(refuse)?;
    host.used(Source::Nasbench101);
    table.accuracy(&cell).ok_or_else(|| refuse(format!("the table has no cell {cell}")))
}
