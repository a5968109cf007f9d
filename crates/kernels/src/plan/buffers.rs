//! The memory of a training step, laid out before it runs.

use std::ops::Range;

/// A piece of memory that a plan lays out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(usize);

/// Feature maps in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The buffer.
    pub buffer: BufferId,
    /// The first channel within a pixel.
    pub channel: usize,
    /// Values from a pixel to the next.
    pub stride: usize,
    /// Values of a pixel that belong to the maps.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Place {
    /// Returns the place of `channels` of the channels, the first of which is `channel`.
    pub const fn slice(self, channel: usize, channels: usize) -> Self {
        Self { channel: self.channel + channel, channels, ..self }
    }
}

/// Buffers, each with the first and the last time of its use.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    sizes: Vec<usize>,
    lives: Vec<Option<(usize, usize)>>,
}

/// f32 values of a cache line.
const LINE: usize = 16;

impl Buffers {
    /// Adds a buffer of `values` f32 values.
    pub fn add(&mut self, values: usize) -> BufferId {
        self.sizes.push(values);
        self.lives.push(None);
        BufferId(self.sizes.len() - 1)
    }

    /// Marks a buffer as in use at a time, and at all times between this and its other uses.
    pub fn touch(&mut self, buffer: BufferId, time: usize) {
        let life = &mut self.lives[buffer.0];
        let (first, last) = life.unwrap_or((time, time));
        *life = Some((first.min(time), last.max(time)));
    }

    /// Assigns a range to every buffer, such that buffers in use at the same time do not overlap; returns
    /// the ranges and the total size, in f32 values. Buffers that are never in use have none.
    pub fn lay_out(&self) -> (Vec<Range<usize>>, usize) {
        let mut order: Vec<usize> = (0..self.sizes.len()).collect();
        order.sort_by_key(|&index| (std::cmp::Reverse(self.sizes[index]), index));
        let mut ranges = vec![0..0; self.sizes.len()];
        let mut placed: Vec<usize> = Vec::new();
        let mut total = 0;
        for index in order {
            let Some((first, last)) = self.lives[index] else { continue };
            let mut taken: Vec<(usize, usize)> = placed
                .iter()
                .filter(|&&other| {
                    self.lives[other].is_some_and(|(from, to)| from <= last && first <= to)
                })
                .map(|&other| (ranges[other].start, ranges[other].start + self.room(other)))
                .collect();
            taken.sort_unstable();
            let mut offset = 0;
            for (from, to) in taken {
                if offset + self.room(index) <= from {
                    break;
                }
                offset = offset.max(to);
            }
            ranges[index] = offset..offset + self.sizes[index];
            total = total.max(offset + self.room(index));
            placed.push(index);
        }
        (ranges, total)
    }

    /// Returns a buffer's size in whole cache lines, plus a few lines that differ from buffer to buffer:
    /// arrays that are read together are slower if they are a multiple of 4 KB apart.
    fn room(&self, index: usize) -> usize {
        self.sizes[index].next_multiple_of(LINE) + (1 + index * 5 % 13) * LINE
    }

    /// Returns the index of a buffer's range in the result of [`Buffers::lay_out`].
    pub const fn index(buffer: BufferId) -> usize {
        buffer.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_one_time_lie_apart_and_others_share() {
        let mut buffers = Buffers::default();
        let ids: Vec<BufferId> = [100, 300, 200, 50, 70].map(|size| buffers.add(size)).into();
        for (id, life) in ids.iter().zip([(0, 3), (2, 4), (4, 6), (5, 9)]) {
            buffers.touch(*id, life.1);
            buffers.touch(*id, life.0);
        }
        let (ranges, total) = buffers.lay_out();
        let apart = |a: usize, b: usize| {
            ranges[a].end <= ranges[b].start || ranges[b].end <= ranges[a].start
        };
        assert!(apart(0, 1) && apart(1, 2) && apart(2, 3));
        let sum: usize = (0..4).map(|i| buffers.room(i)).sum();
        assert!(total < sum, "{total}");
        assert!(!apart(0, 2));
        assert!((0..4).all(|i| ranges[i].len() == buffers.sizes[i]));
        assert!(ranges[4].is_empty());
    }
}
