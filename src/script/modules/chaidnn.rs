//! The module `chaidnn`: the accelerator's space and estimates.

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map, Module, NativeCallContext};

use super::accelerator::native::{NativeAccelerator, network, wrong};
use super::accelerator::value::ScriptAccelerator;
use super::part_value::ScriptPart;
use crate::accel::Accelerator;
use crate::accel::chaidnn::{
    Chaidnn, ChaidnnEstimate, ChaidnnSpace, Configuration, Platform, model_version,
};
use crate::run::Failure;
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call};
use crate::script::services::{ScriptNetwork, Services, Traced};
use crate::store::Reused;

pub(super) fn register(engine: &mut Engine, globals: &mut Module, services: &Arc<Services>) {
    register_configuration(globals);
    register_estimate(globals);
    engine.register_static_module("chaidnn", module(services).into());
}

fn module(services: &Arc<Services>) -> Module {
    let mut module = Module::new();
    module.set_doc(
        "The CHaiDNN accelerator: 8,640 configurations, with a model of their latency and area.",
    );
    let hosts = || services.clone();
    let (first, second, third, fourth) = (hosts(), hosts(), hosts(), hosts());
    native! { &mut module =>
        /// All configurations of the accelerator, as a part of a space.
        ///
        /// ```rhai
        /// fn space() { #{ hw: chaidnn::space() } }
        /// ```
        fn space() -> SpacePart = space;
        /// The configuration that a text stands for, written as results show it.
        ///
        /// ```rhai
        /// chaidnn::configuration("8x32-i1K-w1K-o1K-m512-nopool-r1").pixel_par // => 32
        /// ```
        fn configuration(text: String) -> ChaidnnConfiguration = read_configuration;
        /// The accelerator at 100 MHz, with all its configurations.
        ///
        /// ```rhai
        /// let net = nasbench201::network(nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"));
        /// let hw = chaidnn::configuration("8x32-i1K-w1K-o1K-m512-nopool-r1");
        /// accelerator::estimate(chaidnn::accelerator(), net, hw).fits // => true
        /// ```
        fn accelerator() -> Accelerator = || {
            ScriptAccelerator::native(Chaidnn { platform: Platform::codesign_nas() })
        };
        /// The accelerator on a platform of one's own: `clock_mhz`, `luts_per_clb`, `bits` (6 or
        /// 8).
        ///
        /// ```rhai
        /// let accelerator = chaidnn::accelerator(#{ clock_mhz: 200.0, bits: 6 });
        /// ```
        fn accelerator(platform: Map) -> Accelerator = |context: NativeCallContext, options: Map| {
            let platform = platform(&context, "chaidnn::accelerator", options)?;
            Ok::<_, Box<EvalAltResult>>(ScriptAccelerator::native(Chaidnn { platform }))
        };
        /// What a network costs on a configuration, at 100 MHz with 8 bits.
        ///
        /// ```rhai
        /// let net = nasbench201::network(nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"));
        /// let hw = chaidnn::configuration("8x32-i1K-w1K-o1K-m512-nopool-r1");
        /// chaidnn::estimate(net, hw).fits // => true
        /// ```
        fn estimate(net: Network, configuration: ChaidnnConfiguration) -> ChaidnnEstimate =
            move |context: NativeCallContext, net: &mut ScriptNetwork, configuration: Configuration| {
                estimate_pair(&context, &first, net, configuration, Platform::codesign_nas())
            };
        /// What a network costs on a configuration, on a platform of one's own.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `clock_mhz` | 100.0 | the clock in MHz, above 0 |
        /// | `bits` | 8 | bits of weights and of values between layers, 6 or 8 |
        /// | `luts_per_clb` | 4.8 | look-up tables that a configurable logic block holds in effect, above 0 |
        ///
        /// ```rhai
        /// let net = nasbench201::network(nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"));
        /// let hw = chaidnn::configuration("8x32-i1K-w1K-o1K-m512-nopool-r1");
        /// let slow = chaidnn::estimate(net, hw, #{ clock_mhz: 100.0 });
        /// let fast = chaidnn::estimate(net, hw, #{ clock_mhz: 200.0 });
        /// fast.latency_ms < slow.latency_ms // => true
        /// ```
        fn estimate(net: Network, configuration: ChaidnnConfiguration, platform: Map) -> ChaidnnEstimate =
            move |context: NativeCallContext,
                  net: &mut ScriptNetwork,
                  configuration: Configuration,
                  options: Map| {
                let platform = platform(&context, "chaidnn::estimate", options)?;
                estimate_pair(&context, &second, net, configuration, platform)
            };
        /// The configuration with the highest performance per area for a network, and its estimate, as `#{
        /// configuration, estimate }`.
        ///
        /// ```rhai
        /// let net = nasbench201::network(nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"));
        /// let best = chaidnn::best(net);
        /// best.estimate.latency_ms == chaidnn::estimate(net, best.configuration).latency_ms // => true
        /// ```
        fn best(net: Network) -> Map = move |context: NativeCallContext, net: ScriptNetwork| {
            best_of(&context, &third, &net, Platform::codesign_nas())
        };
        /// The configuration with the highest performance per area for a network, and its estimate, as `#{
        /// configuration, estimate }`, on a platform of one's own: the options are those of `chaidnn::estimate`.
        ///
        /// ```rhai
        /// let net = nasbench201::network(nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"));
        /// chaidnn::best(net, #{ bits: 6 }).estimate.fits // => true
        /// ```
        fn best(net: Network, platform: Map) -> Map =
            move |context: NativeCallContext, net: ScriptNetwork, options: Map| {
                let platform = platform(&context, "chaidnn::best", options)?;
                best_of(&context, &fourth, &net, platform)
            };
    }
    module
}

impl NativeAccelerator for Chaidnn {
    fn model(&self) -> &dyn Accelerator {
        self
    }

    fn part(&self) -> ScriptPart {
        space()
    }

    fn estimate(
        &self,
        context: &NativeCallContext,
        services: &Services,
        net: Dynamic,
        configuration: Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let net = network(context, self.id(), net)?;
        let configuration = configuration
            .try_cast_result::<Configuration>()
            .map_err(|value| wrong(context, self.id(), "on a configuration of its own", &value))?;
        estimate_pair(context, services, &net, configuration, self.platform).map(Dynamic::from)
    }
}

/// Returns all configurations, as a part of a space.
fn space() -> ScriptPart {
    ScriptPart::new(ChaidnnSpace::new(), |space, options| {
        Ok(Dynamic::from(space.configuration(options)))
    })
}

fn read_configuration(
    context: NativeCallContext,
    text: &str,
) -> Result<Configuration, Box<EvalAltResult>> {
    Configuration::from_str(text).map_err(|error| error_at_call(&context, error.to_string()))
}

fn platform(
    context: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> Result<Platform, Box<EvalAltResult>> {
    let mut platform = Platform::codesign_nas();
    let mut options = OptionReader::new(context, function, options);
    for (name, field) in
        [("clock_mhz", &mut platform.clock_mhz), ("luts_per_clb", &mut platform.luts_per_clb)]
    {
        if let Some(value) = options.number(name)? {
            if !(value > 0.0 && value.is_finite()) {
                return Err(error_at_call(
                    context,
                    format!("{name} is {value}; it must be above 0"),
                ));
            }
            *field = value;
        }
    }
    if let Some(bits) = options.whole("bits", 1)? {
        platform.precision = bits.try_into().map_err(|()| {
            error_at_call(context, format!("bits is {bits}; the accelerator computes with 6 or 8"))
        })?;
    }
    options.end()?;
    Ok(platform)
}

/// Estimates a pair in the model's own types, which is faster than by options.
fn estimate_pair(
    context: &NativeCallContext,
    services: &Services,
    net: &ScriptNetwork,
    configuration: Configuration,
    platform: Platform,
) -> Result<ChaidnnEstimate, Box<EvalAltResult>> {
    let refused = |reason: String| error_at_call(context, reason);
    let program = Chaidnn::program(net.prepared()).map_err(|error| refused(error.to_string()))?;
    let estimate =
        program.estimate(&configuration, &platform).map_err(|error| refused(error.to_string()))?;
    let chaidnn = Chaidnn { platform };
    services.used_accelerator(&chaidnn);
    services.trace(|| {
        let breakdown = chaidnn.shares(program, &configuration);
        Traced {
            accelerator: chaidnn.id().to_owned(),
            breakdown: breakdown.map_err(Failure::of),
            network: Some(net.clone()),
        }
    });
    Ok(estimate)
}

fn best_of(
    context: &NativeCallContext,
    services: &Services,
    net: &ScriptNetwork,
    platform: Platform,
) -> Result<Map, Box<EvalAltResult>> {
    let program = Chaidnn::program(net.prepared()).map_err(|e| error_at_call(context, e))?;
    // The estimates of all configurations take some ten milliseconds. A single one takes two
    // microseconds, less than its look-up would.
    let version = model_version();
    let key = format!("{version} best {platform:?} {}", net.network().digest());
    let compute = || -> Result<String, Box<dyn Error + Send + Sync>> {
        let best = program.best_configuration(&platform);
        let (best, _) = best.ok_or("no configuration can run the network")?;
        Ok(best.to_string())
    };
    let key = blake3::hash(key.as_bytes()).to_hex();
    let (best, is_known) =
        services.estimates().get_or(&key, compute).map_err(|e| error_at_call(context, e))?;
    if is_known {
        services.reused(Reused::ESTIMATE);
    }
    let configuration = Configuration::from_str(&best).map_err(|e| error_at_call(context, e))?;
    let estimate =
        program.estimate(&configuration, &platform).map_err(|e| error_at_call(context, e))?;
    services.used_accelerator(&Chaidnn { platform });
    Ok(Map::from([
        ("configuration".into(), Dynamic::from(configuration)),
        ("estimate".into(), Dynamic::from(estimate)),
    ]))
}

fn register_configuration(globals: &mut Module) {
    type C = Configuration;
    let int = i64::from;
    name_type::<C>(globals, "ChaidnnConfiguration", "A configuration of the CHaiDNN accelerator.");
    native! { globals =>
        /// The text of the configuration, as results show it.
        ///
        /// ```rhai
        /// let hw = chaidnn::configuration("8x32-i1K-w1K-o1K-m512-nopool-r1");
        /// hw.to_string() // => 8x32-i1K-w1K-o1K-m512-nopool-r1
        /// ```
        fn to_string(configuration: ChaidnnConfiguration) -> String = |c: &mut C| c.to_string();
        /// Whether two configurations are the same.
        op ==(a: ChaidnnConfiguration, b: ChaidnnConfiguration) -> bool = |a: C, b: C| a == b;
        /// Kernels computed in parallel.
        get filter_par(configuration: ChaidnnConfiguration) -> int = move |c: &mut C| int(c.filter_par);
        /// Pixels computed in parallel.
        get pixel_par(configuration: ChaidnnConfiguration) -> int = move |c: &mut C| int(c.pixel_par);
        /// Words of each input buffer.
        get input_buffer_depth(configuration: ChaidnnConfiguration) -> int =
            move |c: &mut C| int(c.input_buffer_depth);
        /// Words of each weight buffer.
        get weight_buffer_depth(configuration: ChaidnnConfiguration) -> int =
            move |c: &mut C| int(c.weight_buffer_depth);
        /// Words of each output buffer.
        get output_buffer_depth(configuration: ChaidnnConfiguration) -> int =
            move |c: &mut C| int(c.output_buffer_depth);
        /// Whether max pooling has an engine of its own.
        get pool_engine(configuration: ChaidnnConfiguration) -> bool = |c: &mut C| c.pool_engine;
        /// Bits of the memory interface that weights are read through.
        get mem_interface_width(configuration: ChaidnnConfiguration) -> int =
            move |c: &mut C| int(c.mem_interface_width);
        /// 1 for one convolution engine; below 1, the share of the pixels of the engine for kernels above 1x1.
        get ratio_conv_engines(configuration: ChaidnnConfiguration) -> float =
            |c: &mut C| c.ratio_conv_engines;
    }
}

fn register_estimate(globals: &mut Module) {
    type E = ChaidnnEstimate;
    name_type::<E>(globals, "ChaidnnEstimate", "What a network costs on the CHaiDNN accelerator.");
    native! { globals =>
        /// The time from the start of a batch of two images to its end, in ms.
        get latency_ms(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.latency_ms;
        /// The area of the accelerator in mm2.
        get area_mm2(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.area.area_mm2;
        /// Throughput: the two images of a batch over its latency, in images/s.
        get images_per_s(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.images_per_s();
        /// The paper's performance per area, 1 / (latency x area), in 1/s/cm2.
        get img_s_cm2(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.img_s_cm2();
        /// Configurable logic blocks.
        get clb(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.area.clb;
        /// Block RAMs of 36 Kib.
        get bram36(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.area.bram36;
        /// Digital signal processors.
        get dsp(estimate: ChaidnnEstimate) -> float = |e: &mut E| e.area.dsp;
        /// Whether the accelerator fits the device.
        get fits(estimate: ChaidnnEstimate) -> bool = |e: &mut E| e.area.fits;
    }
}
