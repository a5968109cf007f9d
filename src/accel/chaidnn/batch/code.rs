//! A network's schedule as straight-line code over slots.
//!
//! Each engine runs its queue in order, so the end of an operation is its duration plus the latest end among
//! its inputs and the previous operation on its engine. This is a fixed program of sums and maxima for all
//! configurations with the same engines.

use std::ops::Range;

use super::super::operation::{Engine, Engines, Work};
use super::super::queue::Queue;

/// The slot of zeros; the durations of the works follow it.
pub(super) const ZERO: u16 = 0;

/// An instruction: slot `to` becomes slot `add` plus the larger of slots `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub to: u16,
    pub add: u16,
    pub a: u16,
    pub b: u16,
}

/// The code of several networks, one after another.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    steps: Vec<Instruction>,
    /// The slots to add, in this order, for the latency.
    sums: Vec<u16>,
    /// The end of each network's range in `steps` and in `sums`.
    ends: Vec<(usize, usize)>,
}

impl Code {
    pub(super) fn networks(&self) -> impl Iterator<Item = (&[Instruction], &[u16])> {
        let mut start = (0, 0);
        self.ends.iter().map(move |&(steps, sums)| {
            let code = (&self.steps[start.0..steps], &self.sums[start.1..sums]);
            start = (steps, sums);
            code
        })
    }
}

/// The segments of a queue, and which of them are equal.
#[derive(Debug, Default)]
pub(super) struct QueueOutline {
    /// Each segment, and the index of the first segment with the same works and dependencies.
    segments: Vec<(Range<usize>, usize)>,
}

impl QueueOutline {
    pub(super) fn new(queue: &Queue) -> Self {
        let mut segments: Vec<(Range<usize>, usize)> = Vec::new();
        for segment in queue.segments() {
            let is_like = |(index, (other, first)): &(usize, &(Range<usize>, usize))| {
                index == first && alike(queue, other, &segment)
            };
            let first = segments.iter().enumerate().find(is_like).map(|(index, _)| index);
            segments.push((segment, first.unwrap_or(segments.len())));
        }
        Self { segments }
    }

    /// The tasks of the segments that equal no earlier one.
    pub(super) fn tasks(&self) -> impl Iterator<Item = usize> + '_ {
        let firsts = self.segments.iter().enumerate().filter(|(index, (_, first))| index == first);
        firsts.flat_map(|(_, (segment, _))| segment.clone())
    }
}

fn alike(queue: &Queue, a: &Range<usize>, b: &Range<usize>) -> bool {
    let inner = |segment: &Range<usize>, task: usize| {
        let start = segment.start as u32;
        queue.after(task).iter().filter_map(move |before| before.checked_sub(start))
    };
    a.len() == b.len()
        && a.clone()
            .zip(b.clone())
            .all(|(x, y)| queue.work(x) == queue.work(y) && inner(a, x).eq(inner(b, y)))
}

/// An error: the code needs more slots than a `u16` can number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManySlots;

/// Generator of code, which reuses its memory from network to network.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    /// Steps, each with its level: the length of the longest chain of steps up to it.
    steps: Vec<(u32, Instruction)>,
    /// The slot of each segment's makespan.
    makespans: Vec<u16>,
    /// For each task of the segment, the slot of its end time and the level of that slot.
    ends: Vec<(u16, u32)>,
    /// For each task of the segment, the set of tasks before it, as [`bit`]s.
    ancestors: Vec<u64>,
    needs: Vec<usize>,
    is_last: Vec<bool>,
}

impl Compiler {
    /// Appends the code of a network for configurations with the given engines.
    ///
    /// `row` maps a task to the slot of its duration; slots from `free` on may be used.
    ///
    /// # Errors
    /// [`TooManySlots`] if the network needs more slots than there are.
    pub(super) fn compile(
        &mut self,
        queue: &Queue,
        outline: &QueueOutline,
        engines: Engines,
        row: impl Fn(usize) -> u16,
        free: usize,
        code: &mut Code,
    ) -> Result<(), TooManySlots> {
        self.steps.clear();
        self.makespans.clear();
        let mut free = free;
        for (index, (segment, first)) in outline.segments.iter().enumerate() {
            let makespan = if *first < index {
                self.makespans[*first]
            } else {
                self.segment(queue, segment, engines, &row, &mut free)?
            };
            self.makespans.push(makespan);
        }
        // Steps of one level do not wait for each other, which keeps the processor's pipelines full.
        self.steps.sort_by_key(|&(level, _)| level);
        code.steps.extend(self.steps.iter().map(|&(_, step)| step));
        code.sums.extend_from_slice(&self.makespans);
        code.ends.push((code.steps.len(), code.sums.len()));
        Ok(())
    }

    /// Emits the steps of a segment and returns the slot of its makespan.
    fn segment(
        &mut self,
        queue: &Queue,
        segment: &Range<usize>,
        engines: Engines,
        row: &impl Fn(usize) -> u16,
        free: &mut usize,
    ) -> Result<u16, TooManySlots> {
        let mut last_on = [None; Engine::COUNT];
        self.ends.clear();
        self.ancestors.clear();
        self.is_last.clear();
        for task in segment.clone() {
            let work: &Work = queue.work(task);
            let engine = work.engine(engines) as usize;
            self.needs.clear();
            let inner = queue.after(task).iter().map(|&before| before as usize);
            self.needs.extend(inner.filter_map(|before| before.checked_sub(segment.start)));
            let here = task - segment.start;
            if let Some(previous) = last_on[engine].replace(here)
                && !self.needs.contains(&previous)
            {
                self.needs.push(previous);
            }
            self.drop_implied();
            let mut ancestors = 0;
            for &need in &self.needs {
                self.is_last[need] = false;
                ancestors |= self.ancestors[need] | bit(need);
            }
            self.ancestors.push(ancestors);
            self.is_last.push(true);
            let end = self.after_all(row(task), free)?;
            self.ends.push(end);
        }
        self.needs.clear();
        self.needs.extend((0..segment.len()).filter(|&task| self.is_last[task]));
        Ok(self.after_all(ZERO, free)?.0)
    }

    /// Drops the needs that another need already waits for.
    fn drop_implied(&mut self) {
        let ancestors = &self.ancestors;
        let implied = self.needs.iter().fold(0, |all, &need| all | ancestors[need]);
        self.needs.retain(|&need| bit(need) == 0 || implied & bit(need) == 0);
    }

    /// Emits the steps that add a duration to the latest end of the needs; returns the slot and its level.
    fn after_all(&mut self, duration: u16, free: &mut usize) -> Result<(u16, u32), TooManySlots> {
        let (mut latest, mut others) = match self.needs.split_first() {
            None => return Ok((duration, 0)),
            Some((&first, rest)) => (self.ends[first], rest.iter()),
        };
        if duration == ZERO && others.len() == 0 {
            return Ok(latest);
        }
        loop {
            let other = others.next().map_or(latest, |&need| self.ends[need]);
            let add = if others.len() == 0 { duration } else { ZERO };
            let level = 1 + latest.1.max(other.1);
            let to = u16::try_from(*free).map_err(|_| TooManySlots)?;
            *free += 1;
            self.steps.push((level, Instruction { to, add, a: latest.0, b: other.0 }));
            latest = (to, level);
            if others.len() == 0 {
                return Ok(latest);
            }
        }
    }
}

/// The bit of a task in a segment's sets of ancestors, or 0 from the 65th task on, whose needs are all kept.
const fn bit(task: usize) -> u64 {
    if task < 64 { 1 << task } else { 0 }
}
