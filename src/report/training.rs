//! The progress of training runs on the terminal.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::active_bar;
use super::verbosity::Verbosity;
use crate::accuracy::training_cache::TrainingEvent;
use crate::note;
use crate::train::TrainProgress;

/// A view of training runs on standard error: a bar if there is a terminal, else a line per epoch.
pub struct TrainingBar {
    bar: Mutex<Option<ProgressBar>>,
    interactive: bool,
}

impl TrainingBar {
    /// Creates a view of training runs, one after another.
    pub fn new() -> Self {
        let interactive = Verbosity::get().is_live();
        Self { bar: Mutex::default(), interactive }
    }

    /// Shows an event.
    pub fn observe(&self, event: &TrainingEvent<'_>) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            TrainingEvent::Step { seed, progress } if self.interactive => {
                let bar = bar.get_or_insert_with(|| start(progress));
                bar.set_position(progress.step);
                bar.set_message(format!("seed {seed}, {}", describe(progress)));
            }
            TrainingEvent::Step { seed, progress } => {
                let of_epoch = progress.steps / u64::from(progress.epochs.max(1));
                if progress.step.is_multiple_of(of_epoch.max(1)) {
                    note!("seed {seed}, {}", describe(progress));
                }
            }
            TrainingEvent::Done { .. } => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

impl Default for TrainingBar {
    fn default() -> Self {
        Self::new()
    }
}

fn start(progress: &TrainProgress) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(progress.steps), ProgressDrawTarget::hidden());
    let template = "training {wide_bar} {pos}/{len}  {msg}";
    if let Ok(style) = ProgressStyle::with_template(&format!("{template}{}", active_bar::BACK)) {
        bar.set_style(style);
    }
    active_bar::draw(&bar);
    bar
}

/// Formats the progress of a training run: epoch, loss, accuracy, speed and remaining time.
pub fn describe(progress: &TrainProgress) -> String {
    let TrainProgress { epoch, epochs, loss, accuracy, .. } = *progress;
    let validation = progress
        .validation
        .map_or_else(String::new, |accuracy| format!(", validation {:.1} %", 100.0 * accuracy));
    format!(
        "epoch {}/{epochs}: loss {loss:.3}, accuracy {:.1} %{validation}, {:.0} images/s, {:.0} s left",
        epoch + 1,
        100.0 * accuracy,
        progress.images_per_s,
        progress.remaining_s
    )
}
