//! The course of a study on the terminal.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::number::grouped;
use super::voice::Voice;
use crate::comparison::ComparisonEvent;
use crate::note;

/// Shows the runs of a study on standard error: one bar over all of them where there is a terminal, a
/// line for each finished run elsewhere.
pub struct StudyBar {
    bar: Option<ProgressBar>,
    trials: AtomicU64,
    done: AtomicU64,
    runs: u64,
}

impl StudyBar {
    /// A view of so many runs, some of them done.
    pub fn new(runs: u64, done: u64) -> Self {
        let bar = Voice::get().is_live().then(|| {
            let bar = ProgressBar::new(runs);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let template = "study {wide_bar} {pos}/{len} runs {elapsed} {eta:>4}  {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_position(done);
            bar.reset_eta();
            bar
        });
        Self { bar, trials: AtomicU64::new(0), done: AtomicU64::new(done), runs }
    }

    /// Shows what happened.
    pub fn observe(&self, event: ComparisonEvent<'_>) {
        match event {
            ComparisonEvent::Committed { trials } => {
                let trials = self.trials.fetch_add(trials, Ordering::Relaxed) + trials;
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("{} trials", grouped(trials.into())));
                    bar.tick();
                }
            }
            ComparisonEvent::Finished { run, trials } => {
                let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                match &self.bar {
                    Some(bar) => bar.set_position(done),
                    None => note!("{done}/{} {run}: {trials} trials", self.runs),
                }
            }
        }
    }
}

impl Drop for StudyBar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
