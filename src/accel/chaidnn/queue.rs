//! The operations of a network in queue order.

use std::ops::Range;

use super::operation::Work;

/// Operations, each with the operations that must end before it starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    tasks: Vec<Task>,
    /// The dependencies of the tasks, one list after another.
    after: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Task {
    work: Work,
    after: Range<u32>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn clear(&mut self) {
        self.tasks.clear();
        self.after.clear();
    }

    /// Adds a task that depends on earlier ones, given in ascending order; returns its index.
    pub(super) fn push(&mut self, work: Work, after: &[u32]) -> u32 {
        let first = self.after.len() as u32;
        self.after.extend_from_slice(after);
        self.tasks.push(Task { work, after: first..self.after.len() as u32 });
        self.tasks.len() as u32 - 1
    }

    pub(super) fn work(&self, task: usize) -> &Work {
        &self.tasks[task].work
    }

    /// The tasks that a task depends on, in ascending order.
    pub(super) fn after(&self, task: usize) -> &[u32] {
        let Range { start, end } = self.tasks[task].after;
        &self.after[start as usize..end as usize]
    }

    /// The segments of the queue: no task starts before all tasks of earlier segments have ended, whatever
    /// the engines and durations.
    ///
    /// A segment ends after task t if each later task that depends only on tasks up to t depends on every
    /// task up to t that no task up to t depends on.
    pub(super) fn segments(&self) -> Vec<Range<usize>> {
        let count = self.len();
        let mut first_reader = vec![usize::MAX; count];
        let mut last_reader = vec![0; count];
        let mut last_root = 0;
        for reader in 0..count {
            for &task in self.after(reader) {
                let task = task as usize;
                first_reader[task] = first_reader[task].min(reader);
                last_reader[task] = reader;
            }
            if self.after(reader).is_empty() {
                last_root = reader;
            }
        }
        let mut segments = Vec::new();
        let (mut start, mut reach) = (0, 0);
        for (task, &last) in last_reader.iter().enumerate() {
            reach = reach.max(last);
            if task + 1 == count
                || (task >= last_root && self.ends_segment(task, reach, &first_reader))
            {
                segments.push(start..task + 1);
                start = task + 1;
            }
        }
        segments
    }

    /// Returns true if a segment ends after `task`; no task after `reach` depends on one up to `task`.
    fn ends_segment(&self, task: usize, reach: usize, first_reader: &[usize]) -> bool {
        let is_open = |&before: &u32| {
            let before = before as usize;
            before <= task && first_reader[before] > task
        };
        let entries = (task + 1..=reach)
            .filter(|&later| self.after(later).iter().all(|&before| before as usize <= task));
        let mut open = None;
        for entry in entries {
            let all = *open.get_or_insert_with(|| (0..=task as u32).filter(is_open).count());
            if self.after(entry).iter().filter(|before| is_open(before)).count() != all {
                return false;
            }
        }
        open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::OperationKind;
    use super::*;
    use crate::network::Shape;

    fn queue(tasks: &[&[u32]]) -> Queue {
        let shape = Shape::new(1, 1, 1);
        let work =
            Work { kind: OperationKind::Add, input: shape, output: shape, kernel: 1, stride: 1 };
        let mut queue = Queue::default();
        for after in tasks {
            queue.push(work, after);
        }
        queue
    }

    #[test]
    fn segments_end_where_everything_waits() {
        // A stem, a fork that joins, two tasks that both feed both of the last.
        let tasks: [&[u32]; 8] = [&[], &[0], &[0], &[1, 2], &[3], &[3], &[4, 5], &[4, 5]];
        assert_eq!(queue(&tasks).segments(), [0..1, 1..3, 3..4, 4..6, 6..8]);
        // A shortcut around two tasks: its end waits for the second of them anyway.
        let shortcut: [&[u32]; 5] = [&[], &[0], &[1], &[0, 2], &[3]];
        assert_eq!(queue(&shortcut).segments(), [0..1, 1..2, 2..3, 3..4, 4..5]);
        // The last task waits for one end only; a task that waits for nothing.
        assert_eq!(queue(&[&[], &[0], &[0], &[1]]).segments(), [0..1, 1..4]);
        assert_eq!(queue(&[&[], &[0], &[], &[1, 2]]).segments(), [0..3, 3..4]);
    }
}
