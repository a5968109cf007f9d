//! A sweep of every pair of an experiment's space, in a store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::change::{Change, one_line};
use super::error::SessionError;
use super::load::Loaded;
use crate::accel::chaidnn::{Batch, ChaidnnSpace, Platform};
use crate::accel::registry;
use crate::metrics::Metrics;
use crate::network::Family;
use crate::pareto::{Direction, Objective};
use crate::run::{Experiment, Failure, RunEnd, RunError};
use crate::script::{Accuracies, SweepNetworks, SweepPairs, SweepPlan};
use crate::space::nasbench101::Nasbench101Space;
use crate::space::nasbench201::Nasbench201Space;
use crate::space::{Point, Space};
use crate::store::{RunRecord, Store, SweepRecord};
use crate::sweep::{
    EachPair, EverySweep, FastSweep, JudgedPair, NamedObjective, OnChaidnn, SweepObjective,
    SweepProgress, SweepRunner, SweepSettings, Sweeping,
};
use crate::util::deep_stack::pool;

/// A sweep with its pairs, ready to run.
pub struct Sweep<'e> {
    plan: SweepPlan,
    pairs: SweepPairs<'e>,
    experiment: &'e Loaded,
}

/// The result of a sweep.
pub struct Swept {
    /// The way in which it ended.
    pub end: RunEnd,
    /// Its record.
    pub record: RunRecord,
    /// The number of classes of configurations with different latencies, if it is known.
    pub classes: Option<usize>,
}

/// The progress of a sweep in a store.
struct Course<'c> {
    store: &'c Store,
    record: RunRecord,
    stop: &'c AtomicBool,
    observer: &'c mut (dyn FnMut(SweepProgress) + Send),
}

impl<'e> Sweep<'e> {
    /// Evaluates the script's `sweep()` and loads the accuracies.
    ///
    /// `cache` is the folder of results that take long to compute.
    ///
    /// # Errors
    /// The script's `sweep()` fails or is wrong, a table is missing or damaged, or there are no pairs, or too
    /// many to be evaluated one by one.
    pub fn new(experiment: &'e Loaded, cache: Option<&Path>) -> Result<Self, SessionError> {
        let mut plan = experiment.script.sweep_plan()?;
        plan.top = experiment.settings.top.unwrap_or(plan.top);
        let pairs = experiment.script.sweep_pairs(&plan, cache)?;
        Ok(Self { plan, pairs, experiment })
    }

    /// Creates the record of a new sweep, which is not yet in the store ([`Store::create_run`]).
    ///
    /// # Errors
    /// As [`Loaded::record`].
    pub fn record(
        &self,
        store: &Store,
        forked_from: Option<String>,
    ) -> Result<RunRecord, SessionError> {
        let mut record = self.experiment.record(store, forked_from)?;
        self.describe(&mut record);
        Ok(record)
    }

    /// Checks that a stored sweep can be resumed: its data and models are the same.
    ///
    /// # Errors
    /// [`SessionError::Changed`], with the changes.
    pub fn resume(&self, record: &RunRecord) -> Result<(), SessionError> {
        match self.changes(record) {
            changes if changes.is_empty() => Ok(()),
            changes => Err(SessionError::Changed { run: record.name.clone(), changes }),
        }
    }

    fn networks(&self) -> Option<&SweepNetworks> {
        match &self.pairs {
            SweepPairs::OnChaidnn { networks, .. } => Some(networks),
            SweepPairs::OneByOne(pairs) => pairs.with_accuracies(),
        }
    }

    /// The versions and hashes of the data and models behind the numbers.
    fn data(&self) -> BTreeMap<String, String> {
        let mut data = registry::versions();
        if let SweepPairs::OneByOne(_) = self.pairs {
            data.extend(self.experiment.script.provenance().versions);
        }
        if let Some(networks) = self.networks() {
            let mut hasher = blake3::Hasher::new();
            for accuracy in networks.accuracies() {
                hasher.update(&accuracy.to_bits().to_le_bytes());
            }
            data.insert("accuracies".to_owned(), hasher.finalize().to_hex()[..16].to_owned());
        }
        data
    }

    /// The data and models that differ from those of a record. Those that only evaluations use are recorded,
    /// and compared, once an evaluation has used them.
    pub fn changes(&self, record: &RunRecord) -> Vec<Change> {
        let now = self.size();
        let before = record.sweep.as_ref().map(|sweep| (sweep.networks, sweep.configurations));
        // What is done is known by the numbers of networks.
        let renumbered = before.filter(|before| *before != now).map(|before| {
            let words = |(networks, configurations)| {
                format!("{networks} networks, {configurations} configurations")
            };
            Change {
                what: "the pairs".to_owned(),
                affects: "which of them are done".to_owned(),
                diff: one_line(&words(before), &words(now)),
            }
        });
        // A family that the record does not name was registered later, and gave it no numbers.
        let is_new = |what: &str| registry::find(what).is_some() && !record.data.contains_key(what);
        let changed = |(what, now): (String, String)| {
            let before = record.data.get(&what).map_or("none", String::as_str);
            (before != now && !is_new(&what)).then(|| Change {
                affects: "the metrics of every pair".to_owned(),
                diff: one_line(before, &now),
                what,
            })
        };
        renumbered.into_iter().chain(self.data().into_iter().filter_map(changed)).collect()
    }

    /// The numbers of networks and of configurations.
    pub fn size(&self) -> (u64, u64) {
        match &self.pairs {
            SweepPairs::OnChaidnn { networks, .. } => {
                let configurations = ChaidnnSpace::new().configurations().count();
                (networks.accuracies().len() as u64, configurations as u64)
            }
            SweepPairs::OneByOne(pairs) => (pairs.networks(), pairs.configurations()),
        }
    }

    /// Describes the sweep in a record: its data, objectives and numbers of pairs.
    pub fn describe(&self, record: &mut RunRecord) {
        let (networks, configurations) = self.size();
        let left_out = self.networks().map_or(0, SweepNetworks::left_out);
        record.data = self.data();
        record.origins = self.experiment.script.provenance().origins;
        if record.objectives.is_empty() {
            let objective =
                |metric: &str, direction| Objective { metric: metric.to_owned(), direction };
            record.objectives = vec![
                objective("accuracy", Direction::Max),
                objective("latency_ms", Direction::Min),
                objective("area_mm2", Direction::Min),
            ];
        }
        record.sweep = Some(SweepRecord {
            pairs: networks * configurations,
            networks,
            configurations,
            left_out,
            ..SweepRecord::default()
        });
    }

    /// Runs the sweep from the last checkpoint; `observer` receives its progress.
    ///
    /// # Errors
    /// A pair that is kept cannot be judged, or the store fails.
    pub fn run(
        &self,
        store: &Store,
        record: RunRecord,
        stop: &AtomicBool,
        observer: &mut (dyn FnMut(SweepProgress) + Send),
    ) -> Result<Swept, SessionError> {
        let threads = self.experiment.threads();
        let pool = pool(threads)
            .map_err(|source| SessionError::Run(RunError::Threads { threads, source }))?;
        let course = Course { store, record, stop, observer };
        pool.install(|| match &self.pairs {
            SweepPairs::OnChaidnn { networks, platform, parts } => match networks {
                SweepNetworks::Nasbench101(networks) => {
                    let space = Nasbench101Space::new();
                    let options =
                        |index: usize| space.options(networks.family.cells[index]).to_vec();
                    self.on_chaidnn(course, networks, *platform, (*parts, &options))
                }
                SweepNetworks::Nasbench201(networks) => {
                    let space = Nasbench201Space::new();
                    let options =
                        |index: usize| space.options(networks.family.cells[index]).to_vec();
                    self.on_chaidnn(course, networks, *platform, (*parts, &options))
                }
            },
            SweepPairs::OneByOne(pairs) => {
                let (plan, objectives) = (&self.plan, course.record.objectives.clone());
                let sweep = EverySweep::new(pairs, objectives, plan.goals.clone(), plan.top);
                let sweep = sweep.map_err(failed)?;
                let point = |network: u32, configuration: u32| pairs.point(network, configuration);
                self.in_store(course, &sweep, &point, None)
            }
        })
    }

    fn on_chaidnn<F: Family + Clone>(
        &self,
        course: Course<'_>,
        networks: &Accuracies<F>,
        platform: Platform,
        (parts, options): ((usize, usize), &(dyn Fn(usize) -> Vec<u16> + Sync)),
    ) -> Result<Swept, SessionError> {
        let hardware = ChaidnnSpace::new();
        let configurations: Vec<_> = hardware.configurations().collect();
        let hardware_options: Vec<Vec<u16>> =
            configurations.iter().map(|c| hardware.options(c).unwrap_or_default()).collect();
        let batch = Batch::new(&networks.family, configurations, &platform).map_err(failed)?;
        let (family, accuracies) = (networks.family.clone(), networks.accuracies.clone());
        let pairs = OnChaidnn { family, accuracies, batch };
        let goal = |wanted: &NamedObjective| SweepObjective::new(&wanted.name, &wanted.objective);
        let goals: Result<Vec<SweepObjective>, _> = self.plan.goals.iter().map(goal).collect();
        let settings = SweepSettings { goals: goals.map_err(failed)?, top: self.plan.top };
        let sweep = FastSweep::new(&pairs, settings).map_err(failed)?;

        let space: &Space = self.experiment.script.space();
        let zero_point = space.zero_point();
        let point = |network: u32, configuration: u32| {
            let network = space.with(&zero_point, parts.0, &options(network as usize));
            space.with(&network, parts.1, &hardware_options[configuration as usize])
        };
        self.in_store(course, &sweep, &point, Some(pairs.batch.classes().len()))
    }

    fn in_store<S: Sweeping>(
        &self,
        course: Course<'_>,
        sweep: &S,
        point: &(dyn Fn(u32, u32) -> Point + Sync),
        classes: Option<usize>,
    ) -> Result<Swept, SessionError> {
        let Course { store, record, stop, observer } = course;
        let runner = SweepRunner {
            sweep,
            space: self.experiment.script.space(),
            point,
            judge: &|point, metrics| judge(self.experiment, point, metrics),
            store,
            run: record,
            provenance: &|| self.experiment.script.provenance(),
            stop,
            observer,
        };
        let (end, record) = runner.run().map_err(SessionError::Run)?;
        store.sync()?;
        Ok(Swept { end, record, classes })
    }
}

fn failed(error: impl std::fmt::Display) -> SessionError {
    SessionError::Run(RunError::Sweep(error.to_string()))
}

/// Adds the script's own metrics of a pair, which must agree with the sweep's, and its reward.
fn judge(experiment: &Loaded, point: &Point, mut metrics: Metrics) -> Result<JudgedPair, Failure> {
    let script = &experiment.script;
    if script.defines("evaluate") {
        for (name, value) in script.evaluate(point)? {
            match metrics.get(&name) {
                Some(swept) if *swept != value => {
                    return Err(Failure::new(format!(
                        "evaluate() gives {name} {value}, and the sweep {swept}; sweep() must \
                         describe the same networks, accuracies and accelerator"
                    )));
                }
                _ => metrics.insert(name, value),
            };
        }
    }
    let reward = if script.defines("reward") {
        let reward = script.reward(&metrics)?;
        if !reward.value.is_finite() {
            return Err(Failure::new(format!("the reward is {}", reward.value)));
        }
        Some((reward.value, reward.valid))
    } else {
        None
    };
    Ok(JudgedPair { metrics, reward })
}
