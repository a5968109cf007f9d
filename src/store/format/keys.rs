//! Keys of trials and checkpoints: the run's name, a zero byte and the step (8 bytes, big-endian).

/// Returns the prefix of all keys of a run.
///
/// A name has no zero byte, so no key of one run begins with the prefix of another.
pub(in crate::store) fn prefix(run: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(run.len() + 9);
    key.extend_from_slice(run.as_bytes());
    key.push(0);
    key
}

/// Returns the key of a step of a run.
pub(in crate::store) fn key(run: &str, step: u64) -> Vec<u8> {
    let mut key = prefix(run);
    key.extend_from_slice(&step.to_be_bytes());
    key
}

/// Returns the run of a key; `None` if it is not a key of this kind.
pub(in crate::store) fn run(key: &[u8]) -> Option<&str> {
    let (name, _) = key.split_last_chunk::<8>()?;
    std::str::from_utf8(name.strip_suffix(&[0])?).ok()
}

/// Returns the step of a key; `None` if the key is too short.
pub(in crate::store) fn step(key: &[u8]) -> Option<u64> {
    let (_, step) = key.split_last_chunk::<8>()?;
    Some(u64::from_be_bytes(*step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_runs_and_steps() {
        let runs = ["a", "a-1", "a-10", "a-2", "b"];
        let keys: Vec<_> =
            runs.iter().flat_map(|run| [0, 1, 255, 256, u64::MAX].map(|s| key(run, s))).collect();
        assert!(keys.is_sorted());
        assert_eq!(step(&key("a", 77)), Some(77));
        assert_eq!(run(&key("a-1", 77)), Some("a-1"));
        assert_eq!(run(b"short"), None);
        assert!(!key("a-10", 3).starts_with(&prefix("a-1")));
        assert_eq!(step(b"short"), None);
    }
}
