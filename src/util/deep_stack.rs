//! Threads with stacks large enough for scripts.

use std::thread::Builder;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// The stack size of these threads, in bytes.
///
/// It is enough to copy, compare, print and free the most deeply nested values that a script can build within
/// the default limits; these recursions cannot be interrupted. It is reserved address space; memory is used
/// only as needed.
pub const STACK_BYTES: usize = 640 << 20;

/// Creates a pool of such threads.
///
/// # Errors
/// Returns an error if the threads cannot be started.
pub fn pool(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build()
}

/// Returns a builder of such a thread.
pub fn builder() -> Builder {
    Builder::new().stack_size(STACK_BYTES)
}

/// Gives the global thread pool such threads; must be called before the first use of that pool.
pub fn shared_pool() {
    if let Err(error) = ThreadPoolBuilder::new().stack_size(STACK_BYTES).build_global() {
        tracing::debug!(%error, "the shared threads have ordinary stacks");
    }
}
