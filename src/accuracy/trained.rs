//! Accuracies by training, each paid for once.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::flight::Flights;
use crate::network::Network;
use crate::train::data::{DataSpec, Dataset, open};
use crate::train::{
    Executor, Job, Model, Optimiser, Recipe, TrainError, TrainProgress, Training, Watch, fit,
    training_key,
};

/// How often a training in progress is brought to the disk.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// Steps that a dry run measures.
const DRY_STEPS: u32 = 4;

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
    /// It cannot be looked up; one clear message.
    fn get(&self, key: &str) -> Result<Option<TrainingRecord>, String>;

    /// Keeps a record for good.
    ///
    /// # Errors
    /// It cannot be kept; one clear message.
    fn put(&self, key: &str, record: &TrainingRecord) -> Result<(), String>;

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

/// A training that a dry run left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The training's key.
    pub key: String,
    /// Seconds that it would take.
    pub seconds: f64,
    /// Bytes of memory that it would take.
    pub bytes: usize,
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
    /// What a dry run has left out, if this is one.
    dry: Mutex<Option<Vec<Estimate>>>,
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
            dry: Mutex::default(),
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

    /// From now on trainings that are not known are measured for some steps and left out.
    pub fn dry_run(&self) {
        *lock(&self.dry) = Some(Vec::new());
    }

    /// The trainings that a dry run has left out so far, each once.
    pub fn left_out(&self) -> Vec<Estimate> {
        lock(&self.dry).clone().unwrap_or_default()
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
    /// The training makes no sense, diverges or is interrupted; images, records or checkpoints fail; or
    /// this is a dry run and the training is not known.
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
    /// As [`Trainer::train`].
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
            self.tell(&TrainingEvent::Done { record: &record, known: true });
            return Ok((record, None));
        }
        let mut executor = lock(&self.executor);
        let executor = executor.get_or_insert_with(|| Executor::new(self.threads));
        let job = Job { network, data: &data, recipe, seed };
        if let Some(left_out) = lock(&self.dry).as_mut() {
            if left_out.iter().all(|known| known.key != key) {
                left_out.push(estimate(&job, key, executor)?);
            }
            return Err(TrainError::Dry);
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
        let record = TrainingRecord {
            data: data.name().to_owned(),
            recipe: recipe.clone(),
            seed,
            parameters: network.parameters(),
            macs: network.macs(),
            network: network.digest(),
            training,
            seconds: started.elapsed().as_secs_f64(),
        };
        if let Some(kept) = self.kept.get() {
            kept.put(&key, &record).map_err(TrainError::Cache)?;
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
        self.kept.get().map_or(Ok(None), |kept| kept.get(key).map_err(TrainError::Cache))
    }

    fn tell(&self, event: &TrainingEvent<'_>) {
        if let Some(observe) = self.observe.get() {
            observe(event);
        }
    }
}

/// Measures some steps of a training.
fn estimate(job: &Job<'_>, key: String, executor: &mut Executor) -> Result<Estimate, TrainError> {
    let Job { network, data, recipe, seed } = *job;
    let model = Model::new(network, seed, &Device::Cpu)?;
    executor.prepare(&model, recipe.batch)?;
    let mut optimiser = Optimiser::new(&model, recipe.rule, recipe.weight_decay);
    let labels: Vec<u32> =
        data.train().labels.iter().take(recipe.batch).map(|&label| u32::from(label)).collect();
    executor.images_mut().fill(0.5);
    let mut step = || {
        executor.train(&model, &labels, recipe.smoothing, recipe.norm_momentum)?;
        optimiser.step(&model, executor, 0.0)
    };
    step()?;
    let started = Instant::now();
    for _ in 0..DRY_STEPS {
        step()?;
    }
    let each = started.elapsed().as_secs_f64() / f64::from(DRY_STEPS);
    // A forward pass is about a third of a step.
    let tested = data.test().len() + recipe.validation * recipe.epochs as usize;
    let steps = recipe.steps(data) as f64 * f64::from(recipe.epochs)
        + tested as f64 / recipe.batch as f64 / 3.0;
    Ok(Estimate { key, seconds: steps * each, bytes: executor.bytes() })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
