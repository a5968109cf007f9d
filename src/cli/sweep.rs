//! `tandem sweep`: every pair of a space.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::context::{Common, ExperimentArgs, Loaded, cache_dir};
use super::drift::{Change, one_line};
use super::error::CliError;
use super::run::{listen, models, record};
use super::{summary, sweep_summary};
use tandem::accel::chaidnn::{Batch, ChaidnnSpace, Platform};
use tandem::metrics::Metrics;
use tandem::network::Family;
use tandem::note;
use tandem::pareto::{Direction, Objective};
use tandem::report::SweepBar;
use tandem::run::{End, Experiment, Failure, StudyError};
use tandem::script::{Accuracies, SweepNetworks, SweepPairs, SweepPlan};
use tandem::space::nasbench101::Nasbench101Space;
use tandem::space::nasbench201::Nasbench201Space;
use tandem::space::{Point, Space};
use tandem::store::{RunRecord, Store, SweepRecord};
use tandem::sweep::{
    EachPair, EverySweep, Goal, Judged, OnChaidnn, Settings, Sweep, SweepStudy, Sweeping, Wanted,
};
use tandem::util::deep_stack::pool;

/// Evaluates every pair of an experiment's space: the exact frontier, the best pairs for each
/// objective that its sweep() names, and counts.
///
/// The result is stored like a run: the frontier and the best pairs are its trials.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// How many of the best pairs for each objective are kept.
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let mut set = args.experiment.set.clone();
    set.extend(args.top.map(|top| format!("top={top}")));
    let loaded = common.load(&args.experiment.file, &set)?;
    let prepared = Prepared::new(&loaded)?;
    let store = common.store()?;
    let mut record = record(&loaded, &store, &args.experiment.file, None)?;
    prepared.describe(&mut record);
    let record = store.create_run(record)?;
    carry_on(common, &prepared, &store, record)
}

/// The pairs of an experiment's plan.
pub fn pairs<'l>(loaded: &'l Loaded, plan: &SweepPlan) -> Result<SweepPairs<'l>, CliError> {
    let pairs = loaded.script.sweep_pairs(plan, cache_dir().as_deref());
    pairs.map_err(|reason| CliError::Experiment { rendered: format!("error: {reason}") })
}

/// A sweep with its pairs at hand.
pub struct Prepared<'l> {
    plan: SweepPlan,
    pairs: SweepPairs<'l>,
    loaded: &'l Loaded,
}

impl<'l> Prepared<'l> {
    /// Reads what the script asks for and gets the accuracies.
    pub fn new(loaded: &'l Loaded) -> Result<Self, CliError> {
        let mut plan = loaded.script.sweep_plan()?;
        plan.top = loaded.settings.top.unwrap_or(plan.top);
        let pairs = pairs(loaded, &plan)?;
        Ok(Self { plan, pairs, loaded })
    }

    fn networks(&self) -> Option<&SweepNetworks> {
        match &self.pairs {
            SweepPairs::OnChaidnn { networks, .. } => Some(networks),
            SweepPairs::OneByOne(pairs) => pairs.with_accuracies(),
        }
    }

    /// The versions and hashes of what the numbers come from.
    fn data(&self) -> BTreeMap<String, String> {
        let mut data = models();
        if let SweepPairs::OneByOne(_) = self.pairs {
            data.extend(self.loaded.script.origins().versions);
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

    /// The data and models that are not those of a record. What only evaluations use is known, and compared,
    /// once one of them has used it.
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
        let changed = |(what, now): (String, String)| {
            let before = record.data.get(&what).map_or("none", String::as_str);
            (before != now).then(|| Change {
                affects: "the metrics of every pair".to_owned(),
                diff: one_line(before, &now),
                what,
            })
        };
        renumbered.into_iter().chain(self.data().into_iter().filter_map(changed)).collect()
    }

    /// The numbers of networks and of configurations.
    fn size(&self) -> (u64, u64) {
        match &self.pairs {
            SweepPairs::OnChaidnn { networks, .. } => {
                let configurations = ChaidnnSpace::new().configurations().count();
                (networks.accuracies().len() as u64, configurations as u64)
            }
            SweepPairs::OneByOne(pairs) => (pairs.networks(), pairs.configurations()),
        }
    }

    /// Notes in a record what the sweep is about.
    pub fn describe(&self, record: &mut RunRecord) {
        let (networks, configurations) = self.size();
        let left_out = self.networks().map_or(0, SweepNetworks::left_out);
        record.data = self.data();
        record.origins = summary::origins(self.loaded);
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
}

/// Sweeps from where the last checkpoint is, then prints the summary.
pub fn carry_on(
    common: &Common,
    prepared: &Prepared<'_>,
    store: &Store,
    record: RunRecord,
) -> Result<ExitCode, CliError> {
    summary::print_name(common, &record.name)?;
    let name = record.name.clone();
    let stop = Arc::new(AtomicBool::new(false));
    listen(&stop);
    let Swept { end, record, classes } = prepared.sweep(store, record, &stop)?;
    match end {
        End::Finished => {
            sweep_summary::print(common, store, &record, classes)?;
            Ok(ExitCode::SUCCESS)
        }
        End::Interrupted => {
            let record = record.sweep.unwrap_or_default();
            note!(
                "interrupted after {} of {} networks; `tandem resume {name}` goes on",
                record.done,
                record.networks
            );
            Ok(ExitCode::from(130))
        }
    }
}

/// How far a sweep came.
pub struct Swept {
    /// Whether it came to its end.
    pub end: End,
    /// Its record.
    pub record: RunRecord,
    /// Configurations that have latencies of their own, where that is known.
    pub classes: Option<usize>,
}

impl Prepared<'_> {
    /// Sweeps from where the last checkpoint is.
    pub fn sweep(
        &self,
        store: &Store,
        record: RunRecord,
        stop: &AtomicBool,
    ) -> Result<Swept, CliError> {
        let threads = self.loaded.threads();
        let pool = pool(threads)
            .map_err(|source| CliError::Study(StudyError::Threads { threads, source }))?;
        let (store, plan) = ((store, stop), &self.plan);
        pool.install(|| match &self.pairs {
            SweepPairs::OnChaidnn { networks, platform, parts } => match networks {
                SweepNetworks::Nasbench101(networks) => {
                    let space = Nasbench101Space::new();
                    let options =
                        |index: usize| space.options(networks.family.cells[index]).to_vec();
                    self.on_chaidnn(store, record, networks, *platform, (*parts, &options))
                }
                SweepNetworks::Nasbench201(networks) => {
                    let space = Nasbench201Space::new();
                    let options =
                        |index: usize| space.options(networks.family.cells[index]).to_vec();
                    self.on_chaidnn(store, record, networks, *platform, (*parts, &options))
                }
            },
            SweepPairs::OneByOne(pairs) => {
                let (objectives, goals) = (record.objectives.clone(), plan.goals.clone());
                let sweep = EverySweep::new(pairs, objectives, goals, plan.top).map_err(failed)?;
                let point = |network: u32, configuration: u32| pairs.point(network, configuration);
                self.study(store, record, &sweep, &point, None)
            }
        })
    }

    fn on_chaidnn<F: Family + Clone>(
        &self,
        store: (&Store, &AtomicBool),
        record: RunRecord,
        networks: &Accuracies<F>,
        platform: Platform,
        (parts, options): ((usize, usize), &(dyn Fn(usize) -> Vec<u16> + Sync)),
    ) -> Result<Swept, CliError> {
        let hardware = ChaidnnSpace::new();
        let configurations: Vec<_> = hardware.configurations().collect();
        let hardware_options: Vec<Vec<u16>> =
            configurations.iter().map(|c| hardware.options(c).unwrap_or_default()).collect();
        let batch = Batch::new(&networks.family, configurations, &platform).map_err(failed)?;
        let (family, accuracies) = (networks.family.clone(), networks.accuracies.clone());
        let pairs = OnChaidnn { family, accuracies, batch };
        let goal = |wanted: &Wanted| Goal::new(&wanted.name, &wanted.objective);
        let goals: Result<Vec<Goal>, _> = self.plan.goals.iter().map(goal).collect();
        let settings = Settings { goals: goals.map_err(failed)?, top: self.plan.top };
        let sweep = Sweep::new(&pairs, settings).map_err(failed)?;

        let space: &Space = self.loaded.script.space();
        let blank = space.blank();
        let point = |network: u32, configuration: u32| {
            let network = space.with(&blank, parts.0, &options(network as usize));
            space.with(&network, parts.1, &hardware_options[configuration as usize])
        };
        self.study(store, record, &sweep, &point, Some(pairs.batch.classes().len()))
    }

    /// Sweeps in the store.
    fn study<S: Sweeping>(
        &self,
        (store, stop): (&Store, &AtomicBool),
        record: RunRecord,
        sweep: &S,
        point: &(dyn Fn(u32, u32) -> Point + Sync),
        classes: Option<usize>,
    ) -> Result<Swept, CliError> {
        let mut bar = SweepBar::new(
            sweep.networks(),
            sweep.configurations(),
            record.sweep.as_ref().map_or(0, |sweep| sweep.done),
        );
        let study = SweepStudy {
            sweep,
            space: self.loaded.script.space(),
            point,
            judge: &|point, metrics| judge(self.loaded, point, metrics),
            store,
            run: record,
            origins: &|| self.loaded.script.origins(),
            stop,
            observer: &mut |progress| bar.observe(&progress),
        };
        let ended = study.run();
        drop(bar);
        let (end, record) = ended.map_err(CliError::Study)?;
        store.sync()?;
        Ok(Swept { end, record, classes })
    }
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Study(StudyError::Sweep(error.to_string()))
}

/// What the script says of a pair: its own metrics, which must agree with the sweep's, and reward.
fn judge(loaded: &Loaded, point: &Point, mut metrics: Metrics) -> Result<Judged, Failure> {
    let script = &loaded.script;
    if script.defines("evaluate") {
        for (name, value) in script.evaluate(point)? {
            match metrics.get(&name) {
                Some(swept) if *swept != value => {
                    return Err(Failure(format!(
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
            return Err(Failure(format!("the reward is {}", reward.value)));
        }
        Some((reward.value, reward.valid))
    } else {
        None
    };
    Ok(Judged { metrics, reward })
}

/// Goes on with an interrupted sweep.
pub fn resume(
    common: &Common,
    loaded: &Loaded,
    store: &Store,
    record: RunRecord,
) -> Result<ExitCode, CliError> {
    let prepared = Prepared::new(loaded)?;
    let changes = prepared.changes(&record);
    if !changes.is_empty() {
        return Err(CliError::Changed { run: record.name.clone(), changes });
    }
    carry_on(common, &prepared, store, record)
}

/// Starts a sweep of the experiment as it is now.
pub fn fork(
    common: &Common,
    loaded: &Loaded,
    store: &Store,
    file: &Path,
    from: String,
) -> Result<ExitCode, CliError> {
    let prepared = Prepared::new(loaded)?;
    let mut record = record(loaded, store, file, Some(from))?;
    prepared.describe(&mut record);
    let record = store.create_run(record)?;
    carry_on(common, &prepared, store, record)
}
