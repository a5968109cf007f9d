//! A dry run of an experiment: a few evaluations and a rehearsal of its phases.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cli::common::error::CliError;
use tandem::accuracy::training_cache::TrainingEstimate;
use tandem::metrics::Metrics;
use tandem::run::{
    DryRun, DryRunEnd, Experiment, Failure, Obstacle, Progress, RunError, evaluate_finite,
};
use tandem::script::Diagnostic;
use tandem::session::Loaded;
use tandem::space::Point;
use tandem::store::TrialBlock;
use tandem::util::rng::stream;

/// The number of points that are drawn and evaluated.
pub const POINTS: usize = 8;

/// The time after which no more points are evaluated, once there are [`FEWEST`].
const EVALUATE_FOR: Duration = Duration::from_secs(2);
const FEWEST: usize = 2;

/// The ratio of the first point's time to the median above which the first point counts as reading tables.
const READS_TABLES: f64 = 3.0;

/// The time limit of the rehearsal, not counting trainings.
const REHEARSE_FOR: Duration = Duration::from_millis(350);

/// A check of a point's result, which fails as a run would.
type Judge<'a> = dyn Fn(&Result<Metrics, Failure>) -> Result<(), Failure> + 'a;

/// A check of a point before its evaluation; returns the failure if there is one.
type Screen<'a> = dyn Fn(&Point) -> Option<Failure> + 'a;

/// The result of a dry run.
pub struct Tried {
    /// The number of points that were drawn and evaluated.
    pub points: usize,
    /// The metrics of the points that could be evaluated.
    pub metrics: Vec<Metrics>,
    /// The metrics that depend on trainings and are made up here.
    pub made_up: BTreeSet<String>,
    /// The durations of evaluations without trainings, in seconds, ascending.
    pub seconds: Vec<f64>,
    /// The duration of the first point in seconds, if it was slow enough to count as reading tables.
    pub first_s: Option<f64>,
    /// The number of points that need a training that is not in the store.
    pub untrained: usize,
    /// The number of requested trainings that are in the store.
    pub found: usize,
    /// The trainings that the points and phases need, which were skipped.
    pub left_out: Vec<TrainingEstimate>,
    /// The further trainings that the summary needs.
    pub of_summary: Vec<TrainingEstimate>,
    /// The rehearsal of the phases; `None` if the experiment cannot run.
    pub dry_run: Option<DryRun>,
    /// The keys of the trainings that each phase requests.
    pub trainings: Vec<BTreeSet<String>>,
    /// The bytes that a trial takes in the store.
    pub stored_bytes: Option<f64>,
    /// Likely mistakes.
    pub warnings: Vec<Diagnostic>,
}

impl Tried {
    /// Does a dry run of an experiment; `runs` is true if it can be run.
    ///
    /// # Errors
    /// If a run would end with an error: no point can be evaluated or judged, a function of the script
    /// returns a wrong value, or the first phase is invalid.
    pub fn of(loaded: &Loaded, runs: bool) -> Result<Self, CliError> {
        let script = &loaded.script;
        let seed = loaded.settings.seed.unwrap_or(0);
        let fail = |failure: Failure| loaded.failure(&failure);
        let nothing = Progress::new(script.objectives().to_vec(), seed);
        let phase = if runs { script.next_phase(&nothing).map_err(fail)? } else { None };
        if let Some(phase) = &phase {
            phase.subspace(script).map_err(|error| loaded.explain(error))?;
        }
        let trainer = script.services().trainer();
        trainer.rehearse(0);
        let mut tried = Self {
            points: 0,
            metrics: Vec::new(),
            made_up: BTreeSet::new(),
            seconds: Vec::new(),
            first_s: None,
            untrained: 0,
            found: 0,
            left_out: Vec::new(),
            of_summary: Vec::new(),
            dry_run: None,
            trainings: Vec::new(),
            stored_bytes: None,
            warnings: Vec::new(),
        };
        if script.defines("evaluate") {
            let points = Self::draw(loaded)?;
            let judge = |values: &Result<Metrics, Failure>| match &phase {
                Some(phase) => phase.judge(values).failure.map_or(Ok(()), Err),
                None => values.as_ref().map(|_| ()).map_err(Clone::clone),
            };
            let known = |point: &Point| phase.as_ref()?.screened(point)?.failure;
            tried.evaluate(loaded, &points, (&known, &judge))?;
            if script.defines("training") {
                script.training(&points[0]).map_err(fail)?;
            }
        }
        if runs {
            tried.rehearse(loaded)?;
        }
        tried.left_out = trainer.left_out();
        tried.found = trainer.found();
        tried.summarize(loaded);
        tried.look_at_metrics(loaded);
        tried.look_at_limits(loaded);
        Ok(tried)
    }

    fn draw(loaded: &Loaded) -> Result<Vec<Point>, CliError> {
        let mut rng = stream(loaded.settings.seed.unwrap_or(0), "check", 0);
        let draw = |_| loaded.script.space().draw(&mut rng);
        let points: Result<Vec<Point>, _> = (0..POINTS).map(draw).collect();
        points.map_err(|error| CliError::Experiment { rendered: format!("error: {error}") })
    }

    /// Evaluates points; fails if none of them succeeds.
    fn evaluate(
        &mut self,
        loaded: &Loaded,
        points: &[Point],
        (screen, judge): (&Screen<'_>, &Judge<'_>),
    ) -> Result<(), CliError> {
        let script = &loaded.script;
        let trainer = script.services().trainer();
        let mut failures: Vec<Failure> = Vec::new();
        let mut seconds: Vec<f64> = Vec::with_capacity(points.len());
        let begun = Instant::now();
        for point in points {
            if self.points >= FEWEST && begun.elapsed() > EVALUATE_FOR {
                break;
            }
            let started = Instant::now();
            let values = match screen(point) {
                Some(failure) => Err(failure),
                None => evaluate_finite(script, point),
            };
            seconds.push(started.elapsed().as_secs_f64());
            let trains = !trainer.take_asked().is_empty();
            self.untrained += usize::from(trains);
            self.points += 1;
            if let Err(failure) = judge(&values) {
                if script.obstacle() == Some(Obstacle::Unusable) {
                    return Err(loaded.failure(&failure).into());
                }
                failures.push(failure);
                continue;
            }
            let Ok(values) = values else { continue };
            require_metrics(loaded, &values)?;
            if trains && self.made_up.is_empty() {
                trainer.rehearse(1);
                let other = evaluate_finite(script, point).unwrap_or_default();
                trainer.rehearse(0);
                let differs = |(name, value): &(&String, &f64)| other.get(*name) != Some(*value);
                self.made_up =
                    values.iter().filter(differs).map(|(name, _)| name.clone()).collect();
                trainer.take_asked();
            }
            self.metrics.push(values);
        }
        // Evaluations that a training was measured in say nothing of the others.
        if self.untrained == 0
            && let Some((&first, others)) = seconds.split_first()
        {
            self.seconds = others.to_vec();
            self.seconds.sort_by(f64::total_cmp);
            let reads = |other| first > READS_TABLES * other;
            self.first_s = median(&self.seconds).is_some_and(reads).then_some(first);
        }
        let Some(first) = failures.first() else { return Ok(()) };
        if self.metrics.is_empty() {
            return Err(loaded.failure(first).into());
        }
        let (failed, points) = (failures.len(), self.points);
        let message = format!("{failed} of {points} points fail, the first with: ");
        self.warnings.push(told_with(&message, first));
        Ok(())
    }

    /// Rehearses the phases.
    fn rehearse(&mut self, loaded: &Loaded) -> Result<(), CliError> {
        let script = &loaded.script;
        let trainer = script.services().trainer();
        let mut trainings: Vec<BTreeSet<String>> = Vec::new();
        let mut evaluated = |phase: usize| {
            trainings.resize_with(trainings.len().max(phase + 1), BTreeSet::new);
            trainings[phase].extend(trainer.take_asked());
        };
        let (seed, limit) = (loaded.settings.seed.unwrap_or(0), loaded.settings.steps);
        let dry_run = DryRun::of(script, seed, limit, REHEARSE_FOR, &mut evaluated)
            .map_err(|error| loaded.explain(error))?;
        if let DryRunEnd::Failed(failure) = &dry_run.end {
            let after = dry_run.phases.last().map_or("", |phase| &phase.name);
            let message =
                format!("as it was tried out, schedule(run) fails after phase `{after}`: ");
            self.warnings.push(told_with(&message, failure));
        }
        self.warn_of_phases(&dry_run);
        if self.untrained == 0 {
            // What a phase asks for tells more than points of the whole space do, if it is not too little.
            if dry_run.entries.len() >= POINTS {
                self.seconds.clear();
            }
            self.seconds.extend(dry_run.entries.iter().map(|entry| entry.effort.seconds()));
            self.seconds.sort_by(f64::total_cmp);
        }
        let entries = &dry_run.entries[..dry_run.entries.len().min(TrialBlock::LEN as usize)];
        #[expect(clippy::cast_precision_loss, reason = "some kilobytes")]
        if entries.len() >= 64
            && let Some(bytes) = TrialBlock::of(entries.iter()).stored_bytes()
        {
            self.stored_bytes = Some(bytes as f64 / entries.len() as f64);
        }
        self.trainings = trainings;
        self.dry_run = Some(dry_run);
        Ok(())
    }

    /// Warns of phases in which every rehearsed point fails.
    fn warn_of_phases(&mut self, dry_run: &DryRun) {
        for (index, phase) in (0..).zip(&dry_run.phases) {
            let mut of_phase = dry_run.entries.iter().filter(|entry| entry.trial.phase == index);
            let Some(first) = &phase.failure else { continue };
            if of_phase.any(|entry| entry.trial.outcome.failure().is_none()) {
                continue;
            }
            let message = format!(
                "as phase `{}` was tried out, every point fails, the first with: ",
                phase.name
            );
            self.warnings.push(told_with(&message, first));
        }
    }

    /// Calls the script's summary with the rehearsed run.
    fn summarize(&mut self, loaded: &Loaded) {
        let Some(dry_run) = &self.dry_run else { return };
        if let Err(failure) = loaded.script.summary(&dry_run.progress) {
            let message = "as it was tried out, summary(run) fails: ";
            self.warnings.push(told_with(message, &failure));
        }
        let known = self.left_out.len();
        self.of_summary = loaded.script.services().trainer().left_out().split_off(known);
    }

    /// Warns of objectives with the same value at all points.
    fn look_at_metrics(&mut self, loaded: &Loaded) {
        let entries = self.dry_run.iter().flat_map(|dry_run| &dry_run.entries);
        let tried = entries.map(|entry| entry.trial.outcome.metrics()).chain(&self.metrics);
        let tried: Vec<&Metrics> = tried.collect();
        for objective in loaded.script.objectives() {
            let metric = &objective.metric;
            let values: Vec<f64> = tried.iter().filter_map(|m| m.get(metric)).copied().collect();
            let Some(value) = values.first().filter(|_| values.len() >= POINTS) else { continue };
            if values.iter().all(|other| other == value) {
                let message =
                    format!("the objective `{metric}` is {value} at every point that was tried");
                let help = "it makes no difference to the frontier";
                self.warnings.push(Diagnostic::new(message).with_help(help));
            }
        }
    }

    /// Warns of a time limit that evaluations come close to.
    fn look_at_limits(&mut self, loaded: &Loaded) {
        let limit = loaded.settings.limits.seconds;
        let Some(&most) = self.seconds.last() else { return };
        if limit > 0.0 && most > limit / 2.0 {
            let message = format!(
                "a point took {}, and `limits.seconds` ends a call after {limit} s",
                tandem::report::duration(most)
            );
            let help = "raise it: another machine may be slower";
            self.warnings.push(Diagnostic::new(message).with_help(help));
        }
    }
}

/// The median of ascending numbers, the upper one of two.
fn median(ascending: &[f64]) -> Option<f64> {
    ascending.get(ascending.len() / 2).copied()
}

/// Refuses metrics that lack one that an objective or threshold needs.
fn require_metrics(loaded: &Loaded, values: &Metrics) -> Result<(), CliError> {
    for objective in loaded.script.objectives() {
        if !values.contains_key(&objective.metric) {
            let known = values.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(CliError::Experiment {
                rendered: format!(
                    "error: objectives() names `{}`, but evaluate(point) gives {known}",
                    objective.metric
                ),
            });
        }
    }
    for threshold in loaded.script.thresholds() {
        threshold.check(values).map_err(|error| loaded.explain(RunError::Threshold(error)))?;
    }
    Ok(())
}

/// The diagnostic of a failed call, with its place if that is known, after the text `before`.
fn told_with(before: &str, failure: &Failure) -> Diagnostic {
    match failure.cause::<Diagnostic>() {
        Some(known) => {
            let message = format!("{before}{}", known.message);
            Diagnostic { message, ..known.clone() }
        }
        None => Diagnostic::new(format!("{before}{failure}")),
    }
}
