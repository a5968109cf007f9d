//! The loop of a training: epochs of steps, validation, checkpoints.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::Device;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::augment::Feed;
use super::checkpoint::{Checkpoint, Position};
use super::data::{Dataset, Images};
use super::error::TrainError;
use super::model::Model;
use super::optimiser::{Optimiser, clip};
use super::recipe::{Recipe, training_key};
use super::score::{EpochScore, Score};
use crate::network::Network;
use crate::util::rng::stream;
use tandem_kernels::{Executor, Outcome};

/// A training to be done.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What is trained.
    pub network: &'a Network,
    /// On what.
    pub data: &'a Dataset,
    /// How.
    pub recipe: &'a Recipe,
    /// Decides the first weights, the order of images and their changes.
    pub seed: u64,
}

/// Who follows a training.
pub struct Watch<'a> {
    /// Ends the training at the next step once it is true.
    pub stop: &'a AtomicBool,
    /// Told of every step.
    pub observe: &'a mut dyn FnMut(&TrainProgress),
    /// Where checkpoints are kept, if they are.
    pub checkpoint: Option<&'a Path>,
    /// How often a checkpoint is written, beside at the end of an interrupted training.
    pub every: Duration,
}

/// How far a training has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainProgress {
    /// The epoch at work, from 0.
    pub epoch: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps done over all epochs.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// The mean loss of this epoch so far.
    pub loss: f64,
    /// The share of this epoch's images so far that were told right.
    pub accuracy: f64,
    /// The validation accuracy of the last epoch, if there is one.
    pub validation: Option<f64>,
    /// Images a second since the training was taken up.
    pub images_per_s: f64,
    /// Seconds until the last step, at that rate.
    pub remaining_s: f64,
}

/// What a training gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Epoch by epoch.
    pub curve: Vec<EpochScore>,
    /// The test images, in the end.
    pub test: Score,
    /// Whether it was given up early, being too far behind.
    pub stopped: bool,
}

impl Training {
    /// The accuracy to search by: of the images held out, else of the test images.
    pub fn accuracy(&self) -> f64 {
        let last = self.curve.last().and_then(|epoch| epoch.validation);
        last.unwrap_or(self.test).accuracy
    }
}

/// Trains a network, from its last checkpoint on if there is one.
///
/// The result depends on the job and on the processor's instructions, and on nothing else.
///
/// # Errors
/// The job makes no sense, the training diverges or is interrupted, or a checkpoint cannot be written.
pub fn fit(
    job: &Job<'_>,
    executor: &mut Executor,
    watch: &mut Watch<'_>,
) -> Result<(Model, Training), TrainError> {
    let Job { network, data, recipe, seed } = *job;
    recipe.check(network, data)?;
    let model = Model::new(network, seed, &Device::Cpu)?;
    executor.prepare(model.parameters(), recipe.batch)?;
    let optimiser = Optimiser::new(&model, recipe.rule, recipe.weight_decay);
    let (training, validation) = split(data, recipe);
    let mut trainer = Trainer {
        job: *job,
        key: training_key(network, data, recipe, seed),
        feed: Feed::new(data, recipe.augment, seed),
        model,
        executor,
        optimiser,
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

/// The images to learn from and those held out, the same for every network and seed.
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
    optimiser: Optimiser,
    training: Vec<usize>,
    validation: Vec<usize>,
    curve: Vec<EpochScore>,
    started: Instant,
    /// Steps since the training was taken up.
    steps_done: u64,
}

impl Trainer<'_> {
    fn run(&mut self, watch: &mut Watch<'_>) -> Result<Training, TrainError> {
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

    /// Whether the last epoch's validation accuracy is one to give up at.
    fn is_behind(&self) -> bool {
        let Some(index) = self.curve.len().checked_sub(1) else { return false };
        let limit = self.job.recipe.stop_below.get(index);
        let last = self.curve[index].validation;
        limit.zip(last).is_some_and(|(&limit, score)| score.accuracy < limit)
    }

    fn step(&mut self, at: &Position, steps: u64, batch: &[usize]) -> Result<Outcome, TrainError> {
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
        self.optimiser.step(&self.model, self.executor, rate)?;
        self.steps_done += 1;
        Ok(outcome)
    }

    fn evaluate(&mut self, images: &Images, indices: &[usize]) -> Result<Outcome, TrainError> {
        let mut outcome = Outcome::default();
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

    fn checkpoint(&self, at: Position) -> Result<Checkpoint, TrainError> {
        Checkpoint::new(&self.key, &self.model, self.optimiser.state(), at, &self.curve)
    }

    /// Takes up a checkpoint, if there is one; returns its position, or the start.
    fn restore(&mut self, path: Option<&Path>) -> Result<Position, TrainError> {
        let start = Position::default();
        let Some(path) = path else { return Ok(start) };
        let Some(checkpoint) = Checkpoint::load(path, &self.key)? else { return Ok(start) };
        let position = checkpoint.position();
        if !checkpoint.restore(&self.model)? || !self.optimiser.restore(checkpoint.optimiser) {
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
