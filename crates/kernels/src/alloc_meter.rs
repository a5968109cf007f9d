//! The memory that each thread holds, counted by the process's allocator.
//!
//! Counting is what lets a script's memory be limited: the sizes of its strings and arrays do not bound it.
//! A thread's count is what it has allocated less what it has freed, whoever allocated that. It costs about a
//! nanosecond an allocation. Nothing is counted, and nothing limited, in a process whose global allocator is not
//! a [`CountingAllocator`].

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts what each thread holds.
#[derive(Clone, Copy, Debug)]
pub struct CountingAllocator {
    /// Ends the process when a thread holds more than [`end_above`] allows. It is given the bytes that the
    /// thread holds and those of its last request.
    pub end: fn(held: i64, step: i64) -> !,
}

impl CountingAllocator {
    /// An allocator for tests and benches, which aborts the process.
    pub const ABORTING: Self = Self { end: |_, _| std::process::abort() };
}

struct Account {
    held: Cell<i64>,
    /// What ends the process when `held` is above it: memory that cannot be refused cannot be given either.
    most: Cell<i64>,
}

thread_local! {
    static ACCOUNT: Account = const { Account { held: Cell::new(0), most: Cell::new(i64::MAX) } };
}

/// The bytes that this thread has allocated less those that it has freed; may be negative.
#[inline]
pub fn held() -> i64 {
    ACCOUNT.with(|account| account.held.get())
}

/// Lets [`CountingAllocator::end`] be called when this thread comes to hold more than some bytes; gives the
/// number before. `i64::MAX` is for none.
///
/// An allocation can only be made or end the process. This is for a single step that asks for far more than it
/// may: what grows slowly is seen before, by [`held`].
pub fn end_above(most: i64) -> i64 {
    ACCOUNT.with(|account| account.most.replace(most))
}

/// Runs something whose memory is not counted and has no bound.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(i64, i64);
    impl Drop for Restore {
        fn drop(&mut self) {
            ACCOUNT.with(|account| {
                account.held.set(self.0);
                account.most.set(self.1);
            });
        }
    }
    let _restore = Restore(held(), end_above(i64::MAX));
    work()
}

impl CountingAllocator {
    #[inline]
    fn count(self, bytes: i64) {
        // A thread that ends may free after its own variables are gone.
        let _ = ACCOUNT.try_with(|account| {
            let held = account.held.get().wrapping_add(bytes);
            account.held.set(held);
            if held > account.most.get() {
                // What ends the process may allocate.
                account.most.set(i64::MAX);
                (self.end)(held, bytes);
            }
        });
    }
}

/// A size is at most `isize::MAX`.
const fn signed(size: usize) -> i64 {
    size.cast_signed() as i64
}

// SAFETY: every call goes to the system's allocator with the arguments that it came with; counting neither
// allocates nor unwinds, but for the message with which the process ends.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(signed(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count(signed(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.count(-signed(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(signed(size) - signed(layout.size()));
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: CountingAllocator = CountingAllocator::ABORTING;

    #[test]
    fn what_a_thread_holds_is_counted() {
        let other = std::thread::spawn(held).join().unwrap();
        assert!(other < 1 << 20, "{other}");
        let before = held();
        let mut bytes: Vec<u8> = Vec::with_capacity(1 << 20);
        assert_eq!(held() - before, 1 << 20);
        bytes.reserve_exact(3 << 20);
        assert_eq!(held() - before, 3 << 20);
        drop(bytes);
        assert_eq!(held(), before);
        let kept = uncounted(|| vec![0u8; 1 << 20]);
        assert_eq!(held(), before);
        drop(kept);
        assert_eq!(held(), before - (1 << 20));
    }
}
