//! The progress bar that is currently drawn on the terminal.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, WeakProgressBar};

/// The end of the last line of a bar, which moves the cursor to the first column. The echo of a Ctrl-C is
/// then within the line, and disappears with it.
pub(super) const BACK: &str = "\u{1b}[G";

static LIVE: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// Draws a bar on standard error from now on; it steps aside for notes.
pub(super) fn draw(bar: &ProgressBar) {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
}

/// The last line of a bar, padded to the width of the terminal.
pub(super) fn last_line(text: &str, width: usize) -> String {
    format!("{text:<width$}{BACK}")
}

/// Writes to the terminal while the bar is out of the way.
pub(super) fn aside(speak: impl FnOnce()) {
    match drawn() {
        Some(bar) => bar.suspend(speak),
        None => speak(),
    }
}

/// Removes the bar from the terminal, before the program exits.
pub fn clear_bar() {
    if let Some(bar) = drawn() {
        bar.finish_and_clear();
    }
}

fn drawn() -> Option<ProgressBar> {
    // A bar that is drawn asks others for what it shows: none of them may wait for this lock meanwhile.
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    live?.upgrade().filter(|bar| !bar.is_finished())
}
