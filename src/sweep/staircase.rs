//! The Pareto frontier of accuracy, latency and area, for pairs offered in descending accuracy.

use serde::{Deserialize, Serialize};

/// A point of the Pareto frontier.
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
    /// The number of pairs with exactly these metrics. This one has the smallest number of the network, then
    /// of the configuration.
    pub pairs: u64,
}

/// The Pareto frontier of the pairs so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Staircase {
    /// The points with higher accuracy than the current one.
    settled: Vec<Member>,
    /// For each rank of area, the lowest latency of a settled point with at most that area.
    lowest: Vec<f64>,
    /// The points with the current accuracy, by ascending area and descending latency.
    current: Vec<Member>,
}

impl Staircase {
    /// Creates an empty frontier for `areas` different areas.
    pub(super) fn new(areas: usize) -> Self {
        Self { settled: Vec::new(), lowest: vec![f64::INFINITY; areas], current: Vec::new() }
    }

    /// Creates a frontier from the [`parts`](Self::parts) of another.
    pub(super) fn restore(areas: usize, settled: Vec<Member>, current: Vec<Member>) -> Self {
        let mut staircase = Self::new(areas);
        for member in settled {
            staircase.settle(member);
        }
        staircase.current = current;
        staircase
    }

    /// The settled points, and those with the current accuracy.
    pub(super) fn parts(&self) -> (&[Member], &[Member]) {
        (&self.settled, &self.current)
    }

    /// Offers a pair, or several with the same metrics; accuracies must not ascend from call to call.
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

    /// Settles the points with the current accuracy; later pairs must be less accurate.
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

    /// For each rank of area, the highest latency with which a pair of the current accuracy may join the
    /// frontier or equal a point of it.
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
