//! The module `chaidnn`: the accelerator's space and estimates.

use std::str::FromStr;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext};

use super::space::ScriptPart;
use crate::accel::chaidnn::{ChaidnnSpace, Configuration, Estimate, Platform, model_version};
use crate::script::host::{Host, ScriptNetwork, Source, Traced};
use crate::script::options::{Options, refuse};
use crate::store::Reused;

/// The accelerator with all its configurations, for a sweep.
#[derive(Clone, Copy, Debug)]
pub(in crate::script) struct ScriptAccelerator(pub Platform);

pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    register_configuration(engine);
    register_estimate(engine);
    engine.register_type_with_name::<ScriptAccelerator>("ChaidnnAccelerator");

    let mut module = Module::new();
    FuncRegistration::new("space").set_into_module(&mut module, || {
        ScriptPart::new(ChaidnnSpace::new(), |space, options| {
            Ok(Dynamic::from(space.configuration(options)))
        })
    });
    FuncRegistration::new("configuration").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &str| -> Result<Configuration, Box<EvalAltResult>> {
            Configuration::from_str(text).map_err(|error| refuse(&context, error.to_string()))
        },
    );
    FuncRegistration::new("accelerator")
        .set_into_module(&mut module, || ScriptAccelerator(Platform::codesign_nas()));
    FuncRegistration::new("accelerator").set_into_module(
        &mut module,
        |context: NativeCallContext, options: Map| {
            platform(&context, "chaidnn::accelerator", options).map(ScriptAccelerator)
        },
    );
    for with_options in [false, true] {
        let shared = host.clone();
        let estimate = FuncRegistration::new("estimate");
        let best = FuncRegistration::new("best");
        let other = host.clone();
        if with_options {
            estimate.set_into_module(
                &mut module,
                move |context: NativeCallContext,
                      net: ScriptNetwork,
                      configuration: Configuration,
                      options: Map| {
                    let platform = platform(&context, "chaidnn::estimate", options)?;
                    estimate_pair(&context, &shared, &net, configuration, platform)
                },
            );
            best.set_into_module(
                &mut module,
                move |context: NativeCallContext, net: ScriptNetwork, options: Map| {
                    let platform = platform(&context, "chaidnn::best", options)?;
                    best_of(&context, &other, &net, platform)
                },
            );
        } else {
            estimate.set_into_module(
                &mut module,
                move |context: NativeCallContext,
                      net: ScriptNetwork,
                      configuration: Configuration| {
                    let platform = Platform::codesign_nas();
                    estimate_pair(&context, &shared, &net, configuration, platform)
                },
            );
            best.set_into_module(
                &mut module,
                move |context: NativeCallContext, net: ScriptNetwork| {
                    best_of(&context, &other, &net, Platform::codesign_nas())
                },
            );
        }
    }
    engine.register_static_module("chaidnn", module.into());
}

fn platform(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Result<Platform, Box<EvalAltResult>> {
    let mut platform = Platform::codesign_nas();
    let mut options = Options::new(context, function, options);
    for (name, field) in
        [("clock_mhz", &mut platform.clock_mhz), ("luts_per_clb", &mut platform.luts_per_clb)]
    {
        if let Some(value) = options.number(name)? {
            if !(value > 0.0 && value.is_finite()) {
                return Err(refuse(context, format!("{name} is {value}; it must be above 0")));
            }
            *field = value;
        }
    }
    if let Some(bits) = options.whole("bits", 1)? {
        platform.precision = bits.try_into().map_err(|()| {
            refuse(context, format!("bits is {bits}; the accelerator computes with 6 or 8"))
        })?;
    }
    options.end()?;
    Ok(platform)
}

fn estimate_pair(
    context: &NativeCallContext,
    host: &Host,
    net: &ScriptNetwork,
    configuration: Configuration,
    platform: Platform,
) -> Result<Estimate, Box<EvalAltResult>> {
    let program = net.program().map_err(|reason| refuse(context, reason))?;
    let estimate = program
        .estimate(&configuration, &platform)
        .map_err(|error| refuse(context, error.to_string()))?;
    host.used(Source::Chaidnn);
    host.trace(|| Traced { network: net.clone(), configuration, platform });
    Ok(estimate)
}

fn best_of(
    context: &NativeCallContext,
    host: &Host,
    net: &ScriptNetwork,
    platform: Platform,
) -> Result<Map, Box<EvalAltResult>> {
    let refused = |reason: String| refuse(context, reason);
    let program = net.program().map_err(refused)?;
    // The estimates of all configurations take some ten milliseconds. A single one takes two
    // microseconds, less than its look-up would.
    let version = model_version();
    let key = format!("{version} best {platform:?} {}", net.network.digest());
    let (best, is_known) = host
        .estimates()
        .get_or(blake3::hash(key.as_bytes()).to_hex().as_str(), || {
            let best = program.best_configuration(&platform);
            let (best, _) = best.ok_or("no configuration can run the network")?;
            Ok(best.to_string())
        })
        .map_err(refused)?;
    if is_known {
        host.reused(Reused::ESTIMATE);
    }
    let configuration = Configuration::from_str(&best).map_err(|e| refused(e.to_string()))?;
    let estimate =
        program.estimate(&configuration, &platform).map_err(|e| refused(e.to_string()))?;
    host.used(Source::Chaidnn);
    Ok(Map::from([
        ("configuration".into(), Dynamic::from(configuration)),
        ("estimate".into(), Dynamic::from(estimate)),
    ]))
}

fn register_configuration(engine: &mut Engine) {
    type C = Configuration;
    let int = i64::from;
    engine.register_type_with_name::<C>("ChaidnnConfiguration");
    engine.register_fn("to_string", |c: &mut C| c.to_string());
    engine.register_fn("==", |a: C, b: C| a == b);
    engine.register_get("filter_par", move |c: &mut C| int(c.filter_par));
    engine.register_get("pixel_par", move |c: &mut C| int(c.pixel_par));
    engine.register_get("input_buffer_depth", move |c: &mut C| int(c.input_buffer_depth));
    engine.register_get("weight_buffer_depth", move |c: &mut C| int(c.weight_buffer_depth));
    engine.register_get("output_buffer_depth", move |c: &mut C| int(c.output_buffer_depth));
    engine.register_get("pool_engine", |c: &mut C| c.pool_engine);
    engine.register_get("mem_interface_width", move |c: &mut C| int(c.mem_interface_width));
    engine.register_get("ratio_conv_engines", |c: &mut C| c.ratio_conv_engines);
}

fn register_estimate(engine: &mut Engine) {
    type E = Estimate;
    engine.register_type_with_name::<E>("ChaidnnEstimate");
    engine.register_get("latency_ms", |e: &mut E| e.latency_ms);
    engine.register_get("area_mm2", |e: &mut E| e.area.area_mm2);
    engine.register_get("images_per_s", |e: &mut E| e.images_per_s());
    engine.register_get("img_s_cm2", |e: &mut E| e.img_s_cm2());
    engine.register_get("clb", |e: &mut E| e.area.clb);
    engine.register_get("bram36", |e: &mut E| e.area.bram36);
    engine.register_get("dsp", |e: &mut E| e.area.dsp);
    engine.register_get("fits", |e: &mut E| e.area.fits);
}
