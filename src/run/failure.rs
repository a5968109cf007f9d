//! Failed trials.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The reason that a trial has no metrics or no reward: a message, and the error behind it.
///
/// Failures are equal if their messages are.
#[derive(Clone)]
pub struct Failure {
    message: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    /// Creates a failure from a message alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None }
    }

    /// Creates a failure from the error behind it, whose text becomes the message.
    pub fn of(cause: impl Error + Send + Sync + 'static) -> Self {
        Self { message: cause.to_string(), cause: Some(Arc::new(cause)) }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error behind it, if it is an `E`.
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        let cause: &(dyn Error + 'static) = self.cause.as_deref()?;
        cause.downcast_ref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failure").field(&self.message).finish()
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.message == other.message
    }
}

impl Eq for Failure {}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_carry_what_is_behind_them() {
        let bare = Failure::new("a table is missing");
        let full = Failure::of(std::io::Error::other("a table is missing"));
        assert_eq!(bare, full);
        assert!(bare.cause::<std::io::Error>().is_none());
        assert!(full.clone().cause::<std::io::Error>().is_some());
        assert!(full.cause::<fmt::Error>().is_none());
    }
}
