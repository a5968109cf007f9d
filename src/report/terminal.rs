//! The course of a run on the terminal.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::number::number;
use super::training::describe;
use crate::accuracy::trained::TrainingEvent;
use crate::note;
use crate::study::{Event, Observer, Progress, SweepProgress};

/// Shows events on standard error: a bar where there is a terminal, lines elsewhere.
pub struct Terminal {
    bar: Option<ProgressBar>,
    shown: Arc<Mutex<Option<ProgressBar>>>,
    interactive: bool,
    limit: Option<u64>,
}

impl Terminal {
    /// A view of a run with at most `limit` trials.
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            bar: None,
            shown: Arc::default(),
            interactive: std::io::stderr().is_terminal(),
            limit,
        }
    }

    /// What shows the trainings of the run beside its trials.
    pub fn trainings(&self) -> impl Fn(&TrainingEvent<'_>) + Send + Sync + use<> {
        let shown = self.shown.clone();
        move |event| {
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(bar), TrainingEvent::Step { progress, .. }) = (shown.as_ref(), event) {
                bar.set_message(describe(progress));
            }
        }
    }

    fn phase(&mut self, name: &str, steps: Option<u64>) {
        let steps = match (steps, self.limit) {
            (Some(steps), Some(limit)) => Some(steps.min(limit)),
            (steps, limit) => steps.or(limit),
        };
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let bar = steps.map_or_else(ProgressBar::no_length, ProgressBar::new);
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let template = "{prefix} {wide_bar} {pos}/{len} {per_sec:>10} {eta:>4}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        self.bar = Some(bar);
    }
}

fn message(progress: &Progress) -> String {
    let phase = progress.phases().last();
    let best = phase.and_then(|phase| phase.best.as_ref()).and_then(|t| t.outcome.reward());
    let best = best.map_or_else(|| "none".to_owned(), number);
    let frontier = progress.frontier_len();
    format!("best reward {best}, frontier {frontier}, failed {}", progress.failed())
}

impl Observer for Terminal {
    fn observe(&mut self, event: Event<'_>) {
        match event {
            Event::Resumed { trials, checkpoint } => {
                note!("resuming: {trials} trials stored, checkpoint at {checkpoint}");
            }
            Event::PhaseStarted { name, controller, steps, valid, .. } => {
                if self.interactive {
                    self.phase(name, steps);
                } else {
                    let steps = steps.map_or_else(String::new, |s| format!(", up to {s} trials"));
                    let valid = valid.map_or_else(String::new, |v| format!(" or {v} valid"));
                    note!("phase {name}: {controller}{steps}{valid}");
                }
            }
            Event::Committed { trials, progress } => {
                if let Some(bar) = &self.bar {
                    bar.inc(trials.len() as u64);
                    bar.set_message(message(progress));
                }
            }
            Event::ThresholdLost { threshold, value, step } => {
                let ends = if threshold.stops { "; the run ends" } else { "" };
                let line = format!(
                    "threshold `{threshold}` can no longer hold: {} is {value} after {step} trials{ends}",
                    threshold.quantity
                );
                match &self.bar {
                    Some(bar) => bar.suspend(|| note!("{line}")),
                    None => note!("{line}"),
                }
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

/// The course of a sweep on the terminal: a bar with rate and remaining time, nothing elsewhere.
pub struct SweepBar {
    bar: ProgressBar,
    /// Pairs of a network.
    pairs: u64,
}

impl SweepBar {
    /// A view of a sweep over so many networks, each with so many pairs, some of them done.
    pub fn new(networks: u64, pairs: u64, done: u64) -> Self {
        let bar = ProgressBar::new(networks.saturating_mul(pairs));
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        bar.set_draw_target(target);
        let template = "sweep {wide_bar} {percent}% {human_pos} pairs {per_sec} {eta}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_position(done * pairs);
        bar.reset_eta();
        Self { bar, pairs }
    }

    /// Shows how far the sweep has come.
    pub fn observe(&self, progress: SweepProgress) {
        self.bar.set_position(progress.networks * self.pairs);
        self.bar.set_message(format!("frontier {}", progress.frontier));
    }
}

impl Drop for SweepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
