//! `reject`: the reward of a pair that misses a limit.

use rhai::{Dynamic, Engine};

use crate::script::options::number;
use crate::study::{Failure, Reward};

/// A reward for a pair that does not meet the limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejected(pub f64);

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Rejected>("Rejected");
    engine.register_fn("reject", |reward: f64| Rejected(reward));
    #[expect(clippy::cast_precision_loss, reason = "a reward is a small number")]
    engine.register_fn("reject", |reward: i64| Rejected(reward as f64));
    engine.register_fn("to_string", |rejected: &mut Rejected| format!("reject({})", rejected.0));
    engine.register_get("reward", |rejected: &mut Rejected| rejected.0);
}

/// What a reward function returned, as a reward.
pub(in crate::script) fn read(value: &Dynamic) -> Result<Reward, Failure> {
    if let Some(rejected) = value.read_lock::<Rejected>() {
        return Ok(Reward { value: rejected.0, valid: false });
    }
    match number(value) {
        Some(value) => Ok(Reward { value, valid: true }),
        None => {
            let kind = value.type_name();
            Err(Failure(format!(
                "reward(metrics) returned {value} ({kind}); it must return a number, or \
                 `reject(number)` for a pair that misses a limit"
            )))
        }
    }
}
