//! The bar that is drawn on the terminal at the moment.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, WeakProgressBar};

/// What the last line of a bar ends with: the cursor goes back to its first column. What a terminal echoes of a
/// Ctrl-C is then within the line, and goes with it.
pub(super) const BACK: &str = "\u{1b}[G";

static LIVE: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// Draws a bar on standard error from now on; notes make room for it.
pub(super) fn draw(bar: &ProgressBar) {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
}

/// A line that fills the terminal, as the last of a bar.
pub(super) fn last_line(text: &str, width: usize) -> String {
    format!("{text:<width$}{BACK}")
}

/// Does something on the terminal with the bar out of the way.
pub(super) fn aside(speak: impl FnOnce()) {
    match drawn() {
        Some(bar) => bar.suspend(speak),
        None => speak(),
    }
}

/// Takes the bar off the terminal, before the program ends at once.
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
