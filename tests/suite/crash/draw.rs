//! The numbers of tries of the crash tests, and their random numbers.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Returns the number in an environment variable, if it is set.
fn set(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text}, which is no number")))
}

/// Returns the seed of the tests: `TANDEM_CRASH_SEED`, or 1.
pub fn seed() -> u64 {
    set("TANDEM_CRASH_SEED").unwrap_or(1)
}

/// The total number of processes that the quick tests kill.
const KILLS: u64 = 14;

/// Returns the number of tries of a test: `quick`, scaled by `TANDEM_CRASH_KILLS` / [`KILLS`] if that
/// variable is set.
pub fn times(quick: u64) -> u64 {
    set("TANDEM_CRASH_KILLS").map_or(quick, |kills| (quick * kills).div_ceil(KILLS))
}

/// Returns true if `TANDEM_CRASH_KILLS` is set.
pub fn is_long() -> bool {
    set("TANDEM_CRASH_KILLS").is_some()
}

/// Returns the random number generator of a test, and prints the seed, so that failures show it.
pub fn random(test: &str) -> ChaCha8Rng {
    let seed = seed();
    eprintln!("crash: {test}: TANDEM_CRASH_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(test.bytes().fold(0, |hash, byte| (hash * 31 + u64::from(byte)) % (1 << 40)));
    rng
}
