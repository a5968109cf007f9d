//! Threads that share the tasks of one layer at a time.
//!
//! A step of training is some hundreds of short parallel loops: waking threads for each costs more than
//! many of the loops. These threads look for the next loop for a while before they sleep. Which
//! thread runs a task is left open; results never depend on it.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Looks before a thread sleeps: some tens of microseconds.
const LOOKS: usize = 20_000;

/// A task: its index, and that of the thread.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Threads that wait for loops; the thread that asks works too.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Counts the loops; a change announces one.
    round: AtomicUsize,
    /// The work of the round.
    work: UnsafeCell<Option<(*const Work<'static>, usize)>>,
    /// The next task of the round.
    next: AtomicUsize,
    /// Threads that have not finished the round.
    busy: AtomicUsize,
    panicked: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    asleep: Mutex<usize>,
    wake: Condvar,
}

// SAFETY: `work` is written only while every thread waits for `round` to change, and read only
// between that change and the thread's own decrement of `busy`.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `work` is to something `Sync`.
unsafe impl Send for Shared {}

impl Pool {
    /// Starts `threads - 1` threads; one is no thread at all.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            round: AtomicUsize::new(0),
            work: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            panicked: Mutex::new(None),
            stop: AtomicBool::new(false),
            asleep: Mutex::new(0),
            wake: Condvar::new(),
        });
        let threads = (1..threads.max(1))
            .map(|worker| {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(worker))
            })
            .collect();
        Self { shared, threads }
    }

    /// How many threads share the tasks.
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `work(task, thread)` for each task, in no particular order, and waits for all.
    ///
    /// # Panics
    /// When a task panics, after the others are done.
    pub fn run(&mut self, tasks: usize, work: &Work<'_>) {
        if self.threads.is_empty() || tasks <= 1 {
            (0..tasks).for_each(|task| work(task, 0));
            return;
        }
        let shared = &*self.shared;
        let work_of_round: *const Work<'_> = work;
        // SAFETY: only the lifetime changes, and this function returns only when no thread uses
        // the pointer any more. No thread reads `work` now: all wait for the round to change, and
        // `&mut self` keeps other rounds away.
        unsafe {
            let forever =
                std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work_of_round);
            *shared.work.get() = Some((forever, tasks));
        }
        shared.next.store(0, Ordering::Relaxed);
        shared.busy.store(self.threads.len(), Ordering::Relaxed);
        shared.round.fetch_add(1, Ordering::SeqCst);
        if *shared.asleep.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
            shared.wake.notify_all();
        }
        shared.take_tasks(work, tasks, 0);
        let mut looks = 0;
        while shared.busy.load(Ordering::Acquire) > 0 {
            spin_loop();
            looks += 1;
            if looks > LOOKS {
                std::thread::yield_now();
            }
        }
        let panicked = shared.panicked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

impl Shared {
    fn take_tasks(&self, work: &Work<'_>, tasks: usize, worker: usize) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let task = self.next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return;
                }
                work(task, worker);
            }
        }));
        if let Err(panic) = result {
            *self.panicked.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }

    fn serve(&self, worker: usize) {
        let mut seen = 0;
        loop {
            seen = self.await_round(seen);
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            // SAFETY: the round has begun and this thread has not finished it.
            if let Some((work, tasks)) = unsafe { *self.work.get() } {
                // SAFETY: `Pool::run` waits until this thread is no longer busy.
                self.take_tasks(unsafe { &*work }, tasks, worker);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits until the round is no longer the one that was seen.
    fn await_round(&self, seen: usize) -> usize {
        for _ in 0..LOOKS {
            let round = self.round.load(Ordering::Acquire);
            if round != seen {
                return round;
            }
            spin_loop();
        }
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep += 1;
        loop {
            let round = self.round.load(Ordering::SeqCst);
            if round != seen {
                *asleep -= 1;
                return round;
            }
            asleep = self.wake.wait(asleep).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.round.fetch_add(1, Ordering::SeqCst);
        drop(self.shared.asleep.lock());
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread's panics are caught and passed on by `run`.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 7] {
            let mut pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for round in 0..200_u64 {
                let done: Vec<AtomicU64> = (0..round % 17).map(|_| AtomicU64::new(0)).collect();
                pool.run(done.len(), &|task, worker| {
                    assert!(worker < threads);
                    done[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                if round % 50 == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            }
        }
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_goes_on() {
        let mut pool = Pool::new(3);
        let failing = catch_unwind(AssertUnwindSafe(|| {
            pool.run(8, &|task, _| assert_ne!(task, 5, "task five"));
        }));
        assert!(failing.is_err());
        let sum = AtomicU64::new(0);
        pool.run(10, &|task, _| {
            sum.fetch_add(task as u64, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
    }
}
