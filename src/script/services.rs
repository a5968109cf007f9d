//! The state shared by native functions: tables, caches of networks, and the provenance of numbers.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use crate::accel::registry::{families, family_of};
use crate::accel::table::{Devices, MeasuredTable, MeasuredTableError, NotMeasured};
use crate::accel::{Accelerator, Breakdown, EstimateCache, PreparedNetwork};
use crate::accuracy::nasbench101::predictor::{Predictor, PredictorError};
use crate::accuracy::nasbench101::{Nasbench101Table, Nasbench101TableError};
use crate::accuracy::nasbench201::Nasbench201Table;
use crate::accuracy::training_cache::Trainer;
use crate::metrics::{Origin, Trust};
use crate::network::{Nasbench101Settings, Nasbench201Settings, Network, NetworkError};
use crate::run::{Failure, Provenance};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;
use crate::store::Reused;

/// The most networks of one kind that are cached; one more empties the cache.
const NETWORKS: usize = 2_048;

/// The most layers of the cached networks of one kind, each of some hundred bytes.
const LAYERS: usize = 1 << 18;

/// A source of accuracies that scripts can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded NAS-Bench-201 table.
    Nasbench201,
    /// The imported NASBench-101 table.
    Nasbench101,
    /// The embedded predictor of NASBench-101 accuracies.
    Predicted101,
    /// Training runs of this program.
    Trained,
}

impl Source {
    const ALL: [Self; 4] =
        [Self::Nasbench201, Self::Nasbench101, Self::Predicted101, Self::Trained];

    /// The origin of its accuracies: a description, and how far they can be trusted.
    pub fn origin(self) -> Origin {
        let (source, trust) = match self {
            Self::Nasbench201 => (
                "accuracy: NAS-Bench-201, validation accuracy, mean of up to 3 trainings",
                Trust::Measured,
            ),
            Self::Nasbench101 => (
                "accuracy: NASBench-101, test accuracy after 108 epochs, mean of 3 trainings",
                Trust::Measured,
            ),
            Self::Predicted101 => (
                "accuracy: predictor trained on 10 % of NASBench-101 (Kendall tau in \
                 docs/predictor.md)",
                Trust::Predicted,
            ),
            Self::Trained => (
                "accuracy: trained here, on images held out where the script holds some out, else on \
                 the test images",
                Trust::Measured,
            ),
        };
        Origin::new(trust, source)
    }
}

/// A network of a script, prepared once for all accelerators and configurations.
#[derive(Clone)]
pub(super) struct ScriptNetwork(Arc<Prepared>);

struct Prepared {
    network: PreparedNetwork,
    parameters: u64,
    macs: u64,
}

impl ScriptNetwork {
    /// Wraps a network.
    pub(super) fn new(network: Network) -> Self {
        let (parameters, macs) = (network.parameters(), network.macs());
        let network = PreparedNetwork::new(network);
        Self(Arc::new(Prepared { network, parameters, macs }))
    }

    /// The network itself.
    pub(super) fn network(&self) -> &Network {
        self.0.network.network()
    }

    /// The network in the form that accelerators take.
    pub(super) fn prepared(&self) -> &PreparedNetwork {
        &self.0.network
    }

    /// The number of trainable parameters.
    pub(super) fn parameters(&self) -> u64 {
        self.0.parameters
    }

    /// The number of multiply-accumulates for one image.
    pub(super) fn macs(&self) -> u64 {
        self.0.macs
    }
}

/// An estimate that a script asked for, with its breakdown.
#[derive(Clone)]
pub struct Traced {
    /// The accelerator's name.
    pub accelerator: String,
    /// The costs of each layer and part, or the reason that there is no breakdown.
    pub breakdown: Result<Breakdown, Failure>,
    pub(super) network: Option<ScriptNetwork>,
}

impl Traced {
    /// The network that was estimated; `None` where it was only looked up in a table.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref().map(ScriptNetwork::network)
    }
}

/// A scripted accelerator or a table of measurements that gave numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    origin: Origin,
    /// The version of the data; `None` for an accelerator that the script defines.
    version: Option<String>,
}

thread_local! {
    /// The cached results that this thread's evaluation used: an evaluation never changes threads.
    static REUSED: Cell<Reused> = const { Cell::new(Reused::NOTHING) };
}

/// The devices of a table that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevicesError {
    /// There is no such table, or it cannot be read.
    #[error(transparent)]
    Table(#[from] MeasuredTableError),
    /// The table has no such devices.
    #[error(transparent)]
    NotMeasured(#[from] NotMeasured),
}

/// The state that the native functions of one experiment share.
pub struct Services {
    data: PathBuf,
    table101: OnceLock<Result<Option<Nasbench101Table>, Nasbench101TableError>>,
    networks101: Networks<(Cell101, Nasbench101Settings)>,
    networks201: Networks<(Cell201, Nasbench201Settings)>,
    used: [AtomicBool; Source::ALL.len()],
    /// True for each family of native accelerators that gave numbers.
    families: Box<[AtomicBool]>,
    /// The scripted accelerators and tables that gave numbers, by kind and name.
    named: Mutex<BTreeMap<String, Named>>,
    tables: Mutex<Tables>,
    /// True while estimates are recorded in `traced`.
    tracing: AtomicBool,
    traced: Mutex<Vec<Traced>>,
    trainer: Trainer,
    estimates: EstimateCache,
    unusable: AtomicBool,
    /// The version of each source, once it is known.
    versions: [OnceLock<String>; Source::ALL.len()],
}

/// The tables that were opened, and the devices of their groups.
#[derive(Default)]
struct Tables {
    opened: HashMap<String, Arc<MeasuredTable>>,
    devices: HashMap<(String, Option<String>), Arc<Devices>>,
}

type Networks<K> = Mutex<Remembered<K>>;

/// A cache of networks that were built.
struct Remembered<K> {
    networks: FxHashMap<K, ScriptNetwork>,
    /// The number of layers of all of them.
    layers: usize,
}

impl<K> Default for Remembered<K> {
    fn default() -> Self {
        Self { networks: FxHashMap::default(), layers: 0 }
    }
}

impl Services {
    /// Creates a services that reads tables and images from the folder `data` and trains on `threads` threads.
    pub(crate) fn new(data: PathBuf, threads: usize) -> Self {
        Self {
            trainer: Trainer::new(data.clone(), threads),
            estimates: EstimateCache::default(),
            data,
            table101: OnceLock::new(),
            networks101: Mutex::default(),
            networks201: Mutex::default(),
            used: Default::default(),
            families: families().iter().map(|_| AtomicBool::new(false)).collect(),
            named: Mutex::default(),
            tables: Mutex::default(),
            tracing: AtomicBool::new(false),
            traced: Mutex::default(),
            unusable: AtomicBool::new(false),
            versions: Default::default(),
        }
    }

    /// Records that something that every point needs is missing or broken.
    pub(super) fn unusable(&self) {
        self.unusable.store(true, Ordering::Relaxed);
    }

    /// Returns true if something that every point needs is missing or broken.
    pub(super) fn is_unusable(&self) -> bool {
        self.unusable.load(Ordering::Relaxed)
    }

    /// Returns the provenance of the numbers so far.
    pub fn provenance(&self) -> Provenance {
        let mut known = Provenance::default();
        for source in self.sources() {
            known.origins.push(source.origin());
            match source {
                Source::Trained => known.versions.extend(self.trainer.digests()),
                _ => known.versions.extend(self.version(source)),
            }
        }
        for (family, used) in families().iter().zip(&self.families) {
            if used.load(Ordering::Relaxed) {
                known.origins.push(family.origin());
                known.versions.insert(family.id().to_owned(), family.version().to_owned());
            }
        }
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, Named { origin, version }) in named.iter() {
            known.origins.push(origin.clone());
            known.versions.extend(version.clone().map(|version| (name.clone(), version)));
        }
        drop(named);
        known
    }

    /// Returns the name and version of a source; `None` for training, whose trainer has the versions.
    ///
    /// The table and the predictor of NASBench-101 share a name: some scripts predict without the table.
    fn version(&self, source: Source) -> Option<(String, String)> {
        let cached = &self.versions[source as usize];
        let version = cached.get_or_init(|| match source {
            Source::Nasbench201 => Nasbench201Table::digest(),
            Source::Nasbench101 => match self.imported101() {
                Ok(Some(table)) => format!("table {}", table.digest()),
                _ => "no table".to_owned(),
            },
            Source::Predicted101 => format!("predictor {}", Predictor::digest()),
            Source::Trained => String::new(),
        });
        let name = match source {
            Source::Nasbench201 => "nasbench201 accuracies",
            Source::Nasbench101 | Source::Predicted101 => "nasbench101 accuracies",
            Source::Trained => return None,
        };
        Some((name.to_owned(), version.clone()))
    }

    /// The trainer of networks.
    pub const fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The cache of accelerator estimates.
    pub const fn estimates(&self) -> &EstimateCache {
        &self.estimates
    }

    /// Records that this thread's evaluation used a cached result.
    pub(super) fn reused(&self, what: Reused) {
        REUSED.set(REUSED.get().and(what));
    }

    /// Returns the cached results that this thread used since the last call.
    pub(super) fn take_reused(&self) -> Reused {
        REUSED.take()
    }

    /// Records that a source gave a number.
    pub(super) fn used(&self, source: Source) {
        self.used[source as usize].store(true, Ordering::Relaxed);
    }

    /// The sources that gave numbers so far.
    pub fn sources(&self) -> Vec<Source> {
        let used = |source: &Source| self.used[*source as usize].load(Ordering::Relaxed);
        Source::ALL.into_iter().filter(used).collect()
    }

    /// Records that an accelerator defined by the script gave numbers.
    pub(super) fn used_scripted(&self, name: &str) {
        self.used_named("accelerator", name, || Named {
            origin: Origin::new(
                Trust::Modelled,
                format!("costs: accelerator `{name}` of the script"),
            ),
            version: None,
        });
    }

    /// Records that a native accelerator or a table of measurements gave numbers.
    pub(super) fn used_accelerator(&self, accelerator: &dyn Accelerator) {
        match family_of(accelerator) {
            Some(family) => self.families[family].store(true, Ordering::Relaxed),
            None => self.used_named("table", accelerator.id(), || Named {
                origin: accelerator.origin(),
                version: Some(accelerator.version().to_owned()),
            }),
        }
    }

    fn used_named(&self, kind: &str, name: &str, named: impl FnOnce() -> Named) {
        let key = format!("{kind} {name}");
        self.named.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert_with(named);
    }

    /// Returns the devices of an imported table, or of one of its groups.
    ///
    /// A table that cannot be opened makes the services unusable: every point needs it.
    pub(super) fn devices(
        &self,
        name: &str,
        group: Option<&str>,
    ) -> Result<Arc<Devices>, DevicesError> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), group.map(str::to_owned));
        if let Some(known) = tables.devices.get(&key) {
            return Ok(known.clone());
        }
        let table = match tables.opened.get(name) {
            Some(table) => table.clone(),
            None => {
                let opened = MeasuredTable::open(&self.data, name);
                // What is not there is not kept: it may have any name.
                Arc::new(opened.inspect_err(|_| self.unusable())?)
            }
        };
        let devices = Arc::new(Devices::of(table.clone(), group)?);
        tables.opened.insert(name.to_owned(), table);
        tables.devices.insert(key, devices.clone());
        Ok(devices)
    }

    /// Returns the imported NASBench-101 table; a missing or broken one makes the services unusable.
    pub(super) fn nasbench101(&self) -> Result<&Nasbench101Table, Nasbench101TableError> {
        let table = self.imported101().and_then(|table| {
            table.ok_or_else(|| Nasbench101TableError::Missing { folder: self.data.clone() })
        });
        table.inspect_err(|_| self.unusable())
    }

    /// Returns the imported NASBench-101 table; `None` if there is none.
    pub(super) fn imported101(&self) -> Result<Option<&Nasbench101Table>, Nasbench101TableError> {
        let open = || match Nasbench101Table::open(&self.data) {
            Ok(table) => Ok(Some(table)),
            Err(Nasbench101TableError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        self.table101.get_or_init(open).as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    /// Returns the predicted accuracy of a NASBench-101 cell, a fraction.
    pub(super) fn predicted101(&self, cell: &Cell101) -> Result<f64, PredictorError> {
        let predictor = Predictor::embedded()?;
        self.used(Source::Predicted101);
        Ok(predictor.accuracy(cell))
    }

    /// Returns the NASBench-101 network of a cell, built unless it is cached.
    pub(super) fn network101(
        &self,
        key: (Cell101, Nasbench101Settings),
    ) -> Result<ScriptNetwork, NetworkError> {
        remember(&self.networks101, key, || crate::network::nasbench101(&key.0, key.1))
    }

    /// Returns the NAS-Bench-201 network of a cell, built unless it is cached.
    pub(super) fn network201(
        &self,
        key: (Cell201, Nasbench201Settings),
    ) -> Result<ScriptNetwork, NetworkError> {
        remember(&self.networks201, key, || crate::network::nasbench201(key.0, key.1))
    }

    /// Records an estimate while [`Self::traced`] runs.
    pub(super) fn trace(&self, traced: impl FnOnce() -> Traced) {
        if self.tracing.load(Ordering::Acquire) {
            self.traced.lock().unwrap_or_else(PoisonError::into_inner).push(traced());
        }
    }

    /// Runs `run` and returns its result with the estimates that scripts asked for meanwhile.
    pub fn traced<T>(&self, run: impl FnOnce() -> T) -> (T, Vec<Traced>) {
        self.tracing.store(true, Ordering::Release);
        let result = run();
        self.tracing.store(false, Ordering::Release);
        let mut kept = self.traced.lock().unwrap_or_else(PoisonError::into_inner);
        (result, std::mem::take(&mut *kept))
    }
}

fn remember<K: Eq + Hash>(
    networks: &Networks<K>,
    key: K,
    build: impl FnOnce() -> Result<Network, NetworkError>,
) -> Result<ScriptNetwork, NetworkError> {
    let lock = || networks.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().networks.get(&key) {
        return Ok(known.clone());
    }
    let network = ScriptNetwork::new(build()?);
    let layers = network.network().layers().len();
    let mut kept = lock();
    if kept.networks.len() >= NETWORKS || kept.layers + layers > LAYERS {
        *kept = Remembered::default();
    }
    if layers <= LAYERS {
        kept.layers += layers;
        kept.networks.insert(key, network.clone());
    }
    Ok(network)
}
