//! What a script asks a sweep for.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::error::ScriptError;
use super::experiment::Script;
use super::host::Source;
use super::modules::{AccuracySource, Missing, ScriptAccelerator};
use super::settings::MOST_TOP;
use crate::accel::chaidnn::Platform;
use crate::accuracy::nasbench101::predictor::Predictor;
use crate::accuracy::nasbench201::Nasbench201Table;
use crate::network::{
    Nasbench101Family, Nasbench101Settings, Nasbench201Family, Nasbench201Settings,
};
use crate::pareto::Weighted;
use crate::pareto::sweep::Goal;
use crate::space::nasbench101::{CELL_COUNT, Catalogue, Cell101};
use crate::space::nasbench201::Cell201;
use crate::study::Experiment;

/// How many of the best pairs for each objective are kept where the script does not say.
const DEFAULT_TOP: usize = 100;

/// Objectives that get better only as accuracy, latency or area does.
const SWEPT: [&str; 4] = ["accuracy:max", "latency_ms:min", "area_mm2:min", "img_s_cm2:max"];

const HELP: &str = "see experiments/cifar10/sweep.rhai: sweep() returns `#{ networks: \
                    nasbench101::networks(), accuracy: accuracy::nasbench101(), accelerator: \
                    chaidnn::accelerator() }`, with `objectives` and `top` if they are wanted";

/// What `sweep()` returned.
#[derive(Clone, Debug)]
pub struct SweepPlan {
    networks: PlannedNetworks,
    accuracy: AccuracySource,
    /// The accelerator's technology.
    pub platform: Platform,
    /// The objectives whose best pairs are wanted, by name.
    pub goals: Vec<Goal>,
    /// How many of them.
    pub top: usize,
    /// The number of the part that chooses the network, and of the one that chooses the accelerator.
    pub parts: (usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum PlannedNetworks {
    Nasbench101(Nasbench101Settings),
    Nasbench201(Nasbench201Settings),
}

/// The networks of a sweep with their accuracies.
#[derive(Debug)]
pub struct Accuracies<F> {
    /// The networks.
    pub family: F,
    /// The accuracy of each, a fraction.
    pub accuracies: Vec<f64>,
    /// How many networks of the space are left out because the table does not have them.
    pub left_out: u64,
}

/// The networks of a sweep.
#[derive(Debug)]
pub enum SweepNetworks {
    /// Of NASBench-101 cells.
    Nasbench101(Accuracies<Nasbench101Family>),
    /// Of NAS-Bench-201 cells.
    Nasbench201(Accuracies<Nasbench201Family>),
}

impl Script {
    /// What the script asks a sweep for.
    ///
    /// # Errors
    /// The script defines no `sweep()`, it returns something else than it should, its space is not
    /// the product of the networks and the accelerator, or an objective cannot be swept.
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
        let networks = self.networks(take("networks"))?;
        let accuracy = self.needed::<AccuracySource>("accuracy", take("accuracy"))?;
        let ScriptAccelerator::Chaidnn(chaidnn) =
            self.needed("accelerator", take("accelerator"))?
        else {
            return Err(self.refuse("only chaidnn is swept", HELP));
        };
        let platform = chaidnn.platform;
        let goals = self.goals(take("objectives"))?;
        let top = match take("top").map(|value| (value.as_int(), value)) {
            None => DEFAULT_TOP,
            Some((Ok(top), _)) if (0..=MOST_TOP as i64).contains(&top) => top as usize,
            Some((_, value)) => {
                let message =
                    format!("`top` of sweep() is {value}; it must be from 0 to {MOST_TOP}");
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
        let suits = matches!(
            (networks, accuracy),
            (PlannedNetworks::Nasbench201(_), AccuracySource::Nasbench201(_))
                | (
                    PlannedNetworks::Nasbench101(_),
                    AccuracySource::Nasbench101(_) | AccuracySource::Predicted
                )
        );
        if !suits {
            let message =
                format!("`accuracy` of sweep() does not know the networks of {}", networks.kind());
            return Err(self.refuse("sweep", message, HELP));
        }
        self.check_frontier()?;
        let parts = self.product(networks.kind(), "chaidnn")?;
        Ok(SweepPlan { networks, accuracy, platform, goals, top, parts })
    }

    /// Refuses objectives whose frontier is not within that of accuracy, latency and area, which is what a
    /// sweep finds.
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

    fn goals(&self, value: Option<Dynamic>) -> Result<Vec<Goal>, ScriptError> {
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
            let goal = Goal::new(&name, &objective);
            goal.map_err(|error| {
                self.refuse("sweep", error.to_string(), "see `objectives` in sweep()")
            })
        };
        map.into_iter().map(goal).collect()
    }

    /// The parts of a space that is the product of networks and accelerators of some kinds.
    fn product(&self, networks: &str, accelerators: &str) -> Result<(usize, usize), ScriptError> {
        let parts = self.space().parts();
        let of = |kind: &str| parts.iter().position(|part| part.domain.kind() == kind);
        match (of(networks), of(accelerators)) {
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

    /// The networks of a plan with their accuracies.
    ///
    /// `cache` is the folder where what takes long to compute is kept.
    ///
    /// # Errors
    /// A table that is missing or damaged.
    pub fn sweep_networks(
        &self,
        plan: &SweepPlan,
        cache: Option<&std::path::Path>,
    ) -> Result<SweepNetworks, String> {
        let host = self.host();
        host.used(Source::Chaidnn);
        match (plan.networks, plan.accuracy) {
            (PlannedNetworks::Nasbench201(settings), AccuracySource::Nasbench201(dataset)) => {
                let table = Nasbench201Table::embedded().map_err(|error| error.to_string())?;
                host.used(Source::Nasbench201);
                let cells: Vec<Cell201> = Cell201::all().collect();
                let accuracies = cells.iter().map(|&cell| table.accuracy(cell, dataset)).collect();
                let family = Nasbench201Family { cells, settings };
                Ok(SweepNetworks::Nasbench201(Accuracies { family, accuracies, left_out: 0 }))
            }
            (PlannedNetworks::Nasbench101(settings), source) => {
                let table = match source {
                    AccuracySource::Nasbench101(Missing::Predict) => host.imported101()?,
                    AccuracySource::Nasbench101(Missing::Fail) => Some(host.nasbench101()?),
                    _ => None,
                };
                let (cells, accuracies): (Vec<Cell101>, Vec<f64>) = if let Some(table) = table {
                    host.used(Source::Nasbench101);
                    let known = |&cell: &Cell101| table.accuracy(&cell).map(|a| (cell, a));
                    table.cells().iter().filter_map(known).unzip()
                } else {
                    let predictor = Predictor::embedded().map_err(|error| error.to_string())?;
                    host.used(Source::Predicted101);
                    let cells: Vec<Cell101> =
                        Catalogue::load(cache).iter().map(|(_, cell)| cell).collect();
                    let accuracies = predictor.cached_accuracies(&cells, cache);
                    (cells, accuracies)
                };
                let left_out = CELL_COUNT.saturating_sub(cells.len()) as u64;
                let family = Nasbench101Family { cells, settings };
                Ok(SweepNetworks::Nasbench101(Accuracies { family, accuracies, left_out }))
            }
            (PlannedNetworks::Nasbench201(_), _) => {
                Err("the networks and the accuracies do not belong together".to_owned())
            }
        }
    }
}

impl PlannedNetworks {
    /// The kind of the part of a space that chooses among the networks.
    const fn kind(self) -> &'static str {
        match self {
            Self::Nasbench101(_) => "nasbench101",
            Self::Nasbench201(_) => "nasbench201",
        }
    }
}
