//! The sweeps that scripts describe.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use crate::accel::chaidnn::{Chaidnn, Platform};
use crate::accuracy::nasbench101::Nasbench101TableError;
use crate::network::{Nasbench101Settings, Nasbench201Settings};
use crate::pareto::Weighted;
use crate::run::Experiment;
use crate::script::error::ScriptError;
use crate::script::experiment::Script;
use crate::script::modules::{AccuracySource, Missing, ScriptAccelerator, ScriptPart};
use crate::script::services::Services;
use crate::script::settings::MAX_TOP;
use crate::space::{Domain, nasbench101, nasbench201};
use crate::sweep::{NamedObjective, SweepObjective};

/// The number of best pairs that are kept for each objective by default.
const DEFAULT_TOP: usize = 100;

/// The objectives of a sweep on CHaiDNN, which improve only if accuracy, latency or area does.
const SWEPT: [&str; 4] = ["accuracy:max", "latency_ms:min", "area_mm2:min", "img_s_cm2:max"];

const HELP: &str = "see experiments/cifar10/sweep.rhai: sweep() returns `#{ networks: \
                    nasbench101::networks(), accuracy: accuracy::nasbench101(), accelerator: \
                    chaidnn::accelerator() }`, with `objectives` and `top` if they are wanted; without \
                    networks, accuracy and accelerator every point of the space is evaluated";

/// The sweep that `sweep()` describes.
#[derive(Clone)]
pub struct SweepPlan {
    pub(super) planned: PlannedPairs,
    /// The objectives whose best pairs are kept, by name.
    pub goals: Vec<NamedObjective>,
    /// The number of best pairs that are kept for each objective.
    pub top: usize,
}

impl SweepPlan {
    /// Returns true if every pair is evaluated.
    pub const fn is_one_by_one(&self) -> bool {
        !matches!(self.planned, PlannedPairs::OnChaidnn { .. })
    }

    /// Returns true if every point of the space is evaluated by `evaluate(point)`.
    pub const fn is_of_points(&self) -> bool {
        matches!(self.planned, PlannedPairs::Points)
    }
}

/// The pairs of a sweep; `parts` are the indices of the parts that choose the network and the accelerator.
#[derive(Clone)]
pub(super) enum PlannedPairs {
    /// Networks on CHaiDNN.
    OnChaidnn { networks: PlannedAccuracies, platform: Platform, parts: (usize, usize) },
    /// Networks on any other accelerator, whose space is `part`.
    On {
        networks: PlannedAccuracies,
        accelerator: ScriptAccelerator,
        part: ScriptPart,
        parts: (usize, usize),
    },
    /// Every point of the space, evaluated by `evaluate(point)`.
    Points,
}

/// Networks, and the source of their accuracies.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedAccuracies {
    pub networks: PlannedNetworks,
    pub accuracy: AccuracySource,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PlannedNetworks {
    Nasbench101(Nasbench101Settings),
    Nasbench201(Nasbench201Settings),
}

impl Script {
    /// Returns the sweep that the script's `sweep()` describes.
    ///
    /// # Errors
    /// The script defines no `sweep()`, its result is wrong, the space is not the product of the networks and
    /// the accelerator, or an objective cannot be swept.
    pub fn sweep_plan(&self) -> Result<SweepPlan, ScriptError> {
        if !self.defines("sweep") {
            return Err(self.refuse("sweep", "the script defines no function `sweep()`", HELP));
        }
        let value = self.call("sweep")?;
        let mut map = value.try_cast_result::<Map>().map_err(|value| {
            let kind = self.kind_of(&value);
            self.refuse("sweep", format!("sweep() returned {kind}; it must return a map"), HELP)
        })?;
        let mut take = |name: &'static str| map.remove(name);
        let pairs = (take("networks"), take("accuracy"), take("accelerator"));
        let goals = self.goals(take("objectives"))?;
        let top = match take("top").map(|value| (value.as_int(), value)) {
            None => DEFAULT_TOP,
            Some((Ok(top), _)) if (0..=MAX_TOP as i64).contains(&top) => top as usize,
            Some((_, value)) => {
                let message =
                    format!("`top` of sweep() is {value}; it must be from 0 to {MAX_TOP}");
                return Err(self.refuse("sweep", message, HELP));
            }
        };
        if let Some(unknown) = map.keys().next() {
            let message = format!(
                "sweep() returned `{unknown}`; it takes networks, accuracy, accelerator, \
                 objectives, top"
            );
            return Err(self.refuse("sweep", message, HELP));
        }
        let planned = match pairs {
            (None, None, None) => self.points()?,
            (networks, accuracy, accelerator) => {
                let networks = self.networks(networks)?;
                let accuracy = self.needed::<AccuracySource>("accuracy", accuracy)?;
                let accelerator = self.needed("accelerator", accelerator)?;
                self.on(PlannedAccuracies::new(self, networks, accuracy)?, accelerator, &goals)?
            }
        };
        Ok(SweepPlan { planned, goals, top })
    }

    /// Plans a sweep of every point of the space.
    fn points(&self) -> Result<PlannedPairs, ScriptError> {
        self.require("evaluate")?;
        self.require_objectives()?;
        Ok(PlannedPairs::Points)
    }

    /// Plans a sweep of networks on an accelerator.
    fn on(
        &self,
        networks: PlannedAccuracies,
        accelerator: ScriptAccelerator,
        goals: &[NamedObjective],
    ) -> Result<PlannedPairs, ScriptError> {
        let kind = networks.networks.kind();
        // Only this family can dismiss most pairs unseen.
        if let Some(&Chaidnn { platform }) = accelerator.family() {
            for wanted in goals {
                SweepObjective::new(&wanted.name, &wanted.objective).map_err(|error| {
                    self.refuse("sweep", error.to_string(), "see `objectives` in sweep()")
                })?;
            }
            self.check_frontier()?;
            let parts = self.product(kind, "chaidnn", |domain| domain.kind() == "chaidnn")?;
            return Ok(PlannedPairs::OnChaidnn { networks, platform, parts });
        }
        self.require_objectives()?;
        let part = accelerator.part(self.engine()).map_err(|error| {
            let name = accelerator.name();
            self.refuse(
                "sweep",
                format!("the space of `{name}`: {error}"),
                "see `accelerator` in sweep()",
            )
        })?;
        let same = |domain: &dyn Domain| {
            domain.choices() == part.domain.choices() && domain.count() == part.domain.count()
        };
        let parts = self.product(kind, accelerator.name(), same)?;
        Ok(PlannedPairs::On { networks, accelerator, part, parts })
    }

    /// Refuses a sweep without objectives, which define its frontier.
    fn require_objectives(&self) -> Result<(), ScriptError> {
        if self.objectives().is_empty() {
            let help =
                "write for example `fn objectives() { [\"accuracy:max\", \"latency_ms:min\"] }`";
            return Err(self.refuse(
                "sweep",
                "a sweep of this accelerator needs objectives()",
                help,
            ));
        }
        Ok(())
    }

    /// Refuses objectives whose frontier is not within that of accuracy, latency and area, the one found.
    fn check_frontier(&self) -> Result<(), ScriptError> {
        for objective in self.objectives() {
            let fits = SWEPT.iter().any(|swept| *swept == objective.to_string());
            if !fits {
                let message = format!(
                    "objectives() names `{objective}`, of which a sweep does not find the frontier; it \
                     finds that of {}",
                    SWEPT.join(", ")
                );
                return Err(self.refuse("objectives", message, "a sweep is exact for these only"));
            }
        }
        Ok(())
    }

    fn needed<T: Clone + Send + Sync + 'static>(
        &self,
        name: &str,
        value: Option<Dynamic>,
    ) -> Result<T, ScriptError> {
        let Some(value) = value else {
            return Err(self.refuse("sweep", format!("sweep() returned no `{name}`"), HELP));
        };
        let kind = self.kind_of(&value);
        let wrong = || self.refuse("sweep", format!("`{name}` of sweep() is {kind}"), HELP);
        value.try_cast::<T>().ok_or_else(wrong)
    }

    fn networks(&self, value: Option<Dynamic>) -> Result<PlannedNetworks, ScriptError> {
        let of_201 = |value: &Dynamic| value.clone().try_cast::<Nasbench201Settings>();
        if let Some(settings) = value.as_ref().and_then(of_201) {
            return Ok(PlannedNetworks::Nasbench201(settings));
        }
        self.needed("networks", value).map(PlannedNetworks::Nasbench101)
    }

    fn goals(&self, value: Option<Dynamic>) -> Result<Vec<NamedObjective>, ScriptError> {
        let Some(value) = value else { return Ok(Vec::new()) };
        let kind = self.kind_of(&value);
        let map = value.try_cast::<Map>().ok_or_else(|| {
            let message = format!("`objectives` of sweep() is {kind}, not a map of objectives");
            self.refuse("sweep", message, HELP)
        })?;
        let goal = |(name, value): (rhai::Identifier, Dynamic)| {
            let kind = self.kind_of(&value);
            let objective = value.try_cast::<Arc<Weighted>>().ok_or_else(|| {
                let message = format!("objective `{name}` of sweep() is {kind}");
                self.refuse("sweep", message, "write `objective::weighted(#{ accuracy: 1.0 })`")
            })?;
            Ok(NamedObjective { name: name.to_string(), objective: objective.as_ref().clone() })
        };
        map.into_iter().map(goal).collect()
    }

    /// Returns the indices of the two parts of a space that is the product of networks and an accelerator.
    fn product(
        &self,
        networks: &str,
        accelerators: &str,
        is_accelerator: impl Fn(&dyn Domain) -> bool,
    ) -> Result<(usize, usize), ScriptError> {
        let parts = self.space().parts();
        let network = parts.iter().position(|part| part.domain.kind() == networks);
        let accelerator = parts.iter().position(|part| is_accelerator(part.domain.as_ref()));
        match (network, accelerator) {
            (Some(network), Some(accelerator)) if parts.len() == 2 => Ok((network, accelerator)),
            _ => {
                let have: Vec<String> = parts
                    .iter()
                    .map(|part| format!("`{}` ({})", part.name, part.domain.kind()))
                    .collect();
                let message = format!(
                    "the space is not the product that sweep() describes, a part of {networks} and \
                     one of {accelerators}: it has {}",
                    have.join(", ")
                );
                Err(self.refuse("space", message, HELP))
            }
        }
    }
}

impl PlannedAccuracies {
    /// Combines networks with their accuracies; accuracies of other networks are an error.
    fn new(
        script: &Script,
        networks: PlannedNetworks,
        accuracy: AccuracySource,
    ) -> Result<Self, ScriptError> {
        let suits = matches!(
            (networks, accuracy),
            (PlannedNetworks::Nasbench201(_), AccuracySource::Nasbench201(_))
                | (
                    PlannedNetworks::Nasbench101(_),
                    AccuracySource::Nasbench101(_) | AccuracySource::Predicted
                )
        );
        if suits {
            return Ok(Self { networks, accuracy });
        }
        let message =
            format!("`accuracy` of sweep() does not know the networks of {}", networks.kind());
        Err(script.refuse("sweep", message, HELP))
    }

    /// Returns a lower bound of the number of networks, before their accuracies are computed.
    pub(super) fn at_least(&self, services: &Services) -> Result<u64, Nasbench101TableError> {
        let count = match (self.networks, self.accuracy) {
            (PlannedNetworks::Nasbench201(_), _) => nasbench201::CELL_COUNT,
            (_, AccuracySource::Nasbench101(Missing::Fail)) => 1,
            (_, AccuracySource::Nasbench101(Missing::Predict))
                if services.imported101()?.is_some() =>
            {
                1
            }
            _ => nasbench101::CELL_COUNT,
        };
        Ok(count as u64)
    }
}

impl PlannedNetworks {
    /// Returns the kind of the part of a space that chooses among the networks.
    const fn kind(self) -> &'static str {
        match self {
            Self::Nasbench101(_) => "nasbench101",
            Self::Nasbench201(_) => "nasbench201",
        }
    }
}
