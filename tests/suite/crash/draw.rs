//! How much is tried, and the random numbers that say what.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The number in an environment variable.
fn set(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text}, which is no number")))
}

/// The seed of the tests: `TANDEM_CRASH_SEED`.
pub fn seed() -> u64 {
    set("TANDEM_CRASH_SEED").unwrap_or(1)
}

/// How many processes the quick tests kill in all.
const KILLS: u64 = 14;

/// How often a test tries: a number that is quick, or as many times more as `TANDEM_CRASH_KILLS` asks for more
/// kills in all.
pub fn times(quick: u64) -> u64 {
    set("TANDEM_CRASH_KILLS").map_or(quick, |kills| (quick * kills).div_ceil(KILLS))
}

/// Whether more is asked for than a quick test.
pub fn is_long() -> bool {
    set("TANDEM_CRASH_KILLS").is_some()
}

/// The random numbers of a test. The seed is printed: where a test fails, it is seen.
pub fn random(test: &str) -> ChaCha8Rng {
    let seed = seed();
    eprintln!("crash: {test}: TANDEM_CRASH_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(test.bytes().fold(0, |hash, byte| (hash * 31 + u64::from(byte)) % (1 << 40)));
    rng
}
