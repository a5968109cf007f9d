//! The function `reject`: rewards of pairs that miss a constraint.

use rhai::{Dynamic, Module};

use crate::run::Reward;
use crate::script::native::{name_type, native};
use crate::script::options::number;

/// The reward of a pair that does not meet the constraints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejected(pub f64);

pub(super) fn register(globals: &mut Module) {
    name_type::<Rejected>(
        globals,
        "Rejected",
        "The reward of a pair that misses a limit, as `reject` gives it.",
    );
    native! { globals =>
        /// The reward of a pair that misses a limit, for `reward(metrics)` to return: the trial is not valid.
        /// Controllers prefer every valid pair to it, and among rejected ones the higher reward, so that minus
        /// the distance from the limit leads back.
        ///
        /// ```rhai
        /// fn reward(m) { if m.latency_ms > 5.0 { reject(5.0 - m.latency_ms) } else { m.accuracy } }
        /// reward(#{ accuracy: 0.9, latency_ms: 7.0 }) // => reject(-2)
        /// ```
        fn reject(reward: float) -> Rejected = |reward: f64| Rejected(reward);
        /// The reward of a pair that misses a limit, from a whole number.
        ///
        /// ```rhai
        /// reject(-1) // => reject(-1)
        /// ```
        fn reject(reward: int) -> Rejected = whole;
        /// The reward in words.
        ///
        /// ```rhai
        /// reject(-0.5).to_string() // => reject(-0.5)
        /// ```
        fn to_string(rejected: Rejected) -> String =
            |rejected: &mut Rejected| format!("reject({})", rejected.0);
        /// The number that was rejected with.
        get reward(rejected: Rejected) -> float = |rejected: &mut Rejected| rejected.0;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a reward is a small number")]
const fn whole(reward: i64) -> Rejected {
    Rejected(reward as f64)
}

/// Converts the result of a reward function; `None` if it is neither a number nor a rejection.
pub(in crate::script) fn read(value: &Dynamic) -> Option<Reward> {
    if let Some(rejected) = value.read_lock::<Rejected>() {
        return Some(Reward { value: rejected.0, valid: false });
    }
    number(value).map(|value| Reward { value, valid: true })
}
