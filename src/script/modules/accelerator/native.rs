//! Native accelerators in scripts.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext};

use crate::accel::{Accelerator, Workload};
use crate::metrics::Metrics;
use crate::run::Failure;
use crate::script::modules::part_value::ScriptPart;
use crate::script::modules::values::{to_dynamic, value_of};
use crate::script::options::{described, error_at_call};
use crate::script::services::{ScriptNetwork, Services, Traced};
use crate::space::{Choice, shown};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A native accelerator, with the values that scripts exchange with it.
pub(in crate::script) trait NativeAccelerator: Send + Sync {
    /// The accelerator itself.
    fn model(&self) -> &dyn Accelerator;

    /// The configurations as a part of a space.
    fn part(&self) -> ScriptPart;

    /// Estimates the costs of a network on a configuration.
    fn estimate(
        &self,
        context: &NativeCallContext,
        services: &Services,
        net: Dynamic,
        configuration: Dynamic,
    ) -> Fallible<Dynamic>;
}

/// A family without its own script types: a configuration is a map of choices, an estimate a map of metrics.
pub(super) struct Plain(pub Arc<dyn Accelerator>);

impl NativeAccelerator for Plain {
    fn model(&self) -> &dyn Accelerator {
        self.0.as_ref()
    }

    fn part(&self) -> ScriptPart {
        let domain = self.0.space();
        let shared = domain.clone();
        let value = move |options: &[u16]| {
            let chosen = shared.choices().iter().zip(options).map(|(choice, &option)| {
                (choice.name.as_str().into(), to_dynamic(&choice.options[usize::from(option)]))
            });
            Ok(Dynamic::from(chosen.collect::<Map>()))
        };
        ScriptPart::shared(domain, Arc::new(value))
    }

    fn estimate(
        &self,
        context: &NativeCallContext,
        services: &Services,
        net: Dynamic,
        configuration: Dynamic,
    ) -> Fallible<Dynamic> {
        let model = self.model();
        let net = network(context, model.id(), net)?;
        let space = model.space();
        let names: Vec<&str> = space.choices().iter().map(|choice| choice.name.as_str()).collect();
        let names = names.join(", ");
        let map = configuration.read_lock::<Map>().ok_or_else(|| {
            let expected = format!("on a configuration of its own, a map of {names}");
            wrong(context, model.id(), &expected, &configuration)
        })?;
        let refused = |reason: String| {
            error_at_call(context, format!("the configuration of {} {reason}", model.id()))
        };
        if let Some(unknown) =
            map.keys().find(|name| !space.choices().iter().any(|c| c.name == **name))
        {
            return Err(refused(format!("has no `{unknown}`; it has {names}")));
        }
        let options: Result<Vec<u16>, String> =
            space.choices().iter().map(|choice| option(context, &map, choice)).collect();
        let options = options.map_err(refused)?;
        let workload = Workload::Layers(net.prepared());
        let metrics = ask(context, services, model, (workload, &options), Some(&net))?;
        Ok(Dynamic::from(to_map(metrics)))
    }
}

/// Returns the option of a choice that has the value given by a script.
fn option(context: &NativeCallContext, map: &Map, choice: &Choice) -> Result<u16, String> {
    let Choice { name, options, .. } = choice;
    let value = map.get(name.as_str()).ok_or_else(|| format!("lacks `{name}`"))?;
    let given = value_of(value);
    let is_given = |known| given.as_ref().is_some_and(|given| given.is_same(known));
    let position = options.iter().position(is_given).and_then(|index| u16::try_from(index).ok());
    position.ok_or_else(|| {
        let given = described(context, value);
        format!("has `{name}` = {given}; it takes {}", shown(options))
    })
}

/// Asks an accelerator for the costs of a pair, and records its use.
pub(super) fn ask(
    context: &NativeCallContext,
    services: &Services,
    model: &dyn Accelerator,
    (workload, options): (Workload<'_>, &[u16]),
    net: Option<&ScriptNetwork>,
) -> Fallible<Metrics> {
    let metrics = model.estimate(workload, options);
    let metrics = metrics.map_err(|error| error_at_call(context, error.to_string()))?;
    services.used_accelerator(model);
    services.trace(|| Traced {
        accelerator: model.id().to_owned(),
        breakdown: model.breakdown(workload, options).map_err(Failure::of),
        network: net.cloned(),
    });
    Ok(metrics)
}

/// Returns the network that a script gives to the accelerator `name`; any other value is an error.
pub(in crate::script::modules) fn network(
    context: &NativeCallContext,
    name: &str,
    net: Dynamic,
) -> Fallible<ScriptNetwork> {
    net.try_cast_result().map_err(|value| wrong(context, name, "a network", &value))
}

/// Returns the error of an accelerator that was given a value it cannot estimate.
pub(in crate::script::modules) fn wrong(
    context: &NativeCallContext,
    name: &str,
    expected: &str,
    value: &Dynamic,
) -> Box<EvalAltResult> {
    let given = described(context, value);
    error_at_call(context, format!("{name} estimates {expected}, and was given {given}"))
}

/// Converts metrics to a map of a script.
pub(super) fn to_map(metrics: Metrics) -> Map {
    metrics.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    use rhai::Scope;

    use super::*;
    use crate::accel::{AcceleratorError, Breakdown};
    use crate::script::modules::ScriptAccelerator;
    use crate::script::reference::script_engine;
    use crate::space::params::{Draft, Mixed};
    use crate::space::{Domain, Value};

    static SPACE: LazyLock<Arc<Mixed>> = LazyLock::new(|| {
        let mut draft = Draft::default();
        draft.choose("lanes", [8, 16].map(Value::Int).to_vec()).unwrap();
        draft
            .choose("clock", ["slow", "fast"].map(|c| Value::Text(c.to_owned())).to_vec())
            .unwrap();
        Arc::new(draft.finish().unwrap())
    });

    /// A test accelerator: multiplier lanes at one of two clocks.
    struct Lanes;

    impl Accelerator for Lanes {
        fn id(&self) -> &str {
            "lanes"
        }

        fn version(&self) -> &str {
            "lanes-1"
        }

        fn source(&self) -> String {
            "latency: lanes".to_owned()
        }

        fn space(&self) -> Arc<dyn Domain> {
            SPACE.clone()
        }

        fn estimate(
            &self,
            network: Workload<'_>,
            configuration: &[u16],
        ) -> Result<Metrics, AcceleratorError> {
            let net = network.layers()?.network();
            SPACE.check(configuration)?;
            let lanes = [8.0, 16.0][usize::from(configuration[0])];
            let clock_khz = [1e5, 2e5][usize::from(configuration[1])];
            let latency_ms = net.macs() as f64 / (lanes * clock_khz);
            Ok(Metrics::from([("latency_ms".to_owned(), latency_ms)]))
        }

        fn breakdown(
            &self,
            network: Workload<'_>,
            configuration: &[u16],
        ) -> Result<Breakdown, AcceleratorError> {
            self.estimate(network, configuration)?;
            Ok(Breakdown::default())
        }
    }

    /// Evaluates an expression with `lanes`, the accelerator, and `net`, of 442,368 multiply-accumulates.
    fn eval(expression: &str) -> Result<Dynamic, String> {
        let engine = script_engine(PathBuf::new());
        let mut scope = Scope::new();
        scope.push("lanes", ScriptAccelerator::native(Plain(Arc::new(Lanes))));
        let net = "let net = network::builder([3, 32, 32]);
                   let net = net.finish(net.conv(net.input(), #{ channels: 16, kernel: 3 }));";
        let value = engine.eval_with_scope(&mut scope, &format!("{net}\n{expression}"));
        value.map_err(|error| error.to_string())
    }

    #[test]
    fn a_family_without_types_of_its_own_has_maps() {
        let estimate = "accelerator::estimate(lanes, net, #{ clock: \"fast\", lanes: 16 })";
        let latency = eval(&format!("{estimate}.latency_ms")).unwrap().as_float().unwrap();
        assert_eq!(latency.to_bits(), (442_368.0_f64 / (16.0 * 2e5)).to_bits());
        assert_eq!(eval("lanes.name").unwrap().into_string().unwrap(), "lanes");

        let part = eval("accelerator::space(lanes)").unwrap().cast::<ScriptPart>();
        assert_eq!(part.domain.count(), 4);
        let value = (part.value)(&[1, 0]).unwrap().cast::<Map>();
        assert_eq!(value["lanes"].as_int(), Ok(16));
        assert_eq!(value["clock"].clone().into_string().unwrap(), "slow");
    }

    #[test]
    fn wrong_pairs_say_what_is_taken() {
        for (net, configuration, message) in [
            ("1", "#{}", "lanes estimates a network, and was given 1 (int)"),
            (
                "net",
                "8",
                "lanes estimates on a configuration of its own, a map of lanes, clock, and was given \
                 8 (int)",
            ),
            ("net", "#{ lanes: 8 }", "the configuration of lanes lacks `clock`"),
            (
                "net",
                "#{ lanes: 8, clock: \"slow\", x: 1 }",
                "the configuration of lanes has no `x`; it has lanes, clock",
            ),
            (
                "net",
                "#{ lanes: 9, clock: \"slow\" }",
                "the configuration of lanes has `lanes` = 9 (int); it takes 8, 16",
            ),
        ] {
            let call = format!("accelerator::estimate(lanes, {net}, {configuration})");
            let error = eval(&call).unwrap_err();
            assert!(error.contains(message), "{call}: {error}");
        }
    }

    #[test]
    fn families_are_found_by_name() {
        let name = eval("accelerator::native(\"chaidnn\").name").unwrap();
        assert_eq!(name.into_string().unwrap(), "chaidnn");
        let error = eval("accelerator::native(\"chaidn\")").unwrap_err();
        let message = "there is no native accelerator `chaidn`; available: chaidnn";
        assert!(error.contains(message) && error.contains("is `chaidnn` meant?"), "{error}");
    }
}
