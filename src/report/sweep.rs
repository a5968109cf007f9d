//! The progress of a sweep on the terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::active_bar;
use super::verbosity::Verbosity;
use crate::note;
use crate::sweep::SweepProgress;

/// A bar on standard error with the progress, rate and remaining time of a sweep; hidden if there is no
/// terminal.
pub struct SweepBar {
    bar: ProgressBar,
    /// The number of pairs of a network.
    pairs: u64,
    /// True once the user was told that no pair runs.
    is_told: bool,
}

impl SweepBar {
    /// Creates a view of a sweep over `networks` networks with `pairs` pairs each; `done` networks are done.
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
        if Verbosity::get().is_live() {
            active_bar::draw(&bar);
        }
        Self { bar, pairs, is_told: false }
    }

    /// Shows the progress, and notes once that no pair runs.
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
