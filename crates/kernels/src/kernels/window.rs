//! The geometry of a convolution: which inputs meet which outputs.

use super::tile::Tap;

/// A convolution's window on a feature map, of one group of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Zero rows and columns around the input.
    pub padding: usize,
    /// Input rows and columns.
    pub input: (usize, usize),
    /// Output rows and columns.
    pub output: (usize, usize),
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
}

/// Steps between rows and pixels of an image in scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Rows, with those around.
    pub rows: usize,
    /// Pixels of a row, with those around.
    pub columns: usize,
    /// Values from a pixel to the next.
    pub step: usize,
    /// Rows above the image.
    pub above: usize,
    /// Columns left of it.
    pub left: usize,
}

impl Plane {
    /// Values of the plane.
    pub const fn values(&self) -> usize {
        self.rows * self.columns * self.step
    }

    /// Values from a row to the next.
    pub const fn row(&self) -> usize {
        self.columns * self.step
    }

    /// Where a pixel of the image begins.
    pub const fn at(&self, y: usize, x: usize) -> usize {
        ((y + self.above) * self.columns + x + self.left) * self.step
    }
}

/// The input pixels whose rows and columns leave the same remainders by the stride: they see the same
/// taps of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The first row and column.
    pub first: (usize, usize),
    /// Rows and columns of such pixels.
    pub size: (usize, usize),
    /// The taps, from the gradient's pixel (row j, column i of the class) on.
    pub taps: Vec<Tap>,
}

/// Steps of a power of two of 512 bytes and more fall on few sets of the cache.
const fn skewed(step: usize) -> usize {
    if step.is_multiple_of(128) { step + 16 } else { step }
}

impl Window {
    /// Whether the convolution treats each pixel by itself, as a matrix product.
    pub const fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Weights of the kernel.
    pub const fn weights(&self) -> usize {
        self.kernel * self.kernel * self.inputs * self.outputs
    }

    /// The padded input.
    pub const fn input_plane(&self) -> Plane {
        Plane {
            rows: self.input.0 + 2 * self.padding,
            columns: self.input.1 + 2 * self.padding,
            step: skewed(self.inputs),
            above: self.padding,
            left: self.padding,
        }
    }

    /// Taps of the forward pass, by the padded input's pixel, and the inputs of each: where the input
    /// is dense, all columns of a kernel's row are one tap.
    pub fn taps(&self) -> (Vec<Tap>, usize) {
        let plane = self.input_plane();
        if plane.step == self.inputs {
            let tap = |row| Tap { from: row * plane.row(), weights: row };
            ((0..self.kernel).map(tap).collect(), self.kernel * self.inputs)
        } else {
            let tap = |tap| {
                let (row, column) = (tap / self.kernel, tap % self.kernel);
                Tap { from: row * plane.row() + column * plane.step, weights: tap }
            };
            ((0..self.kernel * self.kernel).map(tap).collect(), self.inputs)
        }
    }

    /// How far before (negative) and behind an output pixel the gradient of an input pixel reaches.
    fn reach(&self) -> (isize, isize) {
        let mut reach = (0, 0);
        for remainder in 0..self.stride {
            for tap in 0..self.kernel {
                if let Some(step) = self.back(remainder, tap) {
                    reach = (reach.0.min(step), reach.1.max(step));
                }
            }
        }
        reach
    }

    /// From input row (or column) `remainder + j stride`, tap `tap` leads to output `j + back`.
    fn back(&self, remainder: usize, tap: usize) -> Option<isize> {
        let distance = (remainder + self.padding) as isize - tap as isize;
        let stride = self.stride as isize;
        (distance.rem_euclid(stride) == 0).then(|| distance.div_euclid(stride))
    }

    /// The output's gradient with the zeros that the input's gradient reaches into; a pixel's
    /// channels fill whole vectors.
    pub fn gradient_plane(&self, lanes: usize) -> Plane {
        let (before, behind) = self.reach();
        let before = before.unsigned_abs();
        let along = |input: usize, output: usize| {
            let furthest = input.div_ceil(self.stride) + behind.unsigned_abs();
            before + output.max(furthest)
        };
        Plane {
            rows: along(self.input.0, self.output.0),
            columns: along(self.input.1, self.output.1),
            step: skewed(self.outputs.next_multiple_of(lanes)),
            above: before,
            left: before,
        }
    }

    /// The classes of input pixels.
    pub fn classes(&self, lanes: usize) -> Vec<Class> {
        let plane = self.gradient_plane(lanes);
        let (h, w) = self.input;
        let mut classes = Vec::new();
        for y in 0..self.stride.min(h) {
            for x in 0..self.stride.min(w) {
                let mut taps = Vec::new();
                for (index, (row, column)) in (0..self.kernel)
                    .flat_map(|row| (0..self.kernel).map(move |column| (row, column)))
                    .enumerate()
                {
                    let (Some(down), Some(right)) = (self.back(y, row), self.back(x, column))
                    else {
                        continue;
                    };
                    // Both are at least minus the plane's margin.
                    let at_row = (plane.above as isize + down) as usize;
                    let at_column = (plane.left as isize + right) as usize;
                    taps.push(Tap {
                        from: at_row * plane.row() + at_column * plane.step,
                        weights: index,
                    });
                }
                let size = ((h - y).div_ceil(self.stride), (w - x).div_ceil(self.stride));
                classes.push(Class { first: (y, x), size, taps });
            }
        }
        classes
    }
}
