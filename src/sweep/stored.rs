//! Sweeps in a store: checkpoints during the sweep, trials at the end.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::metrics::Metrics;
use crate::run::{Failure, Provenance, RunEnd, RunError, record_provenance};
use crate::space::{Point, Space};
use crate::store::{
    Entry, GoalRecord, Outcome, PhaseRecord, RunRecord, Status, Store, SweepRecord, Trial,
};
use crate::sweep::{Results, Sweeping, SweptPair};

/// The time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// The metric with the number of pairs that have exactly a frontier point's metrics.
pub const PAIRS: &str = "pairs";

/// The name of the phase that holds the frontier.
pub const FRONTIER: &str = "frontier";

/// The experiment's evaluation of a pair that a sweep found.
pub struct JudgedPair {
    /// All metrics of the pair.
    pub metrics: Metrics,
    /// The experiment's own reward, and true if the pair is feasible; none for an experiment without a
    /// reward.
    pub reward: Option<(f64, bool)>,
}

/// Progress of a sweep.
#[derive(Clone, Debug)]
pub struct SweepProgress {
    /// The number of networks done.
    pub networks: u64,
    /// The number of points on the frontier so far.
    pub frontier: usize,
    /// A message if many pairs have failed and none has run so far.
    pub all_failed: Option<String>,
}

/// A sweep in a store, ready to start or to resume.
pub struct SweepRunner<'a, S: Sweeping> {
    /// The sweep.
    pub sweep: &'a S,
    /// The space of the pairs.
    pub space: &'a Space,
    /// Maps the numbers of a network and a configuration to a point.
    pub point: &'a (dyn Fn(u32, u32) -> Point + Sync),
    /// Evaluates the experiment at a point with the given metrics.
    pub judge: &'a dyn Fn(&Point, Metrics) -> Result<JudgedPair, Failure>,
    /// The store of the sweep.
    pub store: &'a Store,
    /// The run's record; its name must be in the store, and `sweep` must be set.
    pub run: RunRecord,
    /// Returns the provenance of the results so far.
    pub provenance: &'a dyn Fn() -> Provenance,
    /// A request to stop at the next opportunity.
    pub stop: &'a AtomicBool,
    /// A callback for progress.
    pub observer: &'a mut dyn FnMut(SweepProgress),
}

impl<S: Sweeping> SweepRunner<'_, S> {
    /// Sweeps from the last checkpoint until the end or a request to stop. At the end, the frontier and the
    /// best pairs are stored as trials.
    ///
    /// # Errors
    /// Returns an error if the store fails, a checkpoint cannot be used, a pair cannot be evaluated, or the
    /// experiment contradicts the sweep.
    pub fn run(mut self) -> Result<(RunEnd, RunRecord), RunError> {
        let end = self.carry_out();
        if let Err(error @ (RunError::Sweep(_) | RunError::Contradiction { .. })) = &end {
            self.run.status = Status::Failed { reason: error.to_string() };
            self.run.touch();
            self.store.update_run(&self.run)?;
        }
        Ok((end?, self.run))
    }

    fn carry_out(&mut self) -> Result<RunEnd, RunError> {
        let name = self.run.name.clone();
        let mut state = self.restore()?;
        self.run.status = Status::Running;
        self.save(&state, 0.0)?;
        let before = self.run.sweep.as_ref().map_or(0.0, |sweep| sweep.seconds);
        let started = Instant::now();
        let (mut saved, mut failed) = (Instant::now(), None);
        let sweep = self.sweep;
        let ended = sweep.advance(&mut state, &mut |state| {
            let done = sweep.done(state);
            let (networks, frontier) = (done.networks, done.frontier);
            let all_failed = sweep.all_failed(state);
            (self.observer)(SweepProgress { networks, frontier, all_failed });
            let stopping = self.stop.load(Ordering::Relaxed);
            if stopping || saved.elapsed() >= CHECKPOINT_EVERY {
                let seconds = before + started.elapsed().as_secs_f64();
                if let Err(error) = self.checkpoint(&name, state, seconds) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                saved = Instant::now();
            }
            if stopping { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let reached = ended.map_err(|error| RunError::Sweep(error.to_string()))?;
        let seconds = before + started.elapsed().as_secs_f64();
        if !reached {
            self.run.status = Status::Interrupted;
            self.save(&state, seconds)?;
            return Ok(RunEnd::Interrupted);
        }
        self.checkpoint(&name, &state, seconds)?;
        self.finish(&state, seconds)?;
        Ok(RunEnd::Finished)
    }

    fn restore(&self) -> Result<S::State, RunError> {
        let Some((step, bytes)) = self.store.latest_checkpoint(&self.run.name)? else {
            return Ok(self.sweep.start());
        };
        postcard::from_bytes(&bytes).map_err(|error| RunError::Checkpoint {
            run: self.run.name.clone(),
            step,
            reason: error.to_string(),
        })
    }

    fn checkpoint(&mut self, name: &str, state: &S::State, seconds: f64) -> Result<(), RunError> {
        // Before what was found is kept: it may not be of other data than what was found before.
        record_provenance(&mut self.run, (self.provenance)())?;
        let step = self.sweep.done(state).networks;
        let bytes = postcard::to_stdvec(state).map_err(|error| RunError::Checkpoint {
            run: name.to_owned(),
            step,
            reason: error.to_string(),
        })?;
        self.store.save_checkpoint(name, step, &bytes)?;
        self.save(state, seconds)?;
        Ok(self.store.sync()?)
    }

    /// Updates the run's record in the store.
    fn save(&mut self, state: &S::State, seconds: f64) -> Result<(), RunError> {
        let done = self.sweep.done(state);
        let record = self.run.sweep.get_or_insert_with(SweepRecord::default);
        record.done = done.networks;
        record.frontier = done.frontier as u64;
        record.running = done.running;
        record.seconds = record.seconds.max(seconds);
        self.run.touch();
        Ok(self.store.update_run(&self.run)?)
    }

    /// Stores the trials, unless they are stored already, and finishes the run.
    fn finish(&mut self, state: &S::State, seconds: f64) -> Result<(), RunError> {
        let results = self.sweep.results(state);
        let (trials, phases) = self.trials(&results)?;
        record_provenance(&mut self.run, (self.provenance)())?;
        let count = trials.len() as u64;
        if self.store.trial_count(&self.run.name)? == 0 {
            let entries: Vec<Entry> = trials.into_iter().map(Entry::from).collect();
            self.store.append(&self.run.name, &entries)?;
        }
        let goals = results.best.into_iter().map(|best| GoalRecord {
            name: best.name,
            objective: best.objective,
            valid: best.valid,
            nearest: best.nearest,
        });
        let goals = goals.collect();
        self.run.phases = phases;
        self.run.trials = count;
        self.run.status = Status::Finished;
        if let Some(record) = &mut self.run.sweep {
            record.goals = goals;
            record.ranges = results.ranges;
            record.notes = results.notes;
        }
        self.save(state, seconds)?;
        Ok(self.store.sync()?)
    }

    /// The frontier and the best pairs of each objective as trials; each of them is a phase.
    fn trials(&self, results: &Results) -> Result<(Vec<Trial>, Vec<PhaseRecord>), RunError> {
        let mut trials = Vec::new();
        let mut phases = vec![phase(0, FRONTIER, 0)];
        for kept in &results.frontier {
            let (point, mut judged) = self.judged(kept, kept.metrics.clone())?;
            // A metric of the experiment's own stays.
            judged.metrics.entry(PAIRS.to_owned()).or_insert(kept.pairs as f64);
            // A point of the frontier has no reward but the experiment's.
            let accuracy = kept.metrics.get("accuracy").copied().unwrap_or(0.0);
            let (reward, valid) = judged.reward.unwrap_or((accuracy, true));
            let outcome = Outcome::Done { metrics: judged.metrics, reward, valid };
            trials.push(self.trial(trials.len(), 0, point, outcome));
        }
        for (best, number) in results.best.iter().zip(1..) {
            phases.push(phase(number, &best.name, trials.len() as u64));
            for (reward, kept) in &best.pairs {
                let (point, mut judged) = self.judged(kept, kept.metrics.clone())?;
                if let Some((reward, _)) = judged.reward {
                    judged.metrics.insert("own_reward".to_owned(), reward);
                }
                let (metrics, reward) = (judged.metrics, *reward);
                let outcome = Outcome::Done { metrics, reward, valid: true };
                trials.push(self.trial(trials.len(), number, point, outcome));
            }
        }
        Ok((trials, phases))
    }

    /// Returns the point of a pair and the experiment's evaluation of it.
    fn judged(&self, kept: &SweptPair, metrics: Metrics) -> Result<(Point, JudgedPair), RunError> {
        let point = (self.point)(kept.network, kept.configuration);
        let judged = (self.judge)(&point, metrics)
            .map_err(|failure| RunError::Contradiction { pair: self.texts(&point), failure })?;
        Ok((point, judged))
    }

    fn texts(&self, point: &Point) -> String {
        self.space.texts(point).join(" on ")
    }

    fn trial(&self, step: usize, phase: u32, point: Point, outcome: Outcome) -> Trial {
        let names = self.space.parts().iter().map(|part| part.name.clone());
        let text = names.zip(self.space.texts(&point)).collect();
        Trial { step: step as u64, phase, point: point.0, text, outcome }
    }
}

fn phase(index: u32, name: &str, first_step: u64) -> PhaseRecord {
    PhaseRecord { index, name: name.to_owned(), first_step, steps: None, digest: String::new() }
}
