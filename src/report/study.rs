//! The progress of a study on the terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::active_bar;
use super::number::{counted, duration};
use super::run_progress::work_line;
use super::terminal;
use super::verbosity::Verbosity;
use crate::note;
use crate::study::ComparisonEvent;

/// The time between two redraws of the line.
const TICK: Duration = Duration::from_millis(150);

/// A view of a study on standard error: one bar over all its runs if there is a terminal, else a line per
/// finished run.
pub struct StudyBar {
    bar: Option<ProgressBar>,
    course: Arc<Course>,
}

/// The progress of a study.
struct Course {
    runs: u64,
    /// The runs that were finished before.
    before: u64,
    done: AtomicU64,
    /// Trials since then.
    trials: AtomicU64,
}

impl Course {
    /// The progress as a line that fits a terminal of `width` columns.
    fn line(&self, elapsed: Duration, width: usize) -> String {
        let (done, runs) = (self.done.load(Ordering::Relaxed), self.runs);
        let seconds = elapsed.as_secs_f64();
        let mut tail =
            vec![format!("{done}/{runs} runs"), format!("{} elapsed", duration(seconds))];
        let here = done.saturating_sub(self.before);
        if here > 0 && done < runs {
            #[expect(clippy::cast_precision_loss, reason = "a time for people")]
            let left = seconds * (runs - done) as f64 / here as f64;
            tail.push(format!("{} left", duration(left)));
        }
        tail.push(counted(self.trials.load(Ordering::Relaxed), "trial", "trials"));
        work_line("study", Some((done, runs)), tail, width)
    }
}

impl StudyBar {
    /// Creates a view of `runs` runs, `done` of which are done.
    pub fn new(runs: u64, done: u64) -> Self {
        let (trials, before) = (AtomicU64::new(0), done);
        let course = Arc::new(Course { runs, before, done: AtomicU64::new(done), trials });
        let bar = Verbosity::get().is_live().then(|| draw(course.clone()));
        Self { bar, course }
    }

    /// Shows an event.
    pub fn observe(&self, event: ComparisonEvent<'_>) {
        match event {
            ComparisonEvent::Committed { trials } => {
                self.course.trials.fetch_add(trials, Ordering::Relaxed);
            }
            ComparisonEvent::Finished { run, trials } => {
                let done = self.course.done.fetch_add(1, Ordering::Relaxed) + 1;
                if self.bar.is_none() {
                    let trials = counted(trials, "trial", "trials");
                    note!("{done}/{} {run}: {trials}", self.course.runs);
                }
            }
        }
    }
}

fn draw(course: Arc<Course>) -> ProgressBar {
    let bar = ProgressBar::hidden();
    if let Ok(style) = ProgressStyle::with_template("{course}") {
        let line = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A terminal that is gone takes nothing.
            let width = terminal::width();
            let _ =
                out.write_str(&active_bar::last_line(&course.line(state.elapsed(), width), width));
        };
        bar.set_style(style.with_key("course", line));
    }
    active_bar::draw(&bar);
    bar.enable_steady_tick(TICK);
    bar
}

impl Drop for StudyBar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_says_what_is_left_once_it_can_be_known() {
        let course = |done, trials| Course {
            runs: 12,
            before: 2,
            done: AtomicU64::new(done),
            trials: AtomicU64::new(trials),
        };
        let line = |done, trials| course(done, trials).line(Duration::from_secs(30), 80);
        assert_eq!(
            line(2, 1),
            "study  ██████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  2/12 runs  30 s elapsed  1 trial"
        );
        assert_eq!(
            line(7, 1_200),
            "study  ████████████░░░░░░░░░░  7/12 runs  30 s elapsed  30 s left  1,200 trials"
        );
        for width in 1..100 {
            let line = course(7, 1_200).line(Duration::from_secs(30), width);
            assert!(line.chars().count() < width.max(11), "{width}: {line}");
        }
    }
}
