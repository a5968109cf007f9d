//! The progress of downloads on the terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::active_bar;
use super::verbosity::Verbosity;
use crate::train::data::FetchEvent;

/// A bar on standard error for each download; nothing if there is no terminal.
pub struct DownloadBar {
    interactive: bool,
    shown: Option<(String, ProgressBar)>,
}

impl DownloadBar {
    /// Creates a view of downloads, one after another.
    pub fn new() -> Self {
        Self { interactive: Verbosity::get().is_live(), shown: None }
    }

    /// Shows an event.
    pub fn observe(&mut self, event: FetchEvent<'_>) {
        match event {
            _ if !self.interactive => {}
            FetchEvent::Bytes { file, done, size } => {
                let bar = self.bar(file, size);
                bar.set_message("");
                bar.set_position(done);
                if done == size {
                    self.clear();
                }
            }
            FetchEvent::Pause { why, pause } => {
                if let Some((_, bar)) = &self.shown {
                    bar.set_message(format!("{why}; again in {} s", pause.as_secs()));
                }
            }
        }
    }

    fn bar(&mut self, file: &str, size: u64) -> &ProgressBar {
        if self.shown.as_ref().is_some_and(|(shown, _)| shown != file) {
            self.clear();
        }
        let (_, bar) = self.shown.get_or_insert_with(|| (file.to_owned(), start(file, size)));
        bar
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

impl Default for DownloadBar {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for DownloadBar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn start(file: &str, size: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::hidden());
    let template =
        "{prefix} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta:>4}  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(file.to_owned());
    active_bar::draw(&bar);
    bar
}
