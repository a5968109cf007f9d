//! The course of a sweep on the terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::active_bar;
use super::verbosity::Voice;
use crate::note;
use crate::sweep::SweepProgress;

/// Shows a sweep on standard error: a bar with rate and remaining time where there is a terminal, nothing
/// elsewhere.
pub struct SweepBar {
    bar: ProgressBar,
    /// Pairs of a network.
    pairs: u64,
    /// Whether it has been said that no pair runs.
    is_told: bool,
}

impl SweepBar {
    /// A view of a sweep over so many networks, each with so many pairs, some of them done.
    pub fn new(networks: u64, pairs: u64, done: u64) -> Self {
        let length = networks.saturating_mul(pairs);
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        let template = "sweep {wide_bar} {percent}% {human_pos} pairs {per_sec} {eta}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(&format!("{template}{}", active_bar::BACK))
        {
            bar.set_style(style);
        }
        bar.set_position(done * pairs);
        bar.reset_eta();
        if Voice::get().is_live() {
            active_bar::draw(&bar);
        }
        Self { bar, pairs, is_told: false }
    }

    /// Shows how far the sweep has come, and says once that no pair runs.
    pub fn observe(&mut self, progress: &SweepProgress) {
        if let Some(all_failed) = progress.all_failed.as_ref().filter(|_| !self.is_told) {
            note!("{all_failed}; others may run: Ctrl-C ends the sweep");
            self.is_told = true;
        }
        self.bar.set_position(progress.networks * self.pairs);
        self.bar.set_message(format!("frontier {}", progress.frontier));
    }
}

impl Drop for SweepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
