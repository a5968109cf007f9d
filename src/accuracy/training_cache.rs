//! Accuracies by training, each paid for once.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::train::data::{DataSpec, Dataset, open};
use crate::train::{
    EpochScore, Executor, Job, Model, Optimiser, Recipe, Score, TrainError, TrainProgress,
    Training, Watch, fit, training_key,
};
use crate::util::keep_error::KeepError;
use crate::util::single_flight::Flights;

/// How often a training in progress is brought to the disk.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// Steps that a rehearsal measures.
const MEASURED_STEPS: u32 = 4;

/// A rehearsal stops to measure after so long; the time of further trainings is told by that of those.
const MEASURE_FOR: Duration = Duration::from_millis(200);

/// A training that is done, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// The set of images.
    pub data: String,
    /// How the network was trained.
    pub recipe: Recipe,
    /// The seed.
    pub seed: u64,
    /// The network's trainable parameters.
    pub parameters: u64,
    /// Its multiply-accumulates for an image.
    pub macs: u64,
    /// Its hash.
    pub network: String,
    /// What came of it.
    pub training: Training,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Where trainings are kept between runs of the program.
pub trait Trainings: Send + Sync {
    /// The record of a training, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, key: &str) -> Result<Option<TrainingRecord>, KeepError>;

    /// Keeps a record for good.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&self, key: &str, record: &TrainingRecord) -> Result<(), KeepError>;

    /// Where a training keeps its checkpoint while it lasts.
    fn checkpoint(&self, key: &str) -> PathBuf;

    /// What is being trained, by whichever trainer.
    fn flights(&self) -> &Flights;
}

/// Something that happened to a training.
#[derive(Clone, Copy, Debug)]
pub enum TrainingEvent<'a> {
    /// A step was done.
    Step {
        /// The seed.
        seed: u64,
        /// How far it has come.
        progress: &'a TrainProgress,
    },
    /// It is done.
    Done {
        /// Its record.
        record: &'a TrainingRecord,
        /// Whether it was known before.
        known: bool,
    },
}

/// A training that a rehearsal left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The training's key.
    pub key: String,
    /// Seconds that it would take.
    pub seconds: f64,
    /// Bytes of memory that it would take.
    pub bytes: usize,
}

/// What a rehearsal met.
#[derive(Default)]
struct Rehearsal {
    /// Makes the stand-ins of one rehearsal differ from those of another.
    salt: u64,
    left_out: Vec<Estimate>,
    /// The keys of trainings that are kept.
    known: BTreeSet<String>,
    /// The keys of those left out since they were taken last.
    asked: BTreeSet<String>,
    measuring: Duration,
    /// Of the last training that was measured: seconds for a multiply-accumulate of a step, and bytes.
    measured: Option<(f64, usize)>,
}

type Observe = dyn Fn(&TrainingEvent<'_>) + Send + Sync;

/// Trains networks, one at a time, or remembers how they came out.
pub struct Trainer {
    data: PathBuf,
    threads: usize,
    sets: Mutex<HashMap<String, Arc<Dataset>>>,
    executor: Mutex<Option<Executor>>,
    kept: OnceLock<Arc<dyn Trainings>>,
    stop: OnceLock<Arc<AtomicBool>>,
    observe: OnceLock<Box<Observe>>,
    interrupted: AtomicBool,
    /// What a rehearsal has met, if this is one.
    rehearsal: Mutex<Option<Rehearsal>>,
}

impl Trainer {
    /// A trainer on some threads that finds images in a folder of data.
    pub fn new(data: PathBuf, threads: usize) -> Self {
        Self {
            data,
            threads,
            sets: Mutex::default(),
            executor: Mutex::default(),
            kept: OnceLock::new(),
            stop: OnceLock::new(),
            observe: OnceLock::new(),
            interrupted: AtomicBool::new(false),
            rehearsal: Mutex::default(),
        }
    }

    /// Keeps trainings, and finds those that are kept; the first call counts.
    pub fn keep_in(&self, kept: Arc<dyn Trainings>) {
        let _ = self.kept.set(kept);
    }

    /// Ends trainings once the flag is true; the first call counts.
    pub fn stop_at(&self, stop: Arc<AtomicBool>) {
        let _ = self.stop.set(stop);
    }

    /// Tells of trainings; the first call counts.
    pub fn observe(&self, observe: impl Fn(&TrainingEvent<'_>) + Send + Sync + 'static) {
        let _ = self.observe.set(Box::new(observe));
    }

    /// Whether a training was broken off by the flag.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// From now on trainings that are not known are left out: the first are measured for some steps, and
    /// how they come out is made up. With another salt other numbers are made up.
    pub fn rehearse(&self, salt: u64) {
        lock(&self.rehearsal).get_or_insert_default().salt = salt;
    }

    /// The trainings that a rehearsal has left out so far, each once.
    pub fn left_out(&self) -> Vec<Estimate> {
        lock(&self.rehearsal).as_ref().map_or_else(Vec::new, |met| met.left_out.clone())
    }

    /// The keys of the trainings that a rehearsal has left out since the last call.
    pub fn take_asked(&self) -> BTreeSet<String> {
        lock(&self.rehearsal)
            .as_mut()
            .map_or_else(BTreeSet::new, |met| std::mem::take(&mut met.asked))
    }

    /// How many different trainings a rehearsal found kept.
    pub fn found(&self) -> usize {
        lock(&self.rehearsal).as_ref().map_or(0, |met| met.known.len())
    }

    /// The hashes of the sets of images read so far, by name.
    pub fn digests(&self) -> Vec<(String, String)> {
        let sets = lock(&self.sets);
        let mut digests: Vec<_> = sets
            .iter()
            .map(|(name, set)| (format!("images of {name}"), set.digest().to_owned()))
            .collect();
        digests.sort();
        digests
    }

    /// A set of images, read once.
    ///
    /// # Errors
    /// There is no such set, it is not there, or a file of it cannot be used.
    pub fn dataset(&self, name: &str) -> Result<Arc<Dataset>, TrainError> {
        let mut sets = lock(&self.sets);
        if let Some(known) = sets.get(name) {
            return Ok(known.clone());
        }
        let spec: DataSpec = name.parse()?;
        let set = Arc::new(open(&spec, &self.data)?);
        sets.insert(name.to_owned(), set.clone());
        Ok(set)
    }

    /// The key of a training.
    ///
    /// # Errors
    /// As [`Trainer::dataset`].
    pub fn key(
        &self,
        network: &Network,
        data: &str,
        recipe: &Recipe,
        seed: u64,
    ) -> Result<String, TrainError> {
        Ok(training_key(network, &*self.dataset(data)?, recipe, seed))
    }

    /// The record of a training, and whether it was known: one that is kept, or a new one, which is.
    ///
    /// # Errors
    /// The training makes no sense, diverges or is interrupted; or images, records or checkpoints fail.
    pub fn train(
        &self,
        network: &Network,
        data: &str,
        recipe: &Recipe,
        seed: u64,
    ) -> Result<(TrainingRecord, bool), TrainError> {
        let (record, model) = self.run(network, data, recipe, seed, false)?;
        Ok((record, model.is_none()))
    }

    /// As [`Trainer::train`], with the trained model, for which a training that is known is done again.
    ///
    /// # Errors
    /// As [`Trainer::train`], or this is a rehearsal.
    pub fn train_model(
        &self,
        network: &Network,
        data: &str,
        recipe: &Recipe,
        seed: u64,
    ) -> Result<(TrainingRecord, Model), TrainError> {
        let (record, model) = self.run(network, data, recipe, seed, true)?;
        model.map(|model| (record, model)).ok_or(TrainError::Dry)
    }

    fn run(
        &self,
        network: &Network,
        data: &str,
        recipe: &Recipe,
        seed: u64,
        with_model: bool,
    ) -> Result<(TrainingRecord, Option<Model>), TrainError> {
        let data = self.dataset(data)?;
        recipe.check(network, &data)?;
        let key = training_key(network, &data, recipe, seed);
        // Whoever asks for the same while it is trained waits here, and finds it.
        let _claim = self.kept.get().map(|kept| kept.flights().claim(&key));
        if !with_model && let Some(record) = self.known(&key)? {
            if let Some(met) = lock(&self.rehearsal).as_mut() {
                met.known.insert(key);
            }
            self.tell(&TrainingEvent::Done { record: &record, known: true });
            return Ok((record, None));
        }
        let mut executor = lock(&self.executor);
        let executor = executor.get_or_insert_with(|| Executor::new(self.threads));
        let job = Job { network, data: &data, recipe, seed };
        if let Some(met) = lock(&self.rehearsal).as_mut() {
            if with_model {
                return Err(TrainError::Dry);
            }
            let record = stand_in(&job, &key, met.salt);
            met.asked.insert(key.clone());
            if met.left_out.iter().all(|known| known.key != key) {
                let estimate = met.estimate(&job, key, executor)?;
                met.left_out.push(estimate);
            }
            return Ok((record, None));
        }
        let never = Arc::new(AtomicBool::new(false));
        let stop = self.stop.get().unwrap_or(&never);
        let checkpoint = self.kept.get().map(|kept| kept.checkpoint(&key));
        let started = Instant::now();
        let mut observe =
            |progress: &TrainProgress| self.tell(&TrainingEvent::Step { seed, progress });
        let mut watch = Watch {
            stop,
            observe: &mut observe,
            checkpoint: checkpoint.as_deref(),
            every: CHECKPOINT_EVERY,
        };
        let result = fit(&job, executor, &mut watch);
        if let Err(TrainError::Interrupted) = result {
            self.interrupted.store(true, Ordering::Relaxed);
        }
        let (model, training) = result?;
        let record = record_of(&job, training, started.elapsed().as_secs_f64());
        if let Some(kept) = self.kept.get() {
            kept.put(&key, &record)?;
        }
        if let Some(path) = checkpoint
            && let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
        self.tell(&TrainingEvent::Done { record: &record, known: false });
        Ok((record, Some(model)))
    }

    fn known(&self, key: &str) -> Result<Option<TrainingRecord>, TrainError> {
        self.kept.get().map_or(Ok(None), |kept| Ok(kept.get(key)?))
    }

    fn tell(&self, event: &TrainingEvent<'_>) {
        if let Some(observe) = self.observe.get() {
            observe(event);
        }
    }
}

impl Rehearsal {
    /// What a training would take: some steps are measured, unless enough of others have been.
    fn estimate(
        &mut self,
        job: &Job<'_>,
        key: String,
        executor: &mut Executor,
    ) -> Result<Estimate, TrainError> {
        let Job { network, data, recipe, .. } = *job;
        let work = network.macs() as f64 * recipe.batch as f64;
        let (of_work, bytes) = match self.measured {
            Some(measured) if self.measuring >= MEASURE_FOR => measured,
            _ => {
                let started = Instant::now();
                let each = measure(job, executor)?;
                self.measuring += started.elapsed();
                *self.measured.insert((each / work.max(1.0), executor.bytes()))
            }
        };
        // A forward pass is about a third of a step.
        let tested = data.test().len() + recipe.validation * recipe.epochs as usize;
        let steps = recipe.steps(data) as f64 * f64::from(recipe.epochs)
            + tested as f64 / recipe.batch as f64 / 3.0;
        Ok(Estimate { key, seconds: steps * of_work * work.max(1.0), bytes })
    }
}

/// The seconds of a step of a training.
fn measure(job: &Job<'_>, executor: &mut Executor) -> Result<f64, TrainError> {
    let Job { network, data, recipe, seed } = *job;
    let model = Model::new(network, seed, &Device::Cpu)?;
    executor.prepare(model.parameters(), recipe.batch)?;
    let mut optimiser = Optimiser::new(&model, recipe.rule, recipe.weight_decay);
    let labels: Vec<u32> =
        data.train().labels.iter().take(recipe.batch).map(|&label| u32::from(label)).collect();
    executor.images_mut().fill(0.5);
    let mut step = || {
        executor.train(model.parameters(), &labels, recipe.smoothing, recipe.norm_momentum)?;
        optimiser.step(&model, executor, 0.0)
    };
    step()?;
    let started = Instant::now();
    for _ in 0..MEASURED_STEPS {
        step()?;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(MEASURED_STEPS))
}

/// The record of a training that is left out, made up of its key: an accuracy from 0.1 to 0.95.
fn stand_in(job: &Job<'_>, key: &str, salt: u64) -> TrainingRecord {
    let recipe = job.recipe;
    let digest = blake3::hash(format!("{key} {salt}").as_bytes());
    let share = f64::from(digest.as_bytes()[0]) / 255.0;
    let score = Score { loss: 2.0 - 1.5 * share, accuracy: 0.1 + 0.85 * share };
    let validation = (recipe.validation > 0).then_some(score);
    let curve = vec![EpochScore { train: score, validation }; recipe.epochs as usize];
    record_of(job, Training { curve, test: score, stopped: false }, 0.0)
}

/// The record of a training that took some seconds.
fn record_of(job: &Job<'_>, training: Training, seconds: f64) -> TrainingRecord {
    let Job { network, data, recipe, seed } = *job;
    TrainingRecord {
        data: data.name().to_owned(),
        recipe: recipe.clone(),
        seed,
        parameters: network.parameters(),
        macs: network.macs(),
        network: network.digest(),
        training,
        seconds,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
