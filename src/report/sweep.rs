//! The course of a sweep on the terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::voice::Voice;
use crate::study::SweepProgress;

/// Shows a sweep on standard error: a bar with rate and remaining time where there is a terminal, nothing
/// elsewhere.
pub struct SweepBar {
    bar: ProgressBar,
    /// Pairs of a network.
    pairs: u64,
}

impl SweepBar {
    /// A view of a sweep over so many networks, each with so many pairs, some of them done.
    pub fn new(networks: u64, pairs: u64, done: u64) -> Self {
        let bar = ProgressBar::new(networks.saturating_mul(pairs));
        let target = if Voice::get().is_live() {
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
