//! The module `accuracy`: accuracies of networks.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, Map, Module, NativeCallContext};

use crate::accuracy::nasbench101::Nasbench101TableError;
use crate::accuracy::nasbench201::{Nasbench201Dataset, Nasbench201Table};
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call};
use crate::script::services::{Services, Source};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

/// The treatment of a missing NASBench-101 table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::script) enum Missing {
    /// An error that names the command to import the table.
    #[default]
    Fail,
    /// Predicted accuracies in place of the table's.
    Predict,
}

/// A source of the accuracies of all networks of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum AccuracySource {
    /// The imported NASBench-101 table.
    Nasbench101(Missing),
    /// The predictor of NASBench-101 accuracies.
    Predicted,
    /// The embedded NAS-Bench-201 table.
    Nasbench201(Nasbench201Dataset),
}

type Fallible<T> = Result<T, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine, globals: &mut Module, services: &Arc<Services>) {
    name_type::<AccuracySource>(
        globals,
        "AccuracySource",
        "Where a sweep takes the accuracies of all its networks from.",
    );
    let mut module = Module::new();
    module.set_doc(
        "What networks reach: the accuracies of benchmarks' tables, and predicted ones. Trained ones are \
         `train`'s.",
    );
    register_nasbench201(&mut module, services);
    register_nasbench101(&mut module, services);
    engine.register_static_module("accuracy", module.into());
}

fn register_nasbench201(module: &mut Module, services: &Arc<Services>) {
    let read = |context: &NativeCallContext, dataset: &str| {
        Nasbench201Dataset::from_str(dataset)
            .map_err(|error| error_at_call(context, error.to_string()))
    };
    let services = services.clone();
    native! { module =>
        /// The accuracies of all NAS-Bench-201 cells, for `sweep()`: those of `accuracy::nasbench201(cell,
        /// dataset)`.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
        ///
        /// fn sweep() {
        ///     #{
        ///         networks: nasbench201::networks(#{ classes: 100 }),
        ///         accuracy: accuracy::nasbench201("cifar100"),
        ///         accelerator: chaidnn::accelerator(),
        ///     }
        /// }
        /// ```
        fn nasbench201(dataset: String) -> AccuracySource =
            move |context: NativeCallContext, dataset: &str| {
                read(&context, dataset).map(AccuracySource::Nasbench201)
            };
        /// The validation accuracy of a cell after 200 epochs, a fraction: the mean of its trainings in
        /// NAS-Bench-201 (up to three). `dataset` is `"cifar10"`, `"cifar100"` or `"imagenet16"`. The table is
        /// part of the program.
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// accuracy::nasbench201(cell, "cifar100") // => 0.705
        /// ```
        fn nasbench201(cell: Cell201, dataset: String) -> float =
            move |context: NativeCallContext, cell: &mut Cell201, dataset: &str| -> Fallible<f64> {
                let dataset = read(&context, dataset)?;
                let table = Nasbench201Table::embedded()
                    .map_err(|error| error_at_call(&context, error.to_string()))?;
                services.used(Source::Nasbench201);
                Ok(table.accuracy(*cell, dataset))
            };
    }
}

fn register_nasbench101(module: &mut Module, services: &Arc<Services>) {
    let (first, second, third) = (services.clone(), services.clone(), services.clone());
    native! { module =>
        /// The accuracies of all NASBench-101 cells, for `sweep()`: those of `accuracy::nasbench101(cell)`.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench101::space(), hw: chaidnn::space() } }
        ///
        /// fn sweep() {
        ///     #{
        ///         networks: nasbench101::networks(),
        ///         accuracy: accuracy::nasbench101(),
        ///         accelerator: chaidnn::accelerator(),
        ///     }
        /// }
        /// ```
        fn nasbench101() -> AccuracySource = || AccuracySource::Nasbench101(Missing::Fail);
        /// The accuracies of all NASBench-101 cells, for `sweep()`: those of `accuracy::nasbench101(cell,
        /// options)`, with the same options.
        ///
        /// ```rhai
        /// let source = accuracy::nasbench101(#{ missing: "predict" });
        /// ```
        fn nasbench101(options: Map) -> AccuracySource = |context: NativeCallContext, options: Map| {
            missing(&context, options).map(AccuracySource::Nasbench101)
        };
        /// The test accuracy of a cell after 108 epochs on CIFAR-10, a fraction: the mean of its three trainings
        /// in NASBench-101. It needs the benchmark's table, which `tandem data import nasbench101 FILE` imports;
        /// where there is none, the run stops and says so.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench101::space() } }
        /// fn evaluate(point) { #{ accuracy: accuracy::nasbench101(point.cnn) } }
        /// fn reward(m) { m.accuracy }
        /// ```
        fn nasbench101(cell: Cell101) -> float = move |context: NativeCallContext, cell: &mut Cell101| {
            nasbench101(&context, &first, cell, Missing::Fail)
        };
        /// The test accuracy of a cell after 108 epochs on CIFAR-10, a fraction, as `accuracy::nasbench101(cell)`
        /// gives it. The option `missing` says what happens where the table is not imported: `"fail"`, the
        /// default, or `"predict"`, which gives what `accuracy::predicted(cell)` does.
        ///
        /// ```rhai
        /// let cell = nasbench101::cell("resnet");
        /// accuracy::nasbench101(cell, #{ missing: "predict" }) > 0.9 // => true
        /// ```
        fn nasbench101(cell: Cell101, options: Map) -> float =
            move |context: NativeCallContext, cell: &mut Cell101, options: Map| {
                let missing = missing(&context, options)?;
                nasbench101(&context, &second, cell, missing)
            };
        /// Predicted accuracies of all NASBench-101 cells, for `sweep()`: those of `accuracy::predicted(cell)`.
        ///
        /// ```rhai
        /// let source = accuracy::predicted();
        /// ```
        fn predicted() -> AccuracySource = || AccuracySource::Predicted;
        /// What a predictor trained on a tenth of NASBench-101 expects of a cell: its test accuracy after 108
        /// epochs on CIFAR-10, a fraction. docs/predictor.md says how good it is.
        ///
        /// ```rhai
        /// accuracy::predicted(nasbench101::cell("inception")) // => 0.927
        /// ```
        fn predicted(cell: Cell101) -> float =
            move |context: NativeCallContext, cell: &mut Cell101| -> Fallible<f64> {
                third.predicted101(cell).map_err(|reason| error_at_call(&context, reason))
            };
    }
}

fn missing(context: &NativeCallContext, options: Map) -> Fallible<Missing> {
    let mut options = OptionReader::new(context, "accuracy::nasbench101", options);
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
    services: &Services,
    cell: &Cell101,
    missing: Missing,
) -> Fallible<f64> {
    let failed = |error: Nasbench101TableError| error_at_call(context, error);
    if missing == Missing::Predict && services.imported101().map_err(failed)?.is_none() {
        return services.predicted101(cell).map_err(|error| error_at_call(context, error));
    }
    let table = services.nasbench101().map_err(failed)?;
    services.used(Source::Nasbench101);
    let missing = || error_at_call(context, format!("the table has no cell {cell}"));
    table.accuracy(cell).ok_or_else(missing)
}
