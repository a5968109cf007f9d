//! Threads that scripts may run on.

use std::thread::Builder;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// The size of their stacks: what the deepest values that a script can build within the default limits need
/// when they are copied, compared, printed or freed, which are recursions that nothing interrupts. It is
/// address space, of which memory is only what is used.
pub const STACK_BYTES: usize = 640 << 20;

/// A pool of such threads.
///
/// # Errors
/// The threads cannot be started.
pub fn pool(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build()
}

/// What starts one such thread.
pub fn builder() -> Builder {
    Builder::new().stack_size(STACK_BYTES)
}

/// Has the pool of everything that names none be made of such threads; to be called before it is used.
pub fn shared_pool() {
    if let Err(error) = ThreadPoolBuilder::new().stack_size(STACK_BYTES).build_global() {
        tracing::debug!(%error, "the shared threads have ordinary stacks");
    }
}
