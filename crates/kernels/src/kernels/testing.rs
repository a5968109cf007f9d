//! Helpers of the kernels' tests.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::maps::Maps;
use super::shared::SharedSlice;

/// Returns a view of maps whose pixels have `channels` values.
pub fn maps(values: &mut [f32], channels: usize, size: (usize, usize)) -> Maps<'_> {
    Maps::new(SharedSlice::new(values), channels, channels, size)
}

/// Returns all but the last value of some memory.
pub fn shorter<'a, T>(memory: &SharedSlice<'a, T>) -> SharedSlice<'a, T> {
    memory.part(0..memory.count() - 1)
}

/// Asserts that a check passes with enough values of each kind, and panics with the kind's message where one
/// value of it is missing.
pub fn needs_each<const N: usize>(
    enough: [usize; N],
    messages: [&str; N],
    check: impl Fn([usize; N]),
) {
    check(enough);
    for (index, message) in messages.into_iter().enumerate() {
        let mut short = enough;
        short[index] -= 1;
        refuses(message, || check(short));
    }
}

/// Asserts that a check panics with a message.
pub fn refuses<T>(message: &str, check: impl FnOnce() -> T) {
    let Err(refused) = catch_unwind(AssertUnwindSafe(check)) else {
        panic!("not refused: {message}");
    };
    let constant = refused.downcast_ref::<&str>().copied().unwrap_or_default();
    let text = refused.downcast_ref::<String>().map_or(constant, String::as_str);
    assert!(text.contains(message), "{text}");
}
