//! Handling of Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tandem::note;
use tandem::report::clear_bar;
use tandem::session::Loaded;

/// Returns the flag that Ctrl-C sets to stop at the next opportunity; a second Ctrl-C exits at once.
pub fn stop() -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    STOP.get_or_init(listen).clone()
}

fn listen() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = stop.clone();
    let handler = move || {
        if set.swap(true, Ordering::Relaxed) {
            clear_bar();
            std::process::exit(130);
        }
        note!("stopping after the points at hand; Ctrl-C again stops at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C will not stop the run cleanly: {error}");
    }
    stop
}

/// Returns the flag of [`stop`] and makes it interrupt the experiment's trainings too.
pub fn stop_of(loaded: &Loaded) -> Arc<AtomicBool> {
    let stop = stop();
    loaded.script.services().trainer().stop_at(stop.clone());
    stop
}
