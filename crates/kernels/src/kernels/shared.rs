//! Memory that the tasks of a parallel loop share.

use std::marker::PhantomData;
use std::ops::Range;

/// A slice of which several threads touch parts at once, each its own.
///
/// It borrows the slice that it was made from, and never reaches beyond it. What it leaves to its users is that
/// no thread writes values that another one touches.
#[derive(Clone, Copy, Debug)]
pub struct SharedSlice<'a, T = f32> {
    at: *mut T,
    len: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a `&mut [T]`, which may be sent.
unsafe impl<T: Send> Send for SharedSlice<'_, T> {}
// SAFETY: the values are reached through unsafe functions alone, whose callers keep writers apart from all
// others.
unsafe impl<T: Send + Sync> Sync for SharedSlice<'_, T> {}

impl<'a, T> SharedSlice<'a, T> {
    /// Shares a slice.
    pub const fn new(values: &'a mut [T]) -> Self {
        Self { at: values.as_mut_ptr(), len: values.len(), memory: PhantomData }
    }

    /// Returns the number of values.
    pub const fn count(&self) -> usize {
        self.len
    }

    /// Returns some of the values.
    ///
    /// # Panics
    /// If the range is not within the slice.
    pub fn part(&self, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        assert!(start <= end && end <= self.len, "values {start}..{end} of {}", self.len);
        Self { at: self.at.wrapping_add(start), len: end - start, memory: PhantomData }
    }

    /// Returns the values from one on.
    ///
    /// # Panics
    /// If there are fewer than `first` values.
    pub fn after(&self, first: usize) -> Self {
        self.part(first..self.len)
    }

    /// Returns some of the values for reading.
    ///
    /// # Panics
    /// If the range is not within the slice.
    ///
    /// # Safety
    /// Nobody writes these values while the result is in use.
    pub unsafe fn read(&self, range: Range<usize>) -> &'a [T] {
        let part = self.part(range);
        // SAFETY: the part lies within a slice that is borrowed for 'a; nobody writes it, by this function's
        // contract.
        unsafe { std::slice::from_raw_parts(part.at, part.len) }
    }

    /// Returns some of the values for writing.
    ///
    /// # Panics
    /// If the range is not within the slice.
    ///
    /// # Safety
    /// Nobody else touches these values while the result is in use.
    pub unsafe fn write(&self, range: Range<usize>) -> &'a mut [T] {
        let part = self.part(range);
        // SAFETY: the part lies within a slice that is borrowed mutably for 'a; nobody else touches it, by this
        // function's contract.
        unsafe { std::slice::from_raw_parts_mut(part.at, part.len) }
    }

    /// Returns a pointer to the first value, good for [`SharedSlice::count`] values.
    #[inline(always)]
    pub(super) const fn pointer(&self) -> *mut T {
        self.at
    }
}

impl<'a> SharedSlice<'a> {
    /// Returns the same memory as bytes.
    pub const fn bytes(&self) -> SharedSlice<'a, u8> {
        // It came from a slice, so its bytes are fewer than `isize::MAX`.
        let len = self.len * size_of::<f32>();
        SharedSlice { at: self.at.cast(), len, memory: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_where_the_range_says() {
        let mut values: Vec<f32> = (0..10_u8).map(f32::from).collect();
        let shared = SharedSlice::new(&mut values);
        // SAFETY: there is one thread, and the two slices lie apart.
        let (read, written) = unsafe { (shared.after(2).read(1..3), shared.write(5..7)) };
        assert_eq!(read, [3.0, 4.0]);
        written.fill(1.0);
        assert_eq!((shared.bytes().count(), shared.part(3..3).count()), (40, 0));
        assert_eq!(values[4..8], [4.0, 1.0, 1.0, 7.0]);
    }

    #[test]
    #[should_panic(expected = "values 8..11 of 10")]
    fn parts_beyond_the_end_are_refused() {
        let mut values = [0.0; 10];
        SharedSlice::new(&mut values).part(8..11);
    }
}
