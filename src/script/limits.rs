//! What a script may use up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine};
use serde::{Deserialize, Serialize};

/// Limits of one call from the host into a script; zero means none only for `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Script operations.
    pub operations: u64,
    /// Nested calls of script functions.
    pub call_depth: usize,
    /// Nesting of expressions, at parse time.
    pub expression_depth: usize,
    /// Bytes of a string.
    pub string_bytes: usize,
    /// Items of an array.
    pub array_items: usize,
    /// Entries of a map.
    pub map_entries: usize,
    /// Modules that a script and its imports may load.
    pub modules: usize,
    /// Wall-clock seconds; the guard against a call that is slow in native code.
    pub seconds: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 10_000_000,
            call_depth: 64,
            expression_depth: 64,
            string_bytes: 1 << 20,
            array_items: 100_000,
            map_entries: 10_000,
            modules: 64,
            seconds: 60.0,
        }
    }
}

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Operations of the thread.
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Runs native work whose time does not count: it is long because the script asks for much, not because it
/// is stuck.
pub(super) fn untimed<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    let extended = DEADLINE.get().and_then(|deadline| deadline.checked_add(started.elapsed()));
    DEADLINE.set(extended);
    result
}

/// How many operations pass between two looks at the clock.
const CLOCK_EVERY: u64 = 4096;

impl Limits {
    /// The first limit of zero that would be none, by its name.
    pub(super) fn zero(&self) -> Option<&'static str> {
        let counts = [
            ("operations", self.operations),
            ("call_depth", self.call_depth as u64),
            ("expression_depth", self.expression_depth as u64),
            ("string_bytes", self.string_bytes as u64),
            ("array_items", self.array_items as u64),
            ("map_entries", self.map_entries as u64),
            ("modules", self.modules as u64),
        ];
        counts.into_iter().find(|(_, count)| *count == 0).map(|(name, _)| name)
    }

    /// Sets the limits of an engine.
    pub(super) fn apply(&self, engine: &mut Engine) {
        engine
            .set_max_operations(self.operations)
            .set_max_call_levels(self.call_depth)
            .set_max_expr_depths(self.expression_depth, self.expression_depth)
            .set_max_string_size(self.string_bytes)
            .set_max_array_size(self.array_items)
            .set_max_map_size(self.map_entries)
            .set_max_modules(self.modules)
            .set_max_variables(1_000)
            .set_max_functions(1_000);
        let seconds = self.seconds;
        engine.on_progress(move |_| {
            // The engine forgets what the closures that native functions call have used up.
            let operations = OPERATIONS.get().wrapping_add(1);
            OPERATIONS.set(operations);
            let late = operations.is_multiple_of(CLOCK_EVERY)
                && DEADLINE.get().is_some_and(|deadline| Instant::now() > deadline);
            late.then(|| Dynamic::from(format!("the call took longer than {seconds} s")))
        });
    }

    /// Runs a call under the limit of wall-clock time.
    pub(super) fn timed<T>(&self, call: impl FnOnce() -> T) -> T {
        let limit = Duration::try_from_secs_f64(self.seconds).ok().filter(|limit| !limit.is_zero());
        let outer = DEADLINE.replace(limit.and_then(|limit| Instant::now().checked_add(limit)));
        let result = call();
        DEADLINE.set(outer);
        result
    }
}
