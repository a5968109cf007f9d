//! Pairs that are evaluated one by one: on scripted accelerators, measured devices, or by evaluate(point).

use rhai::Dynamic;

use super::error::{MAX_CONFIGURATIONS, SweepPairsError};
use super::networks::SweepNetworks;
use crate::accel::{Accelerator, NetworkForm, PreparedNetwork, Workload};
use crate::metrics::Metrics;
use crate::run::{Experiment, Failure, evaluate_finite};
use crate::script::experiment::Script;
use crate::script::modules::{ScriptAccelerator, ScriptPart};
use crate::script::services::ScriptNetwork;
use crate::space::{Part, Point};
use crate::sweep::EachPair;

/// The pairs of an experiment, evaluated one by one.
pub struct ScriptPairs<'s> {
    script: &'s Script,
    kind: Kind,
}

enum Kind {
    /// Networks with known accuracies on an accelerator.
    On(Box<On>),
    /// The points of the space, each a network with a single configuration.
    Points,
}

struct On {
    networks: SweepNetworks,
    accelerator: ScriptAccelerator,
    configurations: Configurations,
    parts: (usize, usize),
}

/// The configurations of an accelerator: their options, and the values that a scripted one receives.
pub(super) struct Configurations {
    options: Vec<Vec<u16>>,
    values: Vec<Dynamic>,
}

impl Configurations {
    /// Lists the configurations of an accelerator whose space is `part`.
    ///
    /// Too many are an error, and so is one that is not legal in `own`, the part of the experiment.
    pub(super) fn of(
        accelerator: &ScriptAccelerator,
        part: &ScriptPart,
        own: &Part,
    ) -> Result<Self, SweepPairsError> {
        let count = part.domain.count();
        if count > MAX_CONFIGURATIONS {
            let accelerator = accelerator.name().to_owned();
            return Err(SweepPairsError::Configurations { accelerator, count });
        }
        let options: Vec<Vec<u16>> = (0..count).filter_map(|n| part.domain.nth(n)).collect();
        let other = options.iter().find_map(|options| own.domain.check(options).err());
        if let Some(illegal) = other {
            let (part, accelerator) = (own.name.clone(), accelerator.name().to_owned());
            return Err(SweepPairsError::OtherSpace { part, accelerator, illegal });
        }
        let seen = match accelerator {
            ScriptAccelerator::Scripted(_) => options.as_slice(),
            ScriptAccelerator::Native(_) => &[],
        };
        let values: Result<Vec<Dynamic>, String> =
            seen.iter().map(|options| (part.value)(options)).collect();
        Ok(Self { options, values: values.map_err(SweepPairsError::Value)? })
    }

    /// The number of configurations.
    pub(super) const fn len(&self) -> usize {
        self.options.len()
    }
}

impl<'s> ScriptPairs<'s> {
    /// Pairs networks with an accelerator, and records the use of the accelerator.
    pub(super) fn on(
        script: &'s Script,
        accelerator: ScriptAccelerator,
        configurations: Configurations,
        networks: SweepNetworks,
        parts: (usize, usize),
    ) -> Self {
        match &accelerator {
            ScriptAccelerator::Native(native) => script.services().used_accelerator(native.model()),
            ScriptAccelerator::Scripted(_) => script.services().used_scripted(accelerator.name()),
        }
        let on = On { networks, accelerator, configurations, parts };
        Self { script, kind: Kind::On(Box::new(on)) }
    }

    /// Takes every point of the space as a pair.
    pub(super) const fn points(script: &'s Script) -> Self {
        Self { script, kind: Kind::Points }
    }

    /// The networks with their accuracies; `None` where points are evaluated.
    pub fn with_accuracies(&self) -> Option<&SweepNetworks> {
        match &self.kind {
            Kind::On(on) => Some(&on.networks),
            Kind::Points => None,
        }
    }

    /// Returns the point of a pair.
    pub fn point(&self, network: u32, configuration: u32) -> Point {
        let space = self.script.space();
        match &self.kind {
            Kind::On(on) => {
                let network = space.with(
                    &space.zero_point(),
                    on.parts.0,
                    &on.networks.options(network as usize),
                );
                let options = &on.configurations.options[configuration as usize];
                space.with(&network, on.parts.1, options)
            }
            Kind::Points => space.nth(network.into()).unwrap_or_else(|| space.zero_point()),
        }
    }
}

impl EachPair for ScriptPairs<'_> {
    fn networks(&self) -> u64 {
        match &self.kind {
            Kind::On(on) => on.networks.accuracies().len() as u64,
            Kind::Points => {
                let count = self.script.space().count();
                count.and_then(|count| count.try_into().ok()).unwrap_or(u64::MAX)
            }
        }
    }

    fn configurations(&self) -> u64 {
        match &self.kind {
            Kind::On(on) => on.configurations.len() as u64,
            Kind::Points => 1,
        }
    }

    fn evaluate(&self, network: u32, tell: &mut dyn FnMut(u32, Result<Metrics, Failure>)) {
        match &self.kind {
            Kind::On(on) => on.evaluate(self.script, network, tell),
            Kind::Points => {
                let point = self.point(network, 0);
                tell(0, evaluate_finite(self.script, &point));
            }
        }
    }

    fn describe(&self, network: u32, configuration: u32) -> String {
        self.script.space().texts(&self.point(network, configuration)).join(" on ")
    }
}

impl On {
    fn evaluate(
        &self,
        script: &Script,
        network: u32,
        tell: &mut dyn FnMut(u32, Result<Metrics, Failure>),
    ) {
        let accuracy = self.networks.accuracies()[network as usize];
        let mut with_accuracy = |configuration: u32, costs: Result<Metrics, Failure>| {
            tell(
                configuration,
                costs.map(|mut metrics| {
                    metrics.insert("accuracy".to_owned(), accuracy);
                    metrics
                }),
            );
        };
        let number = network as usize;
        match &self.accelerator {
            ScriptAccelerator::Native(native) => {
                self.ask_native(native.model(), number, with_accuracy);
            }
            ScriptAccelerator::Scripted(scripted) => {
                let net = self.networks.network(number).map(ScriptNetwork::new);
                let net = net.map_err(Failure::of);
                for (value, configuration) in self.configurations.values.iter().zip(0..) {
                    let costs = net.clone().and_then(|net| {
                        let net = Dynamic::from(net);
                        let ask = || scripted.estimate(script.engine(), net, value.clone());
                        script.limited(ask).map_err(Failure::of)
                    });
                    with_accuracy(configuration, costs);
                }
            }
        }
    }

    /// Asks a native accelerator for the costs of a network on every configuration.
    fn ask_native(
        &self,
        model: &dyn Accelerator,
        number: usize,
        mut tell: impl FnMut(u32, Result<Metrics, Failure>),
    ) {
        let (key, net);
        let workload = match model.network_form() {
            NetworkForm::Key => {
                key = self.networks.key(number);
                Ok(Workload::Key(&key))
            }
            NetworkForm::Layers => {
                net = self.networks.network(number).map(PreparedNetwork::new).map_err(Failure::of);
                net.as_ref().map(Workload::Layers)
            }
        };
        for (options, configuration) in self.configurations.options.iter().zip(0..) {
            let costs = workload
                .map_err(Clone::clone)
                .and_then(|workload| model.estimate(workload, options).map_err(Failure::of));
            tell(configuration, costs);
        }
    }
}
