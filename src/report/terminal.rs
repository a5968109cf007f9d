//! The progress of a run on the terminal.

use std::io::{stderr, stdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use terminal_size::{Height, Width, terminal_size_of};

use super::active_bar;
use super::run_progress::RunProgress;
use super::training::describe;
use super::verbosity::Verbosity;
use crate::accuracy::training_cache::TrainingEvent;
use crate::note;
use crate::run::{Event, Observer};

/// The width of a terminal that does not report one.
const WIDTH: usize = 80;

/// A view of a run on standard error: two lines that are redrawn if there is a terminal, else a line now and
/// then.
pub struct Terminal {
    course: Arc<Mutex<RunProgress>>,
    /// The lines that are redrawn, on a terminal.
    bar: Option<ProgressBar>,
    is_live: bool,
}

impl Terminal {
    /// Creates a view of a run with at most `limit` trials.
    pub fn new(limit: Option<u64>) -> Self {
        let course = Arc::new(Mutex::new(RunProgress::new(limit, Instant::now())));
        Self { course, bar: None, is_live: Verbosity::get().is_live() }
    }

    /// Returns an observer that shows the training runs of the run beside its trials.
    pub fn trainings(&self) -> impl Fn(&TrainingEvent<'_>) + Send + Sync + use<> {
        let (course, is_live) = (self.course.clone(), self.is_live);
        move |event| {
            if let TrainingEvent::Step { progress, .. } = event {
                let mut course = lock(&course);
                course.train(describe(progress));
                if !is_live && let Some(line) = course.line(Instant::now()) {
                    note!("{line}");
                }
            }
        }
    }

    /// Starts to draw.
    fn draw(&self) -> ProgressBar {
        // A terminal that is gone takes nothing.
        let course = self.course.clone();
        let work = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let [work, _] = lock(&course).lines(width());
            let _ = out.write_str(&work);
        };
        let course = self.course.clone();
        let found = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let width = width();
            let [_, found] = lock(&course).lines(width);
            let _ = out.write_str(&active_bar::last_line(&found, width));
        };
        let bar = ProgressBar::hidden();
        if let Ok(style) = ProgressStyle::with_template("{work}\n{found}") {
            bar.set_style(style.with_key("work", work).with_key("found", found));
        }
        active_bar::draw(&bar);
        bar.enable_steady_tick(Duration::from_millis(150));
        bar
    }
}

impl Observer for Terminal {
    fn observe(&mut self, event: Event<'_>) {
        let now = Instant::now();
        match event {
            Event::Resumed { trials, checkpoint } => {
                note!("resuming: {trials} trials stored, checkpoint at {checkpoint}");
            }
            Event::PhaseStarted { name, controller, steps, valid, .. } => {
                lock(&self.course).enter(name, steps, valid, now);
                if self.is_live {
                    if self.bar.is_none() {
                        self.bar = Some(self.draw());
                    }
                } else {
                    let steps = steps.map_or_else(String::new, |s| format!(", up to {s} trials"));
                    let valid = valid.map_or_else(String::new, |v| format!(" or {v} valid"));
                    note!("phase {name}: {controller}{steps}{valid}");
                }
            }
            Event::Committed { efforts, progress, .. } => {
                let mut course = lock(&self.course);
                course.add(efforts, progress, now);
                if !self.is_live
                    && let Some(line) = course.line(now)
                {
                    note!("{line}");
                }
            }
            Event::ThresholdLost { threshold, value, step } => {
                let ends = if threshold.stops { "; the run ends" } else { "" };
                note!(
                    "threshold `{threshold}` can no longer hold: {} is {value} after {step} trials{ends}",
                    threshold.quantity
                );
            }
            Event::Checkpoint { .. } => {}
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// The columns of the terminal of standard error, or 80 if they are unknown.
pub(super) fn width() -> usize {
    columns_of_notes().unwrap_or(WIDTH)
}

/// The columns of the terminal of standard error; `None` if it is not one.
pub fn columns_of_notes() -> Option<usize> {
    columns(terminal_size_of(stderr()))
}

/// The columns of the terminal of standard output; `None` if it is not one.
pub fn columns_of_results() -> Option<usize> {
    columns(terminal_size_of(stdout()))
}

/// The rows of the terminal of standard output; `None` if it is not one.
pub fn rows_of_results() -> Option<usize> {
    let size = terminal_size_of(stdout());
    size.map(|(_, Height(rows))| usize::from(rows)).filter(|&rows| rows > 0)
}

fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(Width(columns), _)| usize::from(columns)).filter(|&columns| columns > 0)
}

fn lock(course: &Mutex<RunProgress>) -> MutexGuard<'_, RunProgress> {
    course.lock().unwrap_or_else(PoisonError::into_inner)
}
