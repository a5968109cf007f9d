//! The recent rate of work.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which a rate is measured.
const RECENT: Duration = Duration::from_secs(30);

/// Counts of finished work, with their times.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Records the work that is finished.
    pub fn note(&mut self, at: Instant, done: u64) {
        // What comes within a twentieth of the window changes nothing, and would only take memory.
        let step = RECENT / 20;
        match self.seen.len() {
            len if len > 2 && at.duration_since(self.seen[len - 2].0) < step => {
                self.seen[len - 1] = (at, done);
            }
            _ => self.seen.push_back((at, done)),
        }
        while self.seen.len() > 2 && at.duration_since(self.seen[1].0) > RECENT {
            self.seen.pop_front();
        }
    }

    /// The work finished per second; `None` if there are no two counts at different times.
    pub fn per_s(&self) -> Option<f64> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let done = last.1.saturating_sub(first.1) as f64;
        (seconds > 0.0).then(|| done / seconds)
    }

    /// The seconds that `left` more units of work take at this rate; `None` if that is unknown or there are
    /// none.
    pub fn seconds(&self, left: u64) -> Option<f64> {
        let per_s = self.per_s()?;
        #[expect(clippy::cast_precision_loss, reason = "a time for people")]
        let left = left as f64;
        (left > 0.0 && per_s > 0.0).then(|| left / per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_late() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!((rate.per_s(), rate.seconds(5)), (None, None));
        for tenth in 0..1_000u32 {
            let done = if tenth < 500 { 0 } else { u64::from(tenth - 500) };
            rate.note(start + Duration::from_millis(100) * tenth, done);
        }
        let per_s = rate.per_s().unwrap();
        assert!((per_s - 10.0).abs() < 1e-9, "{per_s}");
        assert!((rate.seconds(100).unwrap() - 10.0).abs() < 1e-9);
        assert_eq!(rate.seconds(0), None);
        assert!(rate.seen.len() < 30, "{}", rate.seen.len());
    }
}
