//! The frontier of accuracy, latency and area, of pairs that come in descending accuracy.

use serde::{Deserialize, Serialize};

/// A point of the frontier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The network's number.
    pub network: u32,
    /// The configuration's number.
    pub configuration: u32,
    /// The network's accuracy, a fraction.
    pub accuracy: f64,
    /// The latency of a batch in ms.
    pub latency_ms: f64,
    /// The rank of the configuration's area among the different areas, from the smallest.
    pub area_rank: u32,
    /// How many pairs have exactly these metrics; this is the one with the smallest number of the
    /// network, then of the configuration.
    pub pairs: u64,
}

/// The frontier so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Staircase {
    /// The points of networks more accurate than the current ones.
    settled: Vec<Member>,
    /// For each rank of area, the lowest latency of a settled point of at most that area.
    lowest: Vec<f64>,
    /// The points of the current accuracy, by ascending area and descending latency.
    current: Vec<Member>,
}

impl Staircase {
    /// Starts with no points, for so many different areas.
    pub(super) fn new(areas: usize) -> Self {
        Self { settled: Vec::new(), lowest: vec![f64::INFINITY; areas], current: Vec::new() }
    }

    /// Goes on from the points of another staircase.
    pub(super) fn restore(areas: usize, settled: Vec<Member>, current: Vec<Member>) -> Self {
        let mut staircase = Self::new(areas);
        for member in settled {
            staircase.settle(member);
        }
        staircase.current = current;
        staircase
    }

    /// The settled points and those of the current accuracy.
    pub(super) fn parts(&self) -> (&[Member], &[Member]) {
        (&self.settled, &self.current)
    }

    /// Offers a pair (or several with the same metrics) that is no more accurate than those before.
    pub(super) fn offer(&mut self, pair: Member) {
        if self.current.first().is_some_and(|first| first.accuracy != pair.accuracy) {
            self.finish();
        }
        if pair.latency_ms >= self.lowest[pair.area_rank as usize] {
            return;
        }
        let behind = self.current.partition_point(|member| member.area_rank <= pair.area_rank);
        let mut place = behind;
        if let Some(before) = behind.checked_sub(1) {
            let member = &mut self.current[before];
            let same_area = member.area_rank == pair.area_rank;
            if same_area && member.latency_ms == pair.latency_ms {
                let first =
                    (member.network, member.configuration).min((pair.network, pair.configuration));
                (member.network, member.configuration) = first;
                member.pairs += pair.pairs;
                return;
            }
            if member.latency_ms <= pair.latency_ms {
                return;
            }
            if same_area {
                place = before;
            }
        }
        let beaten =
            self.current[behind..].partition_point(|member| member.latency_ms >= pair.latency_ms);
        self.current.splice(place..behind + beaten, [pair]);
    }

    /// Settles the points of the current accuracy: what comes is less accurate, or nothing.
    pub(super) fn finish(&mut self) {
        for member in std::mem::take(&mut self.current) {
            self.settle(member);
        }
    }

    fn settle(&mut self, member: Member) {
        for lowest in &mut self.lowest[member.area_rank as usize..] {
            if *lowest <= member.latency_ms {
                break;
            }
            *lowest = member.latency_ms;
        }
        self.settled.push(member);
    }

    /// For each rank of area, the highest latency that may still join or equal a point.
    pub(super) fn limits(&self) -> Vec<f64> {
        let mut limits = self.lowest.clone();
        for member in &self.current {
            for limit in &mut limits[member.area_rank as usize..] {
                if *limit <= member.latency_ms {
                    break;
                }
                *limit = member.latency_ms;
            }
        }
        limits
    }
}
