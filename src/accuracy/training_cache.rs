//! Accuracies by training, with a cache of training runs.

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
    EpochScore, Executor, Job, Model, Optimizer, Recipe, Score, TrainError, TrainProgress,
    Training, TrainingWatch, fit, training_key,
};
use crate::util::keep_error::KeepError;
use crate::util::single_flight::SingleFlight;

/// The interval between checkpoints of a training in progress.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// The number of steps that a rehearsal times.
const MEASURED_STEPS: u32 = 4;

/// The time that a rehearsal spends on measuring; it estimates later trainings from the last measurement.
const MEASURE_FOR: Duration = Duration::from_millis(200);

/// A finished training run, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// The name of the data set.
    pub data: String,
    /// The recipe of the training.
    pub recipe: Recipe,
    /// The random seed.
    pub seed: u64,
    /// The number of trainable parameters of the network.
    pub parameters: u64,
    /// The multiply-accumulates of the network per image.
    pub macs: u64,
    /// The hash of the network.
    pub network: String,
    /// The result of the training.
    pub training: Training,
    /// The duration in seconds.
    pub seconds: f64,
}

/// Storage for training runs between runs of the program.
pub trait Trainings: Send + Sync {
    /// Returns the record of a training, if there is one.
    ///
    /// # Errors
    /// The storage cannot be read.
    fn get(&self, key: &str) -> Result<Option<TrainingRecord>, KeepError>;

    /// Stores a record permanently.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn put(&self, key: &str, record: &TrainingRecord) -> Result<(), KeepError>;

    /// The path of the checkpoint of a training in progress.
    fn checkpoint(&self, key: &str) -> PathBuf;

    /// The keys of the trainings in progress, of all trainers.
    fn flights(&self) -> &SingleFlight;
}

/// An event of a training.
#[derive(Clone, Copy, Debug)]
pub enum TrainingEvent<'a> {
    /// A step is finished.
    Step {
        /// The random seed.
        seed: u64,
        /// The progress so far.
        progress: &'a TrainProgress,
    },
    /// The training is finished, or was found in the cache.
    Done {
        /// The record of the training.
        record: &'a TrainingRecord,
        /// True if the record was cached.
        known: bool,
    },
}

/// The estimated cost of a training that a rehearsal skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingEstimate {
    /// The key of the training.
    pub key: String,
    /// The estimated duration in seconds.
    pub seconds: f64,
    /// The estimated memory in bytes.
    pub bytes: usize,
}

/// The state of a rehearsal.
#[derive(Default)]
struct Rehearsal {
    /// A salt that makes the stand-in results of two rehearsals differ.
    salt: u64,
    left_out: Vec<TrainingEstimate>,
    /// The keys of the trainings found in the cache.
    known: BTreeSet<String>,
    /// The keys of the trainings skipped since the last [`Trainer::take_asked`].
    asked: BTreeSet<String>,
    measuring: Duration,
    /// The last measurement: seconds per multiply-accumulate of a step, and bytes of memory.
    measured: Option<(f64, usize)>,
}

type Observe = dyn Fn(&TrainingEvent<'_>) + Send + Sync;

/// Trains networks, one at a time, and caches the results.
pub struct Trainer {
    data: PathBuf,
    threads: usize,
    sets: Mutex<HashMap<String, Arc<Dataset>>>,
    executor: Mutex<Option<Executor>>,
    kept: OnceLock<Arc<dyn Trainings>>,
    stop: OnceLock<Arc<AtomicBool>>,
    observe: OnceLock<Box<Observe>>,
    interrupted: AtomicBool,
    /// The state of the rehearsal, if this is one.
    rehearsal: Mutex<Option<Rehearsal>>,
}

impl Trainer {
    /// Makes a trainer with a number of threads that reads images from a data folder.
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

    /// Sets the storage of training runs; calls after the first have no effect.
    pub fn keep_in(&self, kept: Arc<dyn Trainings>) {
        let _ = self.kept.set(kept);
    }

    /// Sets a flag that stops trainings once it is true; calls after the first have no effect.
    pub fn stop_at(&self, stop: Arc<AtomicBool>) {
        let _ = self.stop.set(stop);
    }

    /// Sets the observer of trainings; calls after the first have no effect.
    pub fn observe(&self, observe: impl Fn(&TrainingEvent<'_>) + Send + Sync + 'static) {
        let _ = self.observe.set(Box::new(observe));
    }

    /// Returns true if the flag of [`Trainer::stop_at`] interrupted a training.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Starts a rehearsal, which skips the trainings that are not cached.
    ///
    /// The cost of the first ones is measured on some steps. Results are made up from the key and `salt`.
    pub fn rehearse(&self, salt: u64) {
        lock(&self.rehearsal).get_or_insert_default().salt = salt;
    }

    /// The estimates of the trainings that a rehearsal has skipped so far, one for each key.
    pub fn left_out(&self) -> Vec<TrainingEstimate> {
        lock(&self.rehearsal).as_ref().map_or_else(Vec::new, |met| met.left_out.clone())
    }

    /// Returns the keys of the trainings that a rehearsal has skipped since the last call.
    pub fn take_asked(&self) -> BTreeSet<String> {
        lock(&self.rehearsal)
            .as_mut()
            .map_or_else(BTreeSet::new, |met| std::mem::take(&mut met.asked))
    }

    /// The number of distinct trainings that a rehearsal found in the cache.
    pub fn found(&self) -> usize {
        lock(&self.rehearsal).as_ref().map_or(0, |met| met.known.len())
    }

    /// The names and hashes of the data sets read so far, sorted.
    pub fn digests(&self) -> Vec<(String, String)> {
        let sets = lock(&self.sets);
        let mut digests: Vec<_> = sets
            .iter()
            .map(|(name, set)| (format!("images of {name}"), set.digest().to_owned()))
            .collect();
        digests.sort();
        digests
    }

    /// Returns a data set, which is read once.
    ///
    /// # Errors
    /// If there is no such data set, it is not in the data folder, or one of its files cannot be read.
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

    /// The key of a training, which identifies it in the cache.
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

    /// Returns the record of a training from the cache, or trains and stores it.
    ///
    /// The flag is true if no training took place: the record was cached, or a rehearsal made it up.
    ///
    /// # Errors
    /// If the recipe does not fit the network or data, the training diverges or is interrupted, or images,
    /// records or checkpoints cannot be read or written.
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

    /// Trains a network and returns the model; a training that is cached is repeated.
    ///
    /// # Errors
    /// As [`Trainer::train`], or if this is a rehearsal.
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
        let mut watch = TrainingWatch {
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
    /// Estimates the cost of a training, measuring some steps unless [`MEASURE_FOR`] is spent.
    fn estimate(
        &mut self,
        job: &Job<'_>,
        key: String,
        executor: &mut Executor,
    ) -> Result<TrainingEstimate, TrainError> {
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
        Ok(TrainingEstimate { key, seconds: steps * of_work * work.max(1.0), bytes })
    }
}

/// Measures the seconds per step of a training, after a warm-up step.
fn measure(job: &Job<'_>, executor: &mut Executor) -> Result<f64, TrainError> {
    let Job { network, data, recipe, seed } = *job;
    let model = Model::new(network, seed, &Device::Cpu)?;
    executor.prepare(model.parameters(), recipe.batch)?;
    let mut optimizer = Optimizer::new(&model, recipe.rule, recipe.weight_decay);
    let labels: Vec<u32> =
        data.train().labels.iter().take(recipe.batch).map(|&label| u32::from(label)).collect();
    executor.images_mut().fill(0.5);
    let mut step = || {
        executor.train(model.parameters(), &labels, recipe.smoothing, recipe.norm_momentum)?;
        optimizer.step(&model, executor, 0.0)
    };
    step()?;
    let started = Instant::now();
    for _ in 0..MEASURED_STEPS {
        step()?;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(MEASURED_STEPS))
}

/// The record of a skipped training, made up from its key and the salt; the accuracy is 0.1 to 0.95.
fn stand_in(job: &Job<'_>, key: &str, salt: u64) -> TrainingRecord {
    let recipe = job.recipe;
    let digest = blake3::hash(format!("{key} {salt}").as_bytes());
    let share = f64::from(digest.as_bytes()[0]) / 255.0;
    let score = Score { loss: 2.0 - 1.5 * share, accuracy: 0.1 + 0.85 * share };
    let validation = (recipe.validation > 0).then_some(score);
    let curve = vec![EpochScore { train: score, validation }; recipe.epochs as usize];
    record_of(job, Training { curve, test: score, stopped: false }, 0.0)
}

/// The record of a training that took `seconds`.
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
