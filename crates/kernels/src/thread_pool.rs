//! A pool of threads that share the tasks of one parallel loop at a time.
//!
//! A training step has some hundreds of short parallel loops: waking threads for each costs more than many of
//! the loops. These threads poll for the next loop for a while before they sleep.
//!
//! The tasks of a loop are split evenly, in order, among the threads; a thread that has finished takes tasks
//! from the end of the others' shares. So a thread mostly works on the same images in layer after layer, in
//! its own cache: on processors whose cores do not share their last-level cache, fetching data that another
//! core wrote costs several times as much as the work of a small layer. The assignment of tasks to threads is
//! not guaranteed; results never depend on it.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Polls before a thread sleeps: some tens of microseconds.
const LOOKS: usize = 20_000;

/// The work of a loop, called with the index of a task and that of the thread.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Threads that wait for parallel loops; the calling thread works too.
pub struct ThreadPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    /// The number of loops so far; a change announces a new one.
    round: Apart<AtomicUsize>,
    /// The work of the round.
    work: UnsafeCell<Option<*const Work<'static>>>,
    /// The remaining tasks of each thread in this round.
    left: Box<[Apart<Range>]>,
    /// Threads that have not finished the round.
    busy: Apart<AtomicUsize>,
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

/// A value on separate cache lines: two, since processors fetch them in pairs.
#[repr(align(128))]
struct Apart<T>(T);

/// A range of tasks that are taken from both ends: the first in the upper half, the end in the lower.
struct Range(AtomicU64);

impl Range {
    const fn pack(first: usize, end: usize) -> u64 {
        (first as u64) << 32 | end as u64
    }

    fn set(&self, first: usize, end: usize) {
        self.0.store(Self::pack(first, end), Ordering::Relaxed);
    }

    /// Takes the first task, or the last if `last`; returns `None` if there is none left.
    fn take(&self, last: bool) -> Option<usize> {
        let mut range = self.0.load(Ordering::Relaxed);
        loop {
            let (first, end) = ((range >> 32) as usize, (range as u32) as usize);
            if first >= end {
                return None;
            }
            let (task, rest) = match last {
                true => (end - 1, Self::pack(first, end - 1)),
                false => (first, Self::pack(first + 1, end)),
            };
            let taken =
                self.0.compare_exchange_weak(range, rest, Ordering::Relaxed, Ordering::Relaxed);
            match taken {
                Ok(_) => return Some(task),
                Err(now) => range = now,
            }
        }
    }
}

impl ThreadPool {
    /// Starts `threads - 1` threads, since the calling thread works too.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            round: Apart(AtomicUsize::new(0)),
            work: UnsafeCell::new(None),
            left: (0..threads.max(1)).map(|_| Apart(Range(AtomicU64::new(0)))).collect(),
            busy: Apart(AtomicUsize::new(0)),
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

    /// Returns the number of threads that share the tasks, the calling thread included.
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `work(task, thread)` for each task, in no particular order, and waits for all.
    ///
    /// # Panics
    /// If a task panics, once no thread works on the loop any more; and for 2^32 tasks or more.
    pub fn run(&mut self, tasks: usize, work: &Work<'_>) {
        if self.threads.is_empty() || tasks <= 1 {
            (0..tasks).for_each(|task| work(task, 0));
            return;
        }
        let shared = &*self.shared;
        assert!(u32::try_from(tasks).is_ok(), "{tasks} tasks");
        let work_of_round: *const Work<'_> = work;
        // SAFETY: only the lifetime changes, and this function returns only when no thread uses
        // the pointer any more. No thread reads `work` now: all wait for the round to change, and
        // `&mut self` keeps other rounds away.
        unsafe {
            let forever =
                std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work_of_round);
            *shared.work.get() = Some(forever);
        }
        let threads = shared.left.len();
        for (thread, left) in shared.left.iter().enumerate() {
            left.0.set(thread * tasks / threads, (thread + 1) * tasks / threads);
        }
        shared.busy.0.store(self.threads.len(), Ordering::Relaxed);
        shared.round.0.fetch_add(1, Ordering::SeqCst);
        if *shared.asleep.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
            shared.wake.notify_all();
        }
        shared.take_tasks(work, 0);
        let mut looks = 0;
        while shared.busy.0.load(Ordering::Acquire) > 0 {
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
    fn take_tasks(&self, work: &Work<'_>, worker: usize) {
        let threads = self.left.len();
        let result = catch_unwind(AssertUnwindSafe(|| {
            while let Some(task) = self.left[worker].0.take(false) {
                work(task, worker);
            }
            for other in (1..threads).map(|step| &self.left[(worker + step) % threads]) {
                while let Some(task) = other.0.take(true) {
                    work(task, worker);
                }
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
            if let Some(work) = unsafe { *self.work.get() } {
                // SAFETY: `ThreadPool::run` waits until this thread is no longer busy.
                self.take_tasks(unsafe { &*work }, worker);
            }
            self.busy.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits until the round differs from `seen`, and returns it.
    fn await_round(&self, seen: usize) -> usize {
        for _ in 0..LOOKS {
            let round = self.round.0.load(Ordering::Acquire);
            if round != seen {
                return round;
            }
            spin_loop();
        }
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep += 1;
        loop {
            let round = self.round.0.load(Ordering::SeqCst);
            if round != seen {
                *asleep -= 1;
                return round;
            }
            asleep = self.wake.wait(asleep).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.round.0.fetch_add(1, Ordering::SeqCst);
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
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 7] {
            let mut pool = ThreadPool::new(threads);
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
        let mut pool = ThreadPool::new(3);
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
