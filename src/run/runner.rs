//! The loop: ask, evaluate, commit, tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::checkpoint::{RunCheckpoint, SavedController};
use super::error::RunError;
use super::evaluator::Evaluator;
use super::event::{Event, Observer};
use super::experiment::{Evaluated, Experiment, Obstacle, Phase};
use super::failure::Failure;
use super::progress::Progress;
use super::provenance::record_provenance;
use crate::pareto::{MissingMetric, Objective, costs};
use crate::search::{Controller, Feedback, SearchSpace};
use crate::space::{Point, Subspace};
use crate::store::{Entry, Outcome, PhaseRecord, RunRecord, Status, Store, Trial, TrialCost};

/// The number of trials after which a run is stopped if all of them failed: the script is wrong, not the
/// pairs.
const HOPELESS: u64 = 32;

/// The number of trials between two checkpoints.
const CHECKPOINT_EVERY: u64 = 500;

/// The evaluation time after which a checkpoint is saved. Trials before a checkpoint are not replayed through
/// the controllers, so expensive trials survive a move to a processor with different rounding.
const COSTLY: Duration = Duration::from_secs(1);

/// The evaluation time of a block of points up to which the next block is longer. A block is committed
/// as a whole.
const COMMIT_WITHIN: Duration = Duration::from_millis(50);

/// The result of [`Runner::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The schedule has no more phases, the limit of trials is reached, or a threshold stopped the run.
    Finished,
    /// The run was interrupted; it can be resumed.
    Interrupted,
}

/// A run in a store, ready to start or to continue.
pub struct Runner<'a> {
    /// The experiment.
    pub experiment: &'a dyn Experiment,
    /// The store of the trials.
    pub store: &'a Store,
    /// The run's record; a run of this name must be in the store.
    pub run: RunRecord,
    /// The number of points evaluated at once. It changes the speed, never the trials.
    pub threads: usize,
    /// A flag that asks the run to stop at the next opportunity.
    pub stop: &'a AtomicBool,
    /// The observer of the run's events.
    pub observer: &'a mut dyn Observer,
}

/// A controller with the number of combinations that it was asked for.
struct Live {
    controller: Box<dyn Controller>,
    asked: u64,
}

/// The state of a run between two trials.
struct State {
    progress: Progress,
    controllers: BTreeMap<String, Live>,
    journal: std::vec::IntoIter<Trial>,
    restore: Option<RunCheckpoint>,
    covered: u64,
    /// Time spent on evaluations since the last checkpoint.
    spent: Duration,
    /// The number of trials that the thresholds were checked against.
    judged: usize,
    /// True for each threshold that can no longer hold.
    lost: Vec<bool>,
}

impl State {
    /// The controller of a phase.
    fn live(&mut self, name: &str, phase: &Phase) -> Result<&mut Live, RunError> {
        self.controllers.get_mut(name).ok_or_else(|| RunError::Phase {
            phase: phase.name.clone(),
            reason: "its controller is gone".to_owned(),
        })
    }
}

impl Runner<'_> {
    /// Runs the experiment from the end of the store's journal to its end, its limit of trials or a request
    /// to stop.
    ///
    /// The stored trials up to the last checkpoint are taken as they are; those after it are replayed through
    /// the controllers.
    ///
    /// # Errors
    /// The store, the schedule or a controller fails, or the journal is not the one that the experiment
    /// produces. The run is then marked as failed, unless the store itself fails.
    pub fn run(mut self) -> Result<(RunEnd, Progress), RunError> {
        self.set_status(Status::Running)?;
        let result = self.go();
        let status = match &result {
            Ok((RunEnd::Finished, _)) => Status::Finished,
            Ok((RunEnd::Interrupted, _)) => Status::Interrupted,
            Err(error) => Status::Failed { reason: error.to_string() },
        };
        let recorded = self.set_status(status);
        let ended = result?;
        recorded?;
        Ok(ended)
    }

    fn set_status(&mut self, status: Status) -> Result<(), RunError> {
        self.run.status = status;
        self.run.touch();
        self.store.update_run(&self.run)?;
        self.store.sync()?;
        Ok(())
    }

    fn go(&mut self) -> Result<(RunEnd, Progress), RunError> {
        let mut evaluator = Evaluator::new(self.experiment, self.threads)?;
        let mut state = self.load()?;
        loop {
            let next = self.experiment.next_phase(&state.progress);
            if next.is_err() && self.experiment.obstacle() == Some(Obstacle::Interrupted) {
                self.checkpoint(&mut state)?;
                return Ok((RunEnd::Interrupted, state.progress));
            }
            let Some(phase) = next.map_err(RunError::Schedule)? else {
                self.expect_exhausted(&mut state)?;
                return Ok((RunEnd::Finished, state.progress));
            };
            let subspace = self.enter(&phase, &mut state)?;
            let index = state.progress.phases().len() - 1;
            let name = phase.keep.clone().unwrap_or_else(|| format!("phase {index}"));
            self.prepare_controller(&phase, &name, &subspace, &mut state)?;
            loop {
                self.restore_if_due(&mut state)?;
                if self.is_given_up(&mut state) {
                    self.checkpoint(&mut state)?;
                    return Ok((RunEnd::Finished, state.progress));
                }
                if is_over(&phase, &state.progress) {
                    break;
                }
                if self.run.steps.is_some_and(|limit| state.progress.steps() >= limit) {
                    self.checkpoint(&mut state)?;
                    return Ok((RunEnd::Finished, state.progress));
                }
                if !self.batch(&phase, &name, &subspace, &mut evaluator, &mut state)? {
                    return Ok((RunEnd::Interrupted, state.progress));
                }
                if self.stop.load(Ordering::Relaxed) {
                    self.checkpoint(&mut state)?;
                    return Ok((RunEnd::Interrupted, state.progress));
                }
                let due = state.progress.steps() >= state.covered + CHECKPOINT_EVERY;
                if due || state.spent >= COSTLY {
                    self.checkpoint(&mut state)?;
                }
            }
            self.checkpoint(&mut state)?;
            if phase.keep.is_none() {
                state.controllers.remove(&name);
            }
        }
    }

    fn load(&mut self) -> Result<State, RunError> {
        let run = &self.run.name;
        let trials = self.store.trials(run)?.collect::<Result<Vec<_>, _>>()?;
        let restore = match self.store.latest_checkpoint(run)? {
            None => None,
            Some((step, bytes)) => {
                let unusable = |error: postcard::Error| RunError::Checkpoint {
                    run: run.clone(),
                    step,
                    reason: error.to_string(),
                };
                Some(RunCheckpoint::decode(&bytes).map_err(unusable)?)
            }
        };
        let covered = restore.as_ref().map_or(0, |checkpoint| checkpoint.step);
        if covered > trials.len() as u64 {
            let reason = format!("it covers more than the {} stored trials", trials.len());
            return Err(RunError::Checkpoint { run: run.clone(), step: covered, reason });
        }
        if !trials.is_empty() {
            let trials = trials.len() as u64;
            self.observer.observe(Event::Resumed { trials, checkpoint: covered });
        }
        Ok(State {
            progress: Progress::new(self.experiment.objectives().to_vec(), self.run.seed),
            controllers: BTreeMap::new(),
            journal: trials.into_iter(),
            restore,
            covered,
            spent: Duration::ZERO,
            judged: 0,
            lost: vec![false; self.experiment.thresholds().len()],
        })
    }

    /// Starts the next phase, and adds it to the record or checks it against the record.
    fn enter(&mut self, phase: &Phase, state: &mut State) -> Result<Subspace, RunError> {
        let subspace = phase.subspace(self.experiment)?;
        let index = state.progress.phases().len();
        let record = PhaseRecord {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            name: phase.name.clone(),
            first_step: state.progress.steps(),
            steps: phase.steps,
            digest: blake3::hash(phase.description.as_bytes()).to_hex().to_string(),
        };
        match self.run.phases.get(index) {
            // The digest covers the limit of trials, which older records lack.
            Some(known) if PhaseRecord { steps: record.steps, ..known.clone() } == record => {}
            Some(known) => {
                return Err(self.diverged(
                    record.first_step,
                    format!("phase {index} was `{}` and is now `{}`", known.name, record.name),
                ));
            }
            None => {
                self.run.phases.push(record);
                self.store.update_run(&self.run)?;
            }
        }
        state.progress.enter(&phase.name);
        self.observer.observe(Event::PhaseStarted {
            index,
            name: &phase.name,
            controller: phase.controller.name(),
            steps: phase.steps,
            valid: phase.valid,
        });
        Ok(subspace)
    }

    fn prepare_controller(
        &self,
        phase: &Phase,
        name: &str,
        subspace: &Subspace,
        state: &mut State,
    ) -> Result<(), RunError> {
        if !state.controllers.contains_key(name) {
            let controller = phase
                .controller
                .build(SearchSpace::from(subspace), self.run.seed, name)
                .map_err(|source| RunError::Controller { phase: phase.name.clone(), source })?;
            state.controllers.insert(name.to_owned(), Live { controller, asked: 0 });
        }
        Ok(())
    }

    /// Restores the controllers from the checkpoint, once the journal has been read up to it.
    fn restore_if_due(&self, state: &mut State) -> Result<(), RunError> {
        let due = state.restore.as_ref().is_some_and(|checkpoint| {
            checkpoint.step == state.progress.steps()
                && checkpoint.phases as usize == state.progress.phases().len()
        });
        if !due {
            return Ok(());
        }
        let checkpoint = state.restore.take();
        for saved in checkpoint.into_iter().flat_map(|checkpoint| checkpoint.controllers) {
            let unusable = |reason: String| RunError::Checkpoint {
                run: self.run.name.clone(),
                step: state.covered,
                reason,
            };
            let live = state
                .controllers
                .get_mut(&saved.name)
                .ok_or_else(|| unusable(format!("no phase has its controller `{}`", saved.name)))?;
            live.controller.restore(&saved.state).map_err(|error| unusable(error.to_string()))?;
            live.asked = saved.asked;
        }
        Ok(())
    }

    /// Processes the combinations up to the controller's next update; `false` if interrupted.
    fn batch(
        &mut self,
        phase: &Phase,
        name: &str,
        subspace: &Subspace,
        evaluator: &mut Evaluator<'_>,
        state: &mut State,
    ) -> Result<bool, RunError> {
        let quota = self.quota(phase, name, state)?;
        if state.restore.is_some() {
            self.read_again(quota, state)?;
            return Ok(true);
        }
        let failed = |source| RunError::Controller { phase: phase.name.clone(), source };
        let mut points = Vec::with_capacity(usize::try_from(quota).unwrap_or(0));
        for _ in 0..quota {
            let options = state.live(name, phase)?.controller.ask().map_err(failed)?;
            points.push(subspace.point(&options));
        }
        let mut done = self.replay(&points, state)?;
        let rest = &points[done.len()..];
        if !self.evaluate(rest, phase, evaluator, state, &mut done)? {
            return Ok(false);
        }
        for trial in done {
            let feedback = told(state.progress.objectives(), &trial.outcome);
            state.live(name, phase)?.controller.tell(feedback).map_err(failed)?;
        }
        Ok(true)
    }

    /// The number of combinations up to the controller's next update, the end of the phase or of the run.
    /// They count as asked for.
    fn quota(&self, phase: &Phase, name: &str, state: &mut State) -> Result<u64, RunError> {
        let first = state.progress.steps();
        let in_phase = state.progress.phases().last().map_or(0, |phase| phase.steps);
        // A limit of trials may have cut the batch before the checkpoint.
        let restored =
            state.restore.as_ref().map_or(u64::MAX, |checkpoint| checkpoint.step - first);
        let live = state.live(name, phase)?;
        let size = live.controller.batch().max(1) as u64;
        let quota = (size - live.asked % size)
            .min(phase.steps.map_or(u64::MAX, |steps| steps - in_phase))
            .min(self.run.steps.map_or(u64::MAX, |limit| limit - first))
            .min(restored);
        live.asked += quota;
        Ok(quota)
    }

    /// Reads trials that the checkpoint covers from the journal.
    fn read_again(&self, quota: u64, state: &mut State) -> Result<(), RunError> {
        let first = state.progress.steps();
        for _ in 0..quota {
            let Some(trial) = state.journal.next() else {
                return Err(self.diverged(first, "the journal ends too early".to_owned()));
            };
            self.add(Arc::new(trial), &mut state.progress)?;
        }
        Ok(())
    }

    /// Takes the trials of points from the journal, as far as it has them. Each must have the point that is
    /// stored.
    fn replay(&self, points: &[Point], state: &mut State) -> Result<Vec<Arc<Trial>>, RunError> {
        let phase = state.progress.phases().len() - 1;
        let mut done: Vec<Arc<Trial>> = Vec::with_capacity(points.len());
        for point in points {
            let Some(trial) = state.journal.as_slice().first() else { break };
            if trial.point != point.0 || trial.phase as usize != phase {
                let difference = format!(
                    "stored is {:?} of phase {}, but the controller proposes {:?} in phase {phase}",
                    trial.point, trial.phase, point.0
                );
                return Err(self.diverged(state.progress.steps(), difference));
            }
            let trial = Arc::new(trial.clone());
            state.journal.next();
            done.push(trial.clone());
            self.add(trial, &mut state.progress)?;
        }
        Ok(done)
    }

    /// Evaluates points a block at a time, commits their trials and adds them to `done`; `false` if
    /// interrupted.
    fn evaluate(
        &mut self,
        points: &[Point],
        phase: &Phase,
        evaluator: &mut Evaluator<'_>,
        state: &mut State,
        done: &mut Vec<Arc<Trial>>,
    ) -> Result<bool, RunError> {
        let mut rest = points;
        let mut block = self.threads.max(1);
        while !rest.is_empty() {
            let step = state.progress.steps();
            // A run that is given up ends at the same trial whatever the blocks.
            let hopeful = match state.progress.failed() == step && step < HOPELESS {
                true => usize::try_from(HOPELESS - step).unwrap_or(usize::MAX),
                false => usize::MAX,
            };
            let (now, later) = rest.split_at(block.min(hopeful).min(rest.len()));
            let started = Instant::now();
            let evaluated = evaluator.evaluate(now, phase);
            state.spent += started.elapsed();
            match self.experiment.obstacle() {
                Some(Obstacle::Interrupted) => return Ok(false),
                Some(Obstacle::Unusable) => {
                    let mut failures =
                        evaluated.iter().filter_map(|(found, _)| found.failure.as_ref());
                    if let Some(failure) = failures.next() {
                        return Err(RunError::Unusable(failure.clone()));
                    }
                }
                None => {}
            }
            self.note_provenance()?;
            self.commit(now, evaluated, state, done)?;
            rest = later;
            let progress = &state.progress;
            if progress.failed() == progress.steps() && progress.steps() >= HOPELESS {
                (self.run.trials, self.run.failed) = (progress.steps(), progress.failed());
                return Err(failed_alike(progress));
            }
            if !rest.is_empty() && self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            // How many trials share a commit decides nothing but how much a kill can cost.
            if started.elapsed() < COMMIT_WITHIN {
                block *= 4;
            }
        }
        Ok(true)
    }

    /// Appends the trials of points to the journal, and notifies the observer.
    fn commit(
        &mut self,
        points: &[Point],
        evaluated: Vec<(Evaluated, TrialCost)>,
        state: &mut State,
        done: &mut Vec<Arc<Trial>>,
    ) -> Result<(), RunError> {
        let phase = state.progress.phases().len() - 1;
        let mut entries = Vec::with_capacity(points.len());
        for ((point, (found, effort)), step) in
            points.iter().zip(evaluated).zip(state.progress.steps()..)
        {
            if let Some(failure) = found.failure {
                state.progress.note_failure(failure);
            }
            let trial = trial(self.experiment, step, phase, point, found.outcome);
            entries.push(Entry { trial, effort });
        }
        self.store.append(&self.run.name, &entries)?;
        let (trials, efforts): (Vec<Arc<Trial>>, Vec<TrialCost>) =
            entries.into_iter().map(|entry| (Arc::new(entry.trial), entry.effort)).unzip();
        for trial in &trials {
            done.push(trial.clone());
            self.add(trial.clone(), &mut state.progress)?;
        }
        let progress = &state.progress;
        self.observer.observe(Event::Committed { trials: &trials, efforts: &efforts, progress });
        Ok(())
    }

    /// Records the provenance of the numbers, before they are stored.
    fn note_provenance(&mut self) -> Result<(), RunError> {
        if record_provenance(&mut self.run, self.experiment.provenance())? {
            self.store.update_run(&self.run)?;
        }
        Ok(())
    }

    fn add(&self, trial: Arc<Trial>, progress: &mut Progress) -> Result<(), RunError> {
        let step = trial.step;
        // The first finished trial says which metrics there are.
        if let Outcome::Done { metrics, .. } = &trial.outcome
            && progress.failed() == progress.steps()
        {
            self.experiment.thresholds().iter().try_for_each(|known| known.check(metrics))?;
        }
        progress
            .add(trial)
            .map_err(|MissingMetric(metric)| RunError::MissingObjective { step, metric })
    }

    /// Returns true if a threshold that stops the run can no longer hold. Each lost threshold is reported
    /// once.
    ///
    /// It is called between batches only, so that a run ends at the same trial wherever it was interrupted.
    fn is_given_up(&mut self, state: &mut State) -> bool {
        let (progress, thresholds) = (&state.progress, self.experiment.thresholds());
        let new = &progress.trials()[state.judged..];
        for (threshold, lost) in thresholds.iter().zip(&mut state.lost) {
            if let Some(value) = threshold.lost(progress, new).filter(|_| !*lost) {
                *lost = true;
                let step = progress.steps();
                self.observer.observe(Event::ThresholdLost { threshold, value, step });
            }
        }
        state.judged = progress.trials().len();
        thresholds.iter().zip(&state.lost).any(|(threshold, lost)| threshold.stops && *lost)
    }

    /// Saves the controllers, at a step at which none of them waits for a reward.
    fn checkpoint(&mut self, state: &mut State) -> Result<(), RunError> {
        let step = state.progress.steps();
        if state.restore.is_some() || (step == state.covered && step > 0) {
            return Ok(());
        }
        let mut controllers = Vec::with_capacity(state.controllers.len());
        for (name, live) in &state.controllers {
            let saved = live
                .controller
                .save()
                .map_err(|source| RunError::Controller { phase: name.clone(), source })?;
            controllers.push(SavedController {
                name: name.clone(),
                asked: live.asked,
                state: saved,
            });
        }
        let phases = u32::try_from(state.progress.phases().len()).unwrap_or(u32::MAX);
        let checkpoint = RunCheckpoint { step, phases, controllers };
        let bytes = checkpoint.encode().map_err(|error| RunError::Checkpoint {
            run: self.run.name.clone(),
            step,
            reason: error.to_string(),
        })?;
        self.run.objectives = state.progress.objectives().to_vec();
        self.run.trials = step;
        self.run.failed = state.progress.failed();
        self.run.touch();
        self.store.update_run(&self.run)?;
        self.store.save_checkpoint(&self.run.name, step, &bytes)?;
        self.store.sync()?;
        (state.covered, state.spent) = (step, Duration::ZERO);
        self.observer.observe(Event::Checkpoint { step });
        Ok(())
    }

    fn expect_exhausted(&self, state: &mut State) -> Result<(), RunError> {
        match state.journal.next() {
            None => Ok(()),
            Some(trial) => {
                Err(self.diverged(trial.step, "the schedule ends before the journal".to_owned()))
            }
        }
    }

    fn diverged(&self, step: u64, difference: String) -> RunError {
        RunError::Diverged { run: self.run.name.clone(), step, difference }
    }
}

/// Creates the trial of a point.
pub(super) fn trial(
    experiment: &dyn Experiment,
    step: u64,
    phase: usize,
    point: &Point,
    outcome: Outcome,
) -> Trial {
    let space = experiment.space();
    let names = space.parts().iter().map(|part| part.name.clone());
    Trial {
        step,
        phase: u32::try_from(phase).unwrap_or(u32::MAX),
        point: point.0.clone(),
        text: names.zip(space.texts(point)).collect(),
        outcome,
    }
}

/// The feedback of an outcome for the controller.
pub(super) fn told(objectives: &[Objective], outcome: &Outcome) -> Feedback {
    match outcome {
        Outcome::Done { metrics, reward, valid } => Feedback {
            reward: Some(*reward),
            valid: *valid,
            costs: costs(objectives, metrics).unwrap_or_default(),
        },
        Outcome::Failed { .. } => Feedback::failed(),
    }
}

/// Returns true if a phase has ended.
pub(super) fn is_over(phase: &Phase, progress: &Progress) -> bool {
    let Some(now) = progress.phases().last() else { return true };
    phase.steps.is_some_and(|steps| now.steps >= steps)
        || phase.valid.is_some_and(|valid| now.valid >= valid)
}

/// The error of a run all of whose trials failed, however few; `None` of other runs.
pub fn all_failed(progress: &Progress) -> Option<RunError> {
    let all = progress.steps() > 0 && progress.failed() == progress.steps();
    all.then(|| failed_alike(progress))
}

fn failed_alike(progress: &Progress) -> RunError {
    let first = progress.first_failure().unwrap_or_else(|| Failure::new(""));
    RunError::AllFailed { trials: progress.steps(), first }
}
