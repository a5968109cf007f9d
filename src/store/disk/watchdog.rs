//! Handling of sled's panics and hangs.
//!
//! A write that fails within one of sled's threads can make a caller wait forever, and unexpected file
//! contents make sled panic. A program can ask for a report of both.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::store::error::StoreError;

/// The time for which writes may be pending without one finishing. A healthy disk takes seconds at worst.
const PATIENCE: Duration = Duration::from_secs(60);

/// The interval between two checks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A part of the path of every source file of sled.
const SOURCES: &str = "sled-0.34";

/// A function that reports to the user an error which no function can return, and returns the exit code.
pub type Reporter = fn(&StoreError) -> i32;

static REPORT: OnceLock<Reporter> = OnceLock::new();

/// The path of the store that was opened last.
static OPENED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Makes the process exit with a report if the database of a store panics or finishes no write for a minute.
///
/// Call it once, before a store is opened, in a program that has nothing else to save.
pub fn end_with(report: Reporter) {
    if REPORT.set(report).is_err() {
        return;
    }
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.location().is_none_or(|location| !location.file().contains(SOURCES)) {
            return others(info);
        }
        let path = OPENED.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let error =
            StoreError::Stopped { path: path.unwrap_or_default(), reason: text(info.payload()) };
        process::exit(report(&error));
    }));
}

/// A panic that was caught, with its message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::store) struct Panicked(pub String);

/// Runs a function that may panic on unexpected input, and returns the panic as an error.
pub(in crate::store) fn without_panic<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    static HOOK: Mutex<()> = Mutex::new(());
    let _alone = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    panic::set_hook(hook);
    result.map_err(|panic| Panicked(text(&*panic)))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// A watch over the pending writes of a store.
#[derive(Debug, Default)]
pub(in crate::store) struct WriteWatch {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: AtomicUsize,
    done: AtomicU64,
    closed: Mutex<bool>,
    closing: Condvar,
}

impl WriteWatch {
    /// Starts to watch the store in a folder, which is about to be opened, if [`end_with`] was called.
    pub(in crate::store) fn start(path: &Path) -> Self {
        let watch = Self::default();
        *OPENED.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
        let Some(&report) = REPORT.get() else { return watch };
        let (state, path) = (watch.state.clone(), path.to_owned());
        let look = move || {
            if state.is_stuck(PATIENCE, LOOK_EVERY) {
                process::exit(report(&StoreError::Stuck { path, seconds: PATIENCE.as_secs() }));
            }
        };
        if let Err(error) = thread::Builder::new().name("store watch".to_owned()).spawn(look) {
            tracing::debug!(%error, "nobody looks after the store");
        }
        watch
    }

    /// Runs a write under watch, and returns its result.
    pub(in crate::store) fn over<T>(&self, write: impl FnOnce() -> T) -> T {
        self.state.waiting.fetch_add(1, Ordering::Relaxed);
        let result = write();
        self.state.waiting.fetch_sub(1, Ordering::Relaxed);
        self.state.done.fetch_add(1, Ordering::Relaxed);
        result
    }
}

impl State {
    /// Blocks until writes have been pending for `patience` without one finishing; returns `false` if the
    /// store is closed before.
    fn is_stuck(&self, patience: Duration, every: Duration) -> bool {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut done, mut since) = (0, Instant::now());
        while !*closed {
            closed =
                self.closing.wait_timeout(closed, every).unwrap_or_else(PoisonError::into_inner).0;
            let now = self.done.load(Ordering::Relaxed);
            if now != done || self.waiting.load(Ordering::Relaxed) == 0 {
                (done, since) = (now, Instant::now());
            } else if since.elapsed() >= patience {
                return true;
            }
        }
        false
    }
}

impl Drop for WriteWatch {
    fn drop(&mut self) {
        *self.state.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.state.closing.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_that_does_not_end_is_stuck() {
        let (patience, every) = (Duration::from_millis(60), Duration::from_millis(2));
        let watch = WriteWatch::default();
        let state = watch.state.clone();
        let looking = thread::spawn(move || state.is_stuck(patience, every));
        for _ in 0..20 {
            watch.over(|| thread::sleep(Duration::from_millis(5)));
        }
        assert!(!looking.is_finished());
        drop(watch);
        assert!(!looking.join().unwrap());

        let watch = WriteWatch::default();
        let state = watch.state.clone();
        assert!(watch.over(|| state.is_stuck(patience, every)));
    }

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(without_panic(|| 1), Ok(1));
        assert_eq!(without_panic(|| panic!("a {}", 1)), Err::<(), _>(Panicked("a 1".to_owned())));
        assert_eq!(without_panic(|| panic!("b")), Err::<(), _>(Panicked("b".to_owned())));
    }
}
