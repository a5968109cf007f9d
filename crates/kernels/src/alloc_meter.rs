//! The memory that each thread holds, counted by the process's allocator.
//!
//! Counting makes it possible to limit a script's memory, which the sizes of its strings and arrays do not
//! bound. A thread's count is the bytes that it has allocated minus the bytes that it has freed, whichever
//! thread allocated them. Counting costs about a nanosecond per allocation. Nothing is counted or limited in
//! a process whose global allocator is not a [`CountingAllocator`].

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count of the bytes that each thread holds.
#[derive(Clone, Copy, Debug)]
pub struct CountingAllocator {
    /// Ends the process when a thread holds more than [`end_above`] allows. Its arguments are the bytes that
    /// the thread holds and those of its last request.
    pub end: fn(held: i64, step: i64) -> !,
}

impl CountingAllocator {
    /// An allocator for tests and benches, with [`std::process::abort`] as its `end`.
    pub const ABORTING: Self = Self { end: |_, _| std::process::abort() };
}

struct Account {
    held: Cell<i64>,
    /// The limit of `held` in bytes. More ends the process, since an allocator cannot fail gracefully.
    most: Cell<i64>,
}

thread_local! {
    static ACCOUNT: Account = const { Account { held: Cell::new(0), most: Cell::new(i64::MAX) } };
}

/// Returns the bytes that this thread has allocated minus those that it has freed; may be negative.
#[inline]
pub fn held() -> i64 {
    ACCOUNT.with(|account| account.held.get())
}

/// Sets the number of held bytes above which this thread's allocations call [`CountingAllocator::end`], and
/// returns the previous limit. `i64::MAX` means no limit.
///
/// An allocator cannot fail gracefully, so the process ends. The limit is for a single step that requests far
/// too much; slow growth is detected earlier, by calls of [`held`].
pub fn end_above(most: i64) -> i64 {
    ACCOUNT.with(|account| account.most.replace(most))
}

/// Runs `work` without counting or limiting its memory.
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

/// Converts a size, which is at most `isize::MAX`.
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
