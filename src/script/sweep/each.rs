//! Pairs that are evaluated one by one: on scripted accelerators, measured devices, or by evaluate(point).

use rhai::Dynamic;

use super::networks::SweepNetworks;
use crate::accel::table::Devices;
use crate::accel::{Accelerator, Metrics};
use crate::pareto::sweep::EachPair;
use crate::script::experiment::Script;
use crate::script::host::ScriptNetwork;
use crate::script::modules::{Running, ScriptAccelerator, ScriptPart};
use crate::space::{Domain, Point};
use crate::study::{Experiment, evaluate_finite};

/// The most combinations of an accelerator's options that are looked through for legal ones.
const MOST_COMBINATIONS: u64 = 1_000_000;

/// The pairs of an experiment, evaluated one by one.
pub struct ScriptPairs<'s> {
    script: &'s Script,
    kind: Kind,
}

enum Kind {
    /// Networks with known accuracies on an accelerator.
    On(Box<On>),
    /// The points of the space: each combination of options is a network, an illegal one has no pair.
    Points { sizes: Vec<usize> },
}

struct On {
    networks: SweepNetworks,
    accelerator: ScriptAccelerator,
    /// The legal combinations of the accelerator's options, and their values.
    options: Vec<Vec<u16>>,
    values: Vec<Dynamic>,
    parts: (usize, usize),
}

impl<'s> ScriptPairs<'s> {
    /// Networks on an accelerator whose space is `part`.
    pub(super) fn on(
        script: &'s Script,
        accelerator: ScriptAccelerator,
        part: &ScriptPart,
        networks: SweepNetworks,
        parts: (usize, usize),
    ) -> Result<Self, String> {
        let options = legal(part.domain.as_ref()).map_err(|count| {
            format!("`{}` has {count} configurations or more", accelerator.name())
        })?;
        let values: Result<Vec<Dynamic>, String> =
            options.iter().map(|options| (part.value)(options)).collect();
        match &accelerator {
            ScriptAccelerator::Table(devices) => script.host().used_devices(devices),
            other => script.host().used_scripted(other.name()),
        }
        let on = On { networks, accelerator, options, values: values?, parts };
        Ok(Self { script, kind: Kind::On(Box::new(on)) })
    }

    /// Every point of the space.
    pub(super) fn points(script: &'s Script) -> Self {
        let sizes = script.space().choices().map(|(_, choice)| choice.options.len()).collect();
        Self { script, kind: Kind::Points { sizes } }
    }

    /// The networks with their accuracies; `None` where points are evaluated.
    pub fn with_accuracies(&self) -> Option<&SweepNetworks> {
        match &self.kind {
            Kind::On(on) => Some(&on.networks),
            Kind::Points { .. } => None,
        }
    }

    /// How many pairs there are.
    pub fn count(&self) -> u64 {
        match &self.kind {
            Kind::On(_) => self.networks() * self.configurations(),
            Kind::Points { .. } => {
                let count = self.script.space().count();
                count.and_then(|count| count.try_into().ok()).unwrap_or(u64::MAX)
            }
        }
    }

    /// The point of a pair.
    pub fn point(&self, network: u32, configuration: u32) -> Point {
        let space = self.script.space();
        match &self.kind {
            Kind::On(on) => {
                let blank = Point(vec![0; space.choices().count()]);
                let network =
                    space.with(&blank, on.parts.0, &on.networks.options(network as usize));
                space.with(&network, on.parts.1, &on.options[configuration as usize])
            }
            Kind::Points { sizes } => Point(combination(sizes, u64::from(network))),
        }
    }
}

impl EachPair for ScriptPairs<'_> {
    fn networks(&self) -> u64 {
        match &self.kind {
            Kind::On(on) => on.networks.accuracies().len() as u64,
            Kind::Points { sizes } => combinations(sizes),
        }
    }

    fn configurations(&self) -> u64 {
        match &self.kind {
            Kind::On(on) => on.options.len() as u64,
            Kind::Points { .. } => 1,
        }
    }

    fn evaluate(&self, network: u32, tell: &mut dyn FnMut(u32, Result<Metrics, String>)) {
        match &self.kind {
            Kind::On(on) => on.evaluate(self.script, network, tell),
            Kind::Points { .. } => {
                let point = self.point(network, 0);
                if self.script.space().check(&point).is_ok() {
                    tell(0, evaluate_finite(self.script, &point).map_err(|failure| failure.0));
                }
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
        tell: &mut dyn FnMut(u32, Result<Metrics, String>),
    ) {
        let accuracy = self.networks.accuracies()[network as usize];
        let mut with_accuracy = |configuration: u32, costs: Result<Metrics, String>| {
            tell(
                configuration,
                costs.map(|mut metrics| {
                    metrics.insert("accuracy".to_owned(), accuracy);
                    metrics
                }),
            );
        };
        if let ScriptAccelerator::Table(devices) = &self.accelerator {
            let key = self.networks.key(network as usize);
            for (value, configuration) in self.values.iter().zip(0..) {
                with_accuracy(configuration, look_up(devices, &key, value));
            }
            return;
        }
        let net = self.networks.network(network as usize).map(ScriptNetwork::new);
        for (value, configuration) in self.values.iter().zip(0..) {
            let costs = net.clone().and_then(|net| self.ask(script, net, value));
            with_accuracy(configuration, costs);
        }
    }

    /// Asks the script's own function.
    fn ask(&self, script: &Script, net: ScriptNetwork, value: &Dynamic) -> Result<Metrics, String> {
        let ScriptAccelerator::Scripted(accelerator) = &self.accelerator else {
            return Err(format!("`{}` is not evaluated pair by pair", self.accelerator.name()));
        };
        let running = Running { accelerator, engine: script.engine() };
        let costs = script.limited(|| running.estimate(&Dynamic::from(net), value));
        costs.map_err(|diagnostic| diagnostic.to_string())
    }
}

fn look_up(devices: &Devices, key: &str, device: &Dynamic) -> Result<Metrics, String> {
    let device = device.clone().into_immutable_string()?;
    devices.estimate(key, &device).map_err(|error| error.to_string())
}

/// The legal combinations of a part, the last choice changing fastest; their count if there are too many.
fn legal(domain: &dyn Domain) -> Result<Vec<Vec<u16>>, u64> {
    let sizes: Vec<usize> = domain.choices().iter().map(|choice| choice.options.len()).collect();
    let count = combinations(&sizes);
    if count > MOST_COMBINATIONS {
        return Err(MOST_COMBINATIONS);
    }
    let all = (0..count).map(|index| combination(&sizes, index));
    Ok(all.filter(|options| domain.check(options).is_ok()).collect())
}

/// How many combinations of options there are, legal or not; at most what 64 bits count.
fn combinations(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |product: u64, &size| product.saturating_mul(size as u64))
}

/// The combination of a number, the last choice changing fastest.
fn combination(sizes: &[usize], index: u64) -> Vec<u16> {
    let mut options = vec![0; sizes.len()];
    let mut rest = index;
    for (option, &size) in options.iter_mut().zip(sizes).rev() {
        *option = (rest % size as u64) as u16;
        rest /= size as u64;
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Value;

    #[test]
    fn combinations_are_numbered_without_gaps() {
        let sizes = [2, 3, 1, 4];
        assert_eq!(combinations(&sizes), 24);
        let all: Vec<Vec<u16>> = (0..24).map(|index| combination(&sizes, index)).collect();
        assert_eq!(all[0], [0, 0, 0, 0]);
        assert_eq!(all[23], [1, 2, 0, 3]);
        assert!(all.is_sorted_by(|a, b| a < b));
        assert_eq!(combinations(&[usize::MAX, 2]), u64::MAX);
        let listed = crate::space::Options::new((0..5).map(Value::Int).collect());
        assert_eq!(legal(&listed), Ok((0..5).map(|option| vec![option]).collect()));
    }
}
