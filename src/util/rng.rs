//! Named random streams.
//!
//! Every random number of a run comes from a ChaCha12 stream named by the run's seed, a purpose and an index.
//! Drawing more numbers for one purpose thus never shifts those for another.

use rand::SeedableRng;
pub use rand_chacha::ChaCha12Rng;

/// Returns the stream for one purpose of a run.
///
/// The key is the BLAKE3 derivation of `(seed, purpose, index)`; two streams that differ in any of
/// them are independent.
pub fn stream(seed: u64, purpose: &str, index: u64) -> ChaCha12Rng {
    let mut hasher = blake3::Hasher::new_derive_key("tandem random stream v1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha12Rng::from_seed(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn streams_are_reproducible_and_distinct() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        assert_eq!(first(1, "policy", 0), first(1, "policy", 0));
        assert_ne!(first(1, "policy", 0), first(2, "policy", 0));
        assert_ne!(first(1, "policy", 0), first(1, "weights", 0));
        assert_ne!(first(1, "policy", 0), first(1, "policy", 1));
    }
}
