//! The training loop: epochs of steps, validation, checkpoints.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::Device;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::augment::Feed;
use super::checkpoint::{Position, TrainingCheckpoint};
use super::data::{Dataset, Images};
use super::error::TrainError;
use super::model::Model;
use super::optimizer::{Optimizer, clip};
use super::recipe::{Recipe, training_key};
use super::score::{EpochScore, Score};
use crate::network::Network;
use crate::util::rng::stream;
use tandem_kernels::{BatchOutcome, Executor};

/// The inputs that determine a training run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The network to train.
    pub network: &'a Network,
    /// The images to train on.
    pub data: &'a Dataset,
    /// The hyperparameters.
    pub recipe: &'a Recipe,
    /// The seed of the initial weights, the order of images, and their augmentation.
    pub seed: u64,
}

/// The observation and control of a training run.
pub struct TrainingWatch<'a> {
    /// A request to stop at the next step.
    pub stop: &'a AtomicBool,
    /// A callback for every step.
    pub observe: &'a mut dyn FnMut(&TrainProgress),
    /// The file for checkpoints; none for no checkpoints.
    pub checkpoint: Option<&'a Path>,
    /// The time between checkpoints; an interrupted training run writes one in any case.
    pub every: Duration,
}

/// Progress of a training run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainProgress {
    /// The current epoch, from 0.
    pub epoch: u32,
    /// The total number of epochs.
    pub epochs: u32,
    /// The number of steps done, over all epochs.
    pub step: u64,
    /// The total number of steps.
    pub steps: u64,
    /// The mean loss in this epoch so far.
    pub loss: f64,
    /// The fraction of correctly classified images in this epoch so far.
    pub accuracy: f64,
    /// The validation accuracy after the previous epoch, if there is one.
    pub validation: Option<f64>,
    /// Images per second since the training run was started or resumed.
    pub images_per_s: f64,
    /// The estimated remaining time, in seconds.
    pub remaining_s: f64,
}

/// The result of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The scores of each epoch.
    pub curve: Vec<EpochScore>,
    /// The score of the final model on the test images.
    pub test: Score,
    /// True if training stopped early because of a low validation accuracy.
    pub stopped: bool,
}

impl Training {
    /// The accuracy to optimize: on the validation images, or on the test images if none are held out.
    pub fn accuracy(&self) -> f64 {
        let last = self.curve.last().and_then(|epoch| epoch.validation);
        last.unwrap_or(self.test).accuracy
    }
}

/// Trains a network, resuming from its checkpoint if there is one.
///
/// The result depends only on the job and on the CPU's instruction set.
///
/// # Errors
/// Returns an error if the recipe is invalid, if training diverges or is interrupted, or if a checkpoint
/// cannot be used.
pub fn fit(
    job: &Job<'_>,
    executor: &mut Executor,
    watch: &mut TrainingWatch<'_>,
) -> Result<(Model, Training), TrainError> {
    let Job { network, data, recipe, seed } = *job;
    recipe.check(network, data)?;
    let model = Model::new(network, seed, &Device::Cpu)?;
    executor.prepare(model.parameters(), recipe.batch)?;
    let optimizer = Optimizer::new(&model, recipe.rule, recipe.weight_decay);
    let (training, validation) = split(data, recipe);
    let mut trainer = Trainer {
        job: *job,
        key: training_key(network, data, recipe, seed),
        feed: Feed::new(data, recipe.augment, seed),
        model,
        executor,
        optimizer,
        training,
        validation,
        curve: Vec::new(),
        started: Instant::now(),
        steps_done: 0,
    };
    let result = trainer.run(watch);
    if result.is_err() {
        // What a broken training left in the memory must not reach the next.
        trainer.executor.forget();
    }
    let training = result?;
    Ok((trainer.model, training))
}

/// The indices of the images to train on and of the validation images, the same for every network and seed.
fn split(data: &Dataset, recipe: &Recipe) -> (Vec<usize>, Vec<usize>) {
    let mut all: Vec<usize> = (0..data.train().len()).collect();
    if recipe.validation > 0 || recipe.images.is_some() {
        all.shuffle(&mut stream(0, "validation images", 0));
    }
    let rest = all.split_off(recipe.validation);
    let images = recipe.training_images(data);
    (rest.into_iter().take(images).collect(), all)
}

struct Trainer<'a> {
    job: Job<'a>,
    key: String,
    feed: Feed<'a>,
    model: Model,
    executor: &'a mut Executor,
    optimizer: Optimizer,
    training: Vec<usize>,
    validation: Vec<usize>,
    curve: Vec<EpochScore>,
    started: Instant,
    /// Steps since the training run was started or resumed.
    steps_done: u64,
}

impl Trainer<'_> {
    fn run(&mut self, watch: &mut TrainingWatch<'_>) -> Result<Training, TrainError> {
        let recipe = self.job.recipe;
        let mut at = self.restore(watch.checkpoint)?;
        let mut saved = Instant::now();
        while at.epoch < recipe.epochs && !self.is_behind() {
            let steps = recipe.steps(self.job.data);
            let mut order = self.training.clone();
            order.shuffle(&mut stream(self.job.seed, "order", u64::from(at.epoch)));
            let batches = order.chunks_exact(recipe.batch);
            for batch in batches.skip(usize::try_from(at.step).unwrap_or(usize::MAX)) {
                let interrupted = watch.stop.load(Ordering::Relaxed);
                if let Some(path) = watch.checkpoint
                    && (interrupted || saved.elapsed() > watch.every)
                {
                    self.checkpoint(at)?.save(path)?;
                    saved = Instant::now();
                }
                if interrupted {
                    return Err(TrainError::Interrupted);
                }
                at.outcome.add(self.step(&at, steps, batch)?);
                at.step += 1;
                (watch.observe)(&self.progress(&at, steps));
            }
            let validation = self.evaluate(self.job.data.train(), &self.validation.clone())?;
            self.curve.push(EpochScore {
                train: at.outcome.into(),
                validation: (validation.images > 0).then(|| validation.into()),
            });
            at = Position { epoch: at.epoch + 1, ..Position::default() };
        }
        let all: Vec<usize> = (0..self.job.data.test().len()).collect();
        let test = self.evaluate(self.job.data.test(), &all)?;
        if !test.loss.is_finite() {
            let (loss, rate) = (test.mean_loss(), recipe.rate);
            return Err(TrainError::Diverged {
                epoch: at.epoch,
                step: recipe.steps(self.job.data),
                loss,
                rate,
            });
        }
        let stopped = at.epoch < recipe.epochs;
        Ok(Training { curve: self.curve.clone(), test: test.into(), stopped })
    }

    /// Returns true if the last epoch's validation accuracy is below the minimum of the recipe.
    fn is_behind(&self) -> bool {
        let Some(index) = self.curve.len().checked_sub(1) else { return false };
        let limit = self.job.recipe.stop_below.get(index);
        let last = self.curve[index].validation;
        limit.zip(last).is_some_and(|(&limit, score)| score.accuracy < limit)
    }

    fn step(
        &mut self,
        at: &Position,
        steps: u64,
        batch: &[usize],
    ) -> Result<BatchOutcome, TrainError> {
        let Position { epoch, step, .. } = *at;
        let Recipe { smoothing, norm_momentum, clip: norm, .. } = *self.job.recipe;
        let labels = labels(self.job.data.train(), batch);
        let feed = &self.feed;
        self.executor.fill(batch.len(), &|slot, to| feed.changed(epoch, batch[slot], to));
        let outcome =
            self.executor.train(self.model.parameters(), &labels, smoothing, norm_momentum)?;
        let loss = outcome.mean_loss();
        let norm = norm.map_or(0.0, |norm| clip(self.executor, norm));
        if !(loss.is_finite() && norm.is_finite()) {
            let rate = self.job.recipe.rate;
            return Err(TrainError::Diverged { epoch: epoch + 1, step: step + 1, loss, rate });
        }
        let rate = self.job.recipe.rate_at(u64::from(epoch) * steps + step, steps);
        self.optimizer.step(&self.model, self.executor, rate)?;
        self.steps_done += 1;
        Ok(outcome)
    }

    fn evaluate(&mut self, images: &Images, indices: &[usize]) -> Result<BatchOutcome, TrainError> {
        let mut outcome = BatchOutcome::default();
        for batch in indices.chunks(self.job.recipe.batch) {
            let feed = &self.feed;
            self.executor.fill(batch.len(), &|slot, to| feed.plain(images, batch[slot], to));
            outcome.add(self.executor.evaluate(self.model.parameters(), &labels(images, batch))?);
        }
        Ok(outcome)
    }

    fn progress(&self, at: &Position, steps: u64) -> TrainProgress {
        let Position { epoch, step, outcome } = *at;
        let recipe = self.job.recipe;
        let done = u64::from(epoch) * steps + step;
        let all = u64::from(recipe.epochs) * steps;
        let seconds = self.started.elapsed().as_secs_f64();
        let each = seconds / self.steps_done.max(1) as f64;
        TrainProgress {
            epoch,
            epochs: recipe.epochs,
            step: done,
            steps: all,
            loss: outcome.mean_loss(),
            accuracy: outcome.accuracy(),
            validation: self.curve.last().and_then(|it| it.validation).map(|it| it.accuracy),
            images_per_s: recipe.batch as f64 / each,
            remaining_s: (all - done) as f64 * each,
        }
    }

    fn checkpoint(&self, at: Position) -> Result<TrainingCheckpoint, TrainError> {
        TrainingCheckpoint::new(&self.key, &self.model, self.optimizer.state(), at, &self.curve)
    }

    /// Resumes from a checkpoint, if there is one; returns the position to continue from.
    fn restore(&mut self, path: Option<&Path>) -> Result<Position, TrainError> {
        let start = Position::default();
        let Some(path) = path else { return Ok(start) };
        let Some(checkpoint) = TrainingCheckpoint::load(path, &self.key)? else { return Ok(start) };
        let position = checkpoint.position;
        if !checkpoint.restore(&self.model)? || !self.optimizer.restore(checkpoint.optimizer) {
            let source = std::io::Error::other("it is of another network");
            return Err(TrainError::Checkpoint { path: path.into(), source });
        }
        self.curve = checkpoint.curve;
        Ok(position)
    }
}

fn labels(images: &Images, indices: &[usize]) -> Vec<u32> {
    indices.iter().map(|&index| u32::from(images.labels[index])).collect()
}
