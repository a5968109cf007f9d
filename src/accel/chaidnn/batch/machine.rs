//! Execution of code over slots, a vector of configurations at a time.
//!
//! The same loops are compiled for several widths of vector registers; sums and maxima of f64 are equal in
//! all of them.

use tandem_kernels::{Wide, widest};

use super::code::{Code, ZERO};

/// The number of configurations computed at once.
pub(super) const LANES: usize = 32;

/// A number for each of [`LANES`] configurations.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Slot(pub [f64; LANES]);

impl Slot {
    pub(super) const fn all(value: f64) -> Self {
        Self([value; LANES])
    }
}

const SLOTS: usize = 1 << 16;

/// The slots of running code. The size makes every `u16` a valid slot number.
#[derive(Debug)]
pub struct SlotMemory {
    slots: Box<[Slot; SLOTS]>,
}

impl SlotMemory {
    /// Makes a memory of zeros.
    pub fn new() -> Self {
        let slots = vec![Slot::all(0.0); SLOTS].into_boxed_slice();
        match slots.try_into() {
            Ok(slots) => Self { slots },
            Err(_) => unreachable!("the slice has as many slots as the array"),
        }
    }

    /// Copies the durations of the works behind the slot of zeros.
    pub(super) fn load(&mut self, durations: &[Slot]) {
        self.slots[usize::from(ZERO)] = Slot::all(0.0);
        self.slots[1..=durations.len()].copy_from_slice(durations);
    }
}

impl Default for SlotMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// A threshold for each configuration of a block, and its weight in the count of pairs that pass.
#[derive(Clone, Debug)]
pub(super) struct BlockLevel {
    /// The number of networks that count, from the first.
    pub networks: usize,
    /// The thresholds, in µs.
    pub most_us: Slot,
    /// The weight of each lane in the count.
    pub weight: Slot,
}

/// A query about a block of configurations.
#[derive(Debug)]
pub(super) struct Query {
    /// The limits in µs; latencies up to them are reported.
    pub limits_us: Slot,
    pub levels: Vec<BlockLevel>,
}

/// The results of a query.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Network, lane and latency in µs of each pair within the limits.
    pub found: Vec<(u32, u32, f64)>,
    /// The total weight of the pairs that pass, for each level.
    pub counts: Vec<f64>,
    /// The highest finite latency in µs, over all runs into this answer.
    pub highest_us: f64,
}

/// Runs the code of every network over the slots.
pub(super) fn run(memory: &mut SlotMemory, code: &Code, query: &Query, answer: &mut Answer) {
    widest(Run { memory, code, query, answer });
}

/// The arguments of [`run`], for the choice of the widest vector registers.
struct Run<'a> {
    memory: &'a mut SlotMemory,
    code: &'a Code,
    query: &'a Query,
    answer: &'a mut Answer,
}

impl Wide for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        run_lanes(self.memory, self.code, self.query, self.answer);
    }
}

#[inline(always)]
fn run_lanes(memory: &mut SlotMemory, code: &Code, query: &Query, answer: &mut Answer) {
    let slots = &mut *memory.slots;
    let limits = query.limits_us.0;
    let mut highest = [0.0; LANES];
    let mut counts = vec![[0.0; LANES]; query.levels.len()];
    for (network, (steps, sums)) in code.networks().enumerate() {
        for step in steps {
            let add = slots[usize::from(step.add)].0;
            let a = slots[usize::from(step.a)].0;
            let b = slots[usize::from(step.b)].0;
            let to = &mut slots[usize::from(step.to)].0;
            for lane in 0..LANES {
                to[lane] = add[lane] + larger(a[lane], b[lane]);
            }
        }
        let mut total = [0.0; LANES];
        for &sum in sums {
            let slot = &slots[usize::from(sum)].0;
            for lane in 0..LANES {
                total[lane] += slot[lane];
            }
        }
        let mut any = false;
        for lane in 0..LANES {
            any |= total[lane] <= limits[lane];
            let finite = if total[lane] < f64::INFINITY { total[lane] } else { 0.0 };
            highest[lane] = larger(highest[lane], finite);
        }
        if any {
            report(network, &total, &limits, answer);
        }
        for (level, counts) in query.levels.iter().zip(&mut counts) {
            if network < level.networks {
                for lane in 0..LANES {
                    let passes = total[lane] <= level.most_us.0[lane];
                    counts[lane] += if passes { level.weight.0[lane] } else { 0.0 };
                }
            }
        }
    }
    answer.highest_us = highest.into_iter().fold(answer.highest_us, f64::max);
    answer.counts.resize(counts.len(), 0.0);
    for (sum, lanes) in answer.counts.iter_mut().zip(&counts) {
        *sum += lanes.iter().sum::<f64>();
    }
}

#[cold]
#[inline(never)]
fn report(network: usize, total: &[f64; LANES], limits: &[f64; LANES], answer: &mut Answer) {
    for lane in 0..LANES {
        if total[lane] <= limits[lane] {
            answer.found.push((network as u32, lane as u32, total[lane]));
        }
    }
}

/// Returns the larger of two numbers that are not NaN, in one instruction.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run over a memory of its own.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Alone<'a> {
        pub durations: &'a [Slot],
        pub code: &'a Code,
        pub query: &'a Query,
    }

    impl Wide for Alone<'_> {
        type Output = Answer;

        #[inline(always)]
        fn run(self) -> Answer {
            let (mut memory, mut answer) = (SlotMemory::new(), Answer::default());
            memory.load(self.durations);
            run_lanes(&mut memory, self.code, self.query, &mut answer);
            answer
        }
    }
}
