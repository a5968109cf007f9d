//! Budgets of calls from the services into a script, and panics within them.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

use super::limit_error::{LimitReached, OverMemory, tidy};
use super::limits::Limits;
use crate::script::truncate::brief;
use crate::util::alloc_meter;

/// The number of operations between two readings of the clock.
const CLOCK_EVERY: u64 = 32;

/// The multiple of its memory limit above which a script ends the process.
const FAR_ABOVE: i64 = 8;

/// The most lines that a call may print.
const LINES: u32 = 1_000;

/// The most operations of rules beside a call, as a multiple of the call's limit.
const APART: u64 = 100;

/// The use and the limits of the call on this thread.
#[derive(Clone, Copy)]
struct Use {
    operations: u64,
    most_operations: u64,
    /// The operations that rules may still use.
    left_apart: u64,
    deadline: Option<Instant>,
    most_held: i64,
    /// The lowest stack address of calls; the stack below it is reserved for values.
    lowest: usize,
    lines: u32,
    is_call: bool,
}

struct Current {
    operations: Cell<u64>,
    most_operations: Cell<u64>,
    left_apart: Cell<u64>,
    deadline: Cell<Option<Instant>>,
    most_held: Cell<i64>,
    lowest: Cell<usize>,
    lines: Cell<u32>,
    is_call: Cell<bool>,
    panic_at: RefCell<Option<String>>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            operations: Cell::new(0),
            most_operations: Cell::new(u64::MAX),
            left_apart: Cell::new(u64::MAX),
            deadline: Cell::new(None),
            most_held: Cell::new(i64::MAX),
            lowest: Cell::new(0),
            lines: Cell::new(0),
            is_call: Cell::new(false),
            panic_at: RefCell::new(None),
        }
    };
}

impl Current {
    fn set(&self, now: Use) {
        self.operations.set(now.operations);
        self.most_operations.set(now.most_operations);
        self.left_apart.set(now.left_apart);
        self.deadline.set(now.deadline);
        self.most_held.set(now.most_held);
        self.lowest.set(now.lowest);
        self.lines.set(now.lines);
        self.is_call.set(now.is_call);
    }

    const fn get(&self) -> Use {
        Use {
            operations: self.operations.get(),
            most_operations: self.most_operations.get(),
            left_apart: self.left_apart.get(),
            deadline: self.deadline.get(),
            most_held: self.most_held.get(),
            lowest: self.lowest.get(),
            lines: self.lines.get(),
            is_call: self.is_call.get(),
        }
    }
}

/// Counts an operation; a value returned ends the call.
///
/// Once the operations or the time are used up, every further operation ends the call too, so that no native
/// function can drop the error.
#[inline]
pub(in crate::script) fn progress(limits: &Limits) -> Option<Dynamic> {
    CURRENT.with(|call| {
        let operations = call.operations.get() + 1;
        call.operations.set(operations);
        let reached = if operations > call.most_operations.get() {
            LimitReached::operations(limits)
        } else if alloc_meter::held() > call.most_held.get() {
            LimitReached::memory(limits)
        } else if address() < call.lowest.get() {
            LimitReached::stack()
        } else if operations.is_multiple_of(CLOCK_EVERY) && is_late(call) {
            // The next operation looks again.
            call.operations.set(operations - 1);
            LimitReached::seconds(limits)
        } else {
            return None;
        };
        Some(Dynamic::from(reached))
    })
}

impl Limits {
    /// Sets the limits of an engine.
    pub(in crate::script) fn apply(&self, engine: &mut Engine) {
        engine
            // The engine forgets what the functions that native functions call have used up; `call` does not.
            .set_max_operations(0)
            // The call from the services is a level, too.
            .set_max_call_levels(self.call_depth + 1)
            .set_max_expr_depths(self.expression_depth, self.expression_depth)
            .set_max_string_size(self.string_bytes)
            .set_max_array_size(self.array_items)
            .set_max_map_size(self.map_entries)
            .set_max_modules(self.modules)
            .set_max_variables(self.variables)
            .set_max_functions(self.functions);
        let limits = *self;
        engine.on_progress(move |_| progress(&limits));
    }
}

/// Returns an error if the call holds too much memory: it ends native functions that keep allocating.
pub(in crate::script) fn check_memory(
    context: &NativeCallContext,
) -> Result<(), Box<EvalAltResult>> {
    let is_above = CURRENT.with(|call| alloc_meter::held() > call.most_held.get());
    if is_above {
        // The engine's own errors of limits cannot be caught by a script.
        return Err(Box::new(EvalAltResult::ErrorTerminated(
            Dynamic::from(OverMemory),
            context.call_position(),
        )));
    }
    Ok(())
}

fn is_late(call: &Current) -> bool {
    call.deadline.get().is_some_and(|deadline| Instant::now() > deadline)
}

/// Returns an address near the top of the stack.
#[inline]
fn address() -> usize {
    let here = 0u8;
    std::ptr::from_ref(&here).addr()
}

/// Runs native work whose time and memory do not count against the call's limits.
///
/// Such work is long because the script asks for much, not because it is stuck.
pub(in crate::script) fn untimed<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = alloc_meter::uncounted(work);
    CURRENT.with(|call| {
        let extended = call.deadline.get().and_then(|end| end.checked_add(started.elapsed()));
        call.deadline.set(extended);
    });
    result
}

/// Renews the operations of the running call, for the next trial of a query.
pub(crate) fn again(limits: &Limits) {
    CURRENT.with(|call| {
        call.most_operations.set(call.operations.get().saturating_add(limits.operations));
    });
}

/// Runs one of the many calls that a native function makes into a script.
///
/// Its operations do not count as the script's own, as long as all such calls together use at most a hundred
/// times the limit.
pub(in crate::script) fn apart<T>(of_many: impl FnOnce() -> T) -> T {
    let count = || CURRENT.with(|call| call.operations.get());
    let before = count();
    let result = of_many();
    CURRENT.with(|call| {
        let used = count().saturating_sub(before);
        let left = call.left_apart.get();
        call.left_apart.set(left.saturating_sub(used));
        call.most_operations.set(call.most_operations.get().saturating_add(used.min(left)));
    });
    result
}

/// Counts a printed line; returns true if the call may print it, and `None` for the first one too many.
pub(in crate::script) fn may_print() -> Option<bool> {
    CURRENT.with(|call| {
        let lines = call.lines.get().saturating_add(1);
        call.lines.set(lines);
        (lines != LINES + 1).then_some(lines <= LINES)
    })
}

/// A guard of a running call, which restores the state of the outer call when it is dropped.
struct Entered {
    outer: Use,
    outer_end: i64,
    started: Option<Instant>,
}

impl Entered {
    /// Starts a call; `stack` is the remaining stack in bytes, if it is known.
    fn new(limits: &Limits, time: Option<Duration>, stack: Option<usize>) -> Self {
        let started = time.map(|_| Instant::now());
        let held = alloc_meter::held();
        let lowest =
            stack.map_or(0, |left| address().saturating_sub(left) + limits.stack_for_values());
        let now = Use {
            operations: 0,
            most_operations: limits.operations,
            left_apart: limits.operations.saturating_mul(APART),
            deadline: started.zip(time).and_then(|(started, time)| started.checked_add(time)),
            most_held: held.saturating_add(limits.memory_bytes()),
            lowest,
            lines: 0,
            is_call: true,
        };
        let far = limits.memory_bytes().saturating_mul(FAR_ABOVE);
        let outer_end = alloc_meter::end_above(held.saturating_add(far));
        let outer = CURRENT.with(|call| {
            let outer = call.get();
            call.set(now);
            outer
        });
        Self { outer, outer_end, started }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // A thread that waits within a call may be given another one; that is not the first one's time.
        if self.outer.is_call
            && let (Some(deadline), Some(started)) = (self.outer.deadline, self.started)
        {
            self.outer.deadline = deadline.checked_add(started.elapsed());
        }
        CURRENT.with(|call| call.set(self.outer));
        alloc_meter::end_above(self.outer_end);
    }
}

impl Limits {
    /// Runs a call of the engine under the limits.
    ///
    /// A panic in it, which is a bug of the program, becomes an error of the call.
    pub(in crate::script) fn timed<T>(
        &self,
        call: impl FnOnce() -> Result<T, Box<EvalAltResult>>,
    ) -> Result<T, Box<EvalAltResult>> {
        self.within(self.time(), call)
    }

    /// Returns the time limit of a call; `None` if there is none.
    pub(crate) fn time(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.seconds).ok().filter(|limit| !limit.is_zero())
    }

    /// Runs a call like [`Self::timed`], with the rest of a time limit that several calls share.
    pub(crate) fn within<T>(
        &self,
        time: Option<Duration>,
        call: impl FnOnce() -> Result<T, Box<EvalAltResult>>,
    ) -> Result<T, Box<EvalAltResult>> {
        let run = |stack| {
            let entered = Entered::new(self, time, stack);
            let result = panic::catch_unwind(AssertUnwindSafe(call));
            let result = match result {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(mut error)) => {
                    tidy(self, &mut error);
                    Err(error)
                }
                Err(panic) => Err(fault(&*panic)),
            };
            drop(entered);
            result
        };
        let needed = self.stack_bytes();
        match stacker::remaining_stack() {
            Some(left) if left < needed => {
                let grown =
                    || stacker::grow(needed + (1 << 20), || run(stacker::remaining_stack()));
                quietly(grown).unwrap_or_else(|| Err(self.no_stack()))
            }
            left => run(left),
        }
    }

    /// Returns the error of a call for which the system provides no stack.
    #[cold]
    fn no_stack(&self) -> Box<EvalAltResult> {
        let message = format!(
            "the limits allow values for which a call needs a stack of {} MB, and there is none; lower \
             `limits.array_items`, `limits.map_entries` or `limits.memory_mb`",
            self.stack_bytes() >> 20
        );
        Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE))
    }
}

/// Runs work without printing its panics; `None` if it panics.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    let was = CURRENT.with(|call| call.is_call.replace(true));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    CURRENT.with(|call| call.is_call.set(was));
    result.ok()
}

/// Returns the error of a call that panicked.
#[cold]
fn fault(panic: &(dyn Any + Send)) -> Box<EvalAltResult> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let at = CURRENT.with(|call| call.panic_at.borrow_mut().take());
    let message = format!(
        "this is a bug of tandem, not of the script: {}{}; please report it with the script",
        brief(text.as_deref().unwrap_or("a panic")),
        at.map_or_else(String::new, |at| format!(" at {at}"))
    );
    Box::new(EvalAltResult::ErrorRuntime(message.into(), Position::NONE))
}

/// Stops panics in calls of scripts from being printed, as they become errors of the calls.
///
/// Call it once, before other panic hooks are set.
pub fn keep_panics_of_calls() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_call = CURRENT.try_with(|call| {
            if !call.is_call.get() {
                return false;
            }
            if let Ok(mut at) = call.panic_at.try_borrow_mut() {
                *at = info.location().map(ToString::to_string);
            }
            true
        });
        if !is_call.unwrap_or(false) {
            others(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use rhai::{Array, Engine, FnPtr};

    use super::*;

    fn engine(limits: &Limits) -> Engine {
        let mut engine = Engine::new();
        limits.apply(&mut engine);
        engine.register_fn("bug", || -> i64 { panic!("found {}", 1) });
        engine.register_fn("slow", || std::thread::sleep(Duration::from_millis(20)));
        engine.register_fn("trained", || {
            untimed(|| {
                std::thread::sleep(Duration::from_millis(30));
                vec![0u8; 16 << 20].len() as i64
            })
        });
        engine.register_fn("each", |context: NativeCallContext, of: Array, f: FnPtr| {
            of.into_iter().try_for_each(|item| {
                f.call_within_context::<Dynamic>(&context, (item,)).map(|_| ())
            })
        });
        engine
    }

    fn reached(limits: &Limits, script: &str) -> String {
        let engine = engine(limits);
        let error = limits.timed(|| engine.eval::<Dynamic>(script)).unwrap_err();
        let mut error = *error;
        while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
            error = *inner;
        }
        match error {
            EvalAltResult::ErrorTerminated(token, _) => token.cast::<LimitReached>().message,
            other => other.to_string(),
        }
    }

    #[test]
    fn operations_of_functions_that_natives_call_are_counted() {
        let limits = Limits { operations: 10_000, ..Limits::default() };
        let message = "the script runs too long: it reached the limit of 10000 operations";
        for script in [
            "loop { }",
            "let a = []; a.pad(100, 0); a.each(|x| { for i in 0..1000 { let x = i; } })",
            "let a = []; a.pad(200, 0); let b = a; loop { a.map(|x| b.map(|y| x + y)); }",
            "let a = []; a.pad(200, 0); for i in a { a.sort(|x, y| { loop { } }) }",
            "[0, 0, 0, 0, 0].filter(|x| [0, 0].all(|y| [0, 0, 0, 0, 0].some(|z| { for i in 0..900 { let k = i; } false })))",
        ] {
            assert_eq!(reached(&limits, script), message, "{script}");
        }
        assert_eq!(limits.timed(|| engine(&limits).eval::<i64>("1 + 1")).unwrap(), 2);
    }

    #[test]
    fn memory_is_bounded_whatever_holds_it() {
        let limits = Limits { memory_mb: 8, ..Limits::default() };
        let message = "the script holds too much: more than 8 MB of memory";
        for script in [
            "let a = []; a.pad(90000, 0); let b = a + []; let c = a + []; let d = a + []; let e = a + []; \
             let f = a + []; let g = a + []; loop { }",
            "fn deep(a) { let b = a + [1]; deep(b) } let a = []; a.pad(20000, 0); deep(a)",
            "let s = \"x\"; s.pad(100000, \"y\"); let all = #{}; let i = 0; \
             loop { i += 1; all[`${i}`] = [Fn(`f${i}`).curry(s + i)]; }",
            "fn wrap(f) { || f } let f = 0; loop { f = wrap(f) }",
        ] {
            assert_eq!(reached(&limits, script), message, "{script}");
        }
    }

    #[test]
    fn time_is_looked_at_often_and_without_native_work() {
        let limits = Limits { seconds: 0.05, ..Limits::default() };
        let started = Instant::now();
        assert_eq!(reached(&limits, "loop { slow(); }"), "the call took longer than 0.05 s");
        assert!(started.elapsed() < Duration::from_secs(10));
        let limits = Limits { seconds: 0.05, memory_mb: 8, ..Limits::default() };
        let all = limits.timed(|| {
            engine(&limits).eval::<i64>("let n = 0; for i in 0..3 { n += trained(); } n")
        });
        assert_eq!(all.unwrap(), 48 << 20);
    }

    #[test]
    fn a_panic_is_an_error_of_the_call() {
        let limits = Limits::default();
        let text = reached(&limits, "1 + bug()");
        let expected = "Runtime error: this is a bug of tandem, not of the script: found 1";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(limits.timed(|| engine(&limits).eval::<i64>("1 + 1")).unwrap(), 2);
    }

    #[test]
    fn what_a_script_throws_is_cut() {
        let limits = Limits::default();
        let text = reached(&limits, "let s = \"\"; s.pad(1000000, \"y\"); throw s");
        assert!(text.len() < 3_000, "{}", text.len());
        let text = reached(&limits, "let a = []; a.pad(99999, 7); throw #{ a: a }");
        assert!(text.starts_with("Runtime error: the script threw #{\"a\": [7, 7, "), "{text:.80}");
        assert!(text.len() < 3_000, "{}", text.len());
    }

    #[test]
    fn calls_within_calls_keep_their_own_counts() {
        let limits = Limits { operations: 1_000, ..Limits::default() };
        let mut outer = engine(&limits);
        outer.register_fn("inner", move || {
            let inner = engine(&limits);
            limits.timed(|| inner.eval::<i64>("let n = 0; for i in 0..200 { n += 1; } n"))
        });
        let script = "let n = 0; for i in 0..20 { n += inner(); } n";
        assert_eq!(limits.timed(|| outer.eval::<i64>(script)).unwrap(), 4_000);
    }

    #[test]
    fn deep_calls_and_values_fit_the_stack() {
        let limits = Limits { call_depth: 10_000, ..Limits::default() };
        let deep = format!("{}{}", "+(1".repeat(20), ")".repeat(20));
        let script = format!("fn deep(n) {{ 1 + deep(n + 1) {deep} }} deep(0)");
        let text = reached(&limits, &script);
        assert!(text.starts_with("the script calls too deep: "), "{text}");
        let limits = Limits::default();
        let script = "let a = []; for i in 0..4000 { a = [a]; } let b = a; let n = 0; \
                      if a == b { n += 1 } n + `${a}`.len()";
        assert_eq!(limits.timed(|| engine(&limits).eval::<i64>(script)).unwrap(), 8_003);
        let script = "fn wrap(f) { || f } let f = 0; for i in 0..300000 { f = wrap(f) } 1";
        assert_eq!(limits.timed(|| engine(&limits).eval::<i64>(script)).unwrap(), 1);
    }
}
