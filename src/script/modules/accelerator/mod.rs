//! Accelerators as values: native ones, tables of measured devices, and those that scripts define.

pub(super) mod native;
mod scripted;
mod table;
pub(super) mod value;

use std::any::Any;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, Module, NativeCallContext};

use self::native::Plain;
use self::scripted::Scripted;
pub(in crate::script) use self::value::ScriptAccelerator;
use super::closure::Closure;
use crate::accel::Accelerator;
use crate::accel::chaidnn::Chaidnn;
use crate::accel::registry::{families, find};
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call, error_at_call_with_help};
use crate::script::services::Services;
use crate::util::suggest::nearest;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// The longest name of an accelerator in characters.
const LONGEST_NAME: usize = 100;

pub(super) fn register(engine: &mut Engine, globals: &mut Module, services: &Arc<Services>) {
    type A = ScriptAccelerator;
    name_type::<A>(globals, "Accelerator", "An accelerator with all its configurations.");
    native! { globals =>
        /// The accelerator's name.
        ///
        /// ```rhai
        /// chaidnn::accelerator().name // => chaidnn
        /// ```
        get name(accelerator: Accelerator) -> String = |it: &mut A| it.name().to_owned();
    }
    engine.register_static_module("accelerator", module(services).into());
}

fn module(services: &Arc<Services>) -> Module {
    type A = ScriptAccelerator;
    let mut module = Module::new();
    module
        .set_doc("Accelerators: native ones, those that the script defines, and measured devices.");
    let (first, second, third) = (services.clone(), services.clone(), services.clone());
    native! { &mut module =>
        /// All configurations of an accelerator, as a part of a space.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench201::space(), hw: accelerator::space(chaidnn::accelerator()) } }
        /// ```
        fn space(accelerator: Accelerator) -> SpacePart = |context: NativeCallContext, it: A| match &it {
            A::Scripted(scripted) => scripted.space(context.engine(), context.call_position()),
            A::Native(native) => Ok(Dynamic::from(native.part())),
        };
        /// What a network costs on a configuration: metrics by name, such as `latency_ms`, `area_mm2` and
        /// `energy_mj`.
        ///
        /// A table takes the cell, or the text by which it knows the network, and gives the metrics that
        /// were measured.
        ///
        /// ```rhai
        /// let npu = accelerator::define("npu", #{
        ///     space: space::part().choice("lanes", [8, 16]),
        ///     estimate: |net, hw| #{ latency_ms: net.macs / (hw.lanes * 1e6) },
        /// });
        /// let net = network::builder([3, 32, 32]);
        /// let net = net.finish(net.conv(net.input(), #{ channels: 16, kernel: 3 }));
        /// accelerator::estimate(npu, net, #{ lanes: 8 }).latency_ms // => 0.055296
        /// ```
        fn estimate(accelerator: Accelerator, net: Dynamic, configuration: Dynamic) -> Dynamic =
            move |context: NativeCallContext, it: A, net: Dynamic, configuration: Dynamic| {
                estimate(&context, &third, &it, net, configuration)
            };
        /// A native accelerator by its name, with all its configurations.
        ///
        /// `chaidnn` is the one of `chaidnn::accelerator()`. Of others a configuration is a map of its choices,
        /// and an estimate a map of metrics.
        ///
        /// ```rhai
        /// let net = nasbench201::network(nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"));
        /// let hw = chaidnn::configuration("8x32-i1K-w1K-o1K-m512-nopool-r1");
        /// let cost = accelerator::estimate(accelerator::native("chaidnn"), net, hw);
        /// cost.latency_ms == chaidnn::estimate(net, hw).latency_ms // => true
        /// ```
        fn native(name: String) -> Accelerator = by_name;
        /// Defines an accelerator: `space`, what may be chosen, and `estimate`, a function of a network and
        /// a configuration that gives what the pair costs.
        ///
        /// `space` is a part of a space, or a function that gives one, which is asked only when the space is
        /// needed. `estimate` gives a map of metrics: finite numbers, with latency in ms, area in mm2, energy
        /// in mJ and power in mW (`latency_ms`, `area_mm2`, `energy_mj`, `power_mw`). It depends on nothing but
        /// what it is given. Where a configuration cannot run a network, it throws.
        ///
        /// The map may have `layers` and `parts`, arrays of maps with a `name` and metrics, for `tandem
        /// explain`: what each layer costs, with what it is `bound` by, and what each part of the accelerator
        /// has in it.
        ///
        /// ```rhai
        /// let npu = accelerator::define("npu", #{
        ///     space: || space::part().choice("lanes", [8, 16, 32]).choice("clock_mhz", [200, 400]),
        ///     estimate: |net, hw| {
        ///         let cycles = 0.0;
        ///         for layer in net.layers { cycles += layer.macs / hw.lanes; }
        ///         #{ latency_ms: cycles / (hw.clock_mhz * 1000.0), area_mm2: 0.5 + 0.02 * hw.lanes }
        ///     },
        /// });
        /// let net = network::builder([3, 32, 32]);
        /// let net = net.finish(net.conv(net.input(), #{ channels: 16, kernel: 3 }));
        /// accelerator::estimate(npu, net, #{ lanes: 16, clock_mhz: 200 }).area_mm2 // => 0.82
        /// ```
        fn define(name: String, options: Map) -> Accelerator = define;
        /// The devices of an imported table as an accelerator: the configuration is the device's name.
        ///
        /// `tandem data import` brings tables into the folder of data, where they are found by name.
        ///
        /// ```rhai
        /// fn devices() { accelerator::table("phones") }
        /// ```
        fn table(name: String) -> Accelerator = move |context: NativeCallContext, name: &str| {
            table::open(&context, &first, name, Map::new())
        };
        /// The devices of one `group` of an imported table that has groups, as an accelerator.
        ///
        /// ```rhai
        /// fn devices() { accelerator::table("hw_nas_bench", #{ group: "cifar10" }) }
        /// ```
        fn table(name: String, options: Map) -> Accelerator =
            move |context: NativeCallContext, name: &str, options: Map| {
                table::open(&context, &second, name, options)
            };
    }
    module
}

fn define(context: NativeCallContext, name: &str, options: Map) -> Fallible<ScriptAccelerator> {
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        let reason = format!("an accelerator's name has from 1 to {LONGEST_NAME} characters");
        return Err(error_at_call(&context, reason));
    }
    let mut options = OptionReader::new(&context, "accelerator::define", options);
    let mut take = |name| {
        let given = options.take(name);
        options.required(name, given, "")
    };
    let (space, estimate) = (take("space")?, take("estimate")?);
    let function = estimate.read_lock::<FnPtr>().map(|f| Closure::new(&context, &f)).transpose()?;
    let Some(function) = function else {
        return Err(options.wrong("estimate", scripted::FORM, &estimate));
    };
    let is_part = scripted::is_space(&space);
    let made = space.read_lock::<FnPtr>().map(|f| Closure::new(&context, &f)).transpose()?;
    let space = match made {
        Some(function) => scripted::SpaceSource::Made(function),
        None if is_part => scripted::SpaceSource::Given(space),
        None => {
            let expected = "a part of a space, such as space::part().choice(\"lanes\", [8, 16])";
            return Err(options.wrong("space", expected, &space));
        }
    };
    options.end()?;
    Ok(ScriptAccelerator::Scripted(Arc::new(Scripted::new(name, space, function))))
}

fn by_name(context: NativeCallContext, name: &str) -> Fallible<ScriptAccelerator> {
    find(name).map(of_family).ok_or_else(|| {
        let names: Vec<&str> = families().iter().map(|family| family.id()).collect();
        let available = names.join(", ");
        let reason = format!("there is no native accelerator `{name}`; available: {available}");
        match nearest(name, names).first() {
            Some(near) => error_at_call_with_help(&context, reason, &format!("is `{near}` meant?")),
            None => error_at_call(&context, reason),
        }
    })
}

/// Converts a family to a value of scripts, with its own script types if it has any.
fn of_family(family: &Arc<dyn Accelerator>) -> ScriptAccelerator {
    let model: &dyn Any = family.as_ref();
    match model.downcast_ref::<Chaidnn>() {
        Some(chaidnn) => ScriptAccelerator::native(*chaidnn),
        None => ScriptAccelerator::native(Plain(family.clone())),
    }
}

fn estimate(
    context: &NativeCallContext,
    services: &Services,
    accelerator: &ScriptAccelerator,
    net: Dynamic,
    configuration: Dynamic,
) -> Fallible<Dynamic> {
    match accelerator {
        ScriptAccelerator::Scripted(scripted) => {
            scripted.cost(context, services, net, configuration).map(Dynamic::from)
        }
        ScriptAccelerator::Native(native) => native.estimate(context, services, net, configuration),
    }
}
