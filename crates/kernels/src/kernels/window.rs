//! The geometry of a convolution: which inputs meet which outputs.

use super::check::product;
use super::tile::Tap;

/// A convolution's window on a feature map, of one group of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionWindow {
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

/// The layout of an image in scratch memory, with zeros around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Rows, with the zeros above and below.
    pub rows: usize,
    /// Pixels of a row, with the zeros left and right.
    pub columns: usize,
    /// Values from a pixel to the next.
    pub step: usize,
    /// Rows of zeros above the image.
    pub above: usize,
    /// Columns of zeros left of the image.
    pub left: usize,
}

impl Plane {
    /// Returns the number of values of the plane.
    pub const fn values(&self) -> usize {
        product(&[self.rows, self.columns, self.step])
    }

    /// Returns the number of values from a row to the next.
    pub const fn row(&self) -> usize {
        self.columns * self.step
    }

    /// Returns the offset of a pixel of the image.
    pub const fn at(&self, y: usize, x: usize) -> usize {
        ((y + self.above) * self.columns + x + self.left) * self.step
    }
}

/// The input pixels whose rows and columns have the same remainders modulo the stride: the same taps of the
/// kernel apply to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The first row and column.
    pub first: (usize, usize),
    /// The numbers of rows and columns of such pixels.
    pub size: (usize, usize),
    /// The taps. Their offsets are from the pixel of [`ConvolutionWindow::gradient_plane`] at row j and column i, for
    /// the input pixel at row j and column i of the class.
    pub taps: Vec<Tap>,
}

/// Lengthens a step that is a multiple of 512 bytes by a cache line, since such steps fall on few sets of the
/// cache.
const fn skewed(step: usize) -> usize {
    if step.is_multiple_of(128) { step + 16 } else { step }
}

impl ConvolutionWindow {
    /// Returns true if each output depends on a single pixel, as in a matrix product.
    pub const fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Checks that the windows of all output pixels lie within the padded input.
    ///
    /// # Panics
    /// If one does not.
    pub fn check(&self) {
        let fits = |input: usize, output: usize| {
            self.kernel > 0
                && self.stride > 0
                && output > 0
                && input.max(self.padding) < usize::MAX / 4
                && product(&[output - 1, self.stride]).saturating_add(self.kernel)
                    <= input + 2 * self.padding
        };
        let inside = fits(self.input.0, self.output.0) && fits(self.input.1, self.output.1);
        assert!(inside, "windows beyond the input: {self:?}");
    }

    /// Checks that taps of the forward pass, of `inputs` values each, lie within the padded input for all
    /// output pixels, and their weights within the kernel; for a pointwise convolution within a pixel.
    ///
    /// # Panics
    /// If one does not.
    pub fn check_taps(&self, taps: &[Tap], inputs: usize) {
        let plane = self.input_plane();
        let (last, end) = match self.is_pointwise() {
            true => (0, self.inputs),
            false => {
                let (y, x) = (self.output.0 - 1, self.output.1 - 1);
                (self.stride * (y * plane.row() + x * plane.step), plane.values())
            }
        };
        let weights = product(&[self.kernel, self.kernel, self.inputs]);
        for tap in taps {
            let inside = last.saturating_add(tap.from).saturating_add(inputs) <= end
                && product(&[tap.weights.saturating_add(1), inputs]) <= weights;
            assert!(inside, "{tap:?} of {inputs} inputs beyond {self:?}");
        }
    }

    /// Checks that classes are of input pixels, that their taps lie within the plane of
    /// [`Self::gradient_plane`] for all of these, and their weights within the kernel; for a pointwise
    /// convolution within the outputs.
    ///
    /// # Panics
    /// If one does not.
    pub fn check_classes(&self, classes: &[Class], plane: &Plane) {
        let pointwise = self.is_pointwise();
        assert!(!pointwise || !classes.is_empty(), "no class of {self:?}");
        for class in classes {
            let ((first_y, first_x), (rows, columns)) = (class.first, class.size);
            if rows == 0 || columns == 0 {
                continue;
            }
            let (down, right) = (rows - 1, columns - 1);
            let inside = first_y.saturating_add(product(&[down, self.stride])) < self.input.0
                && first_x.saturating_add(product(&[right, self.stride])) < self.input.1;
            let (last, end) = match pointwise {
                true => (0, self.outputs),
                false => (down * plane.row() + right * plane.step, plane.values()),
            };
            let fits = |tap: &Tap| {
                last.saturating_add(tap.from).saturating_add(self.outputs) <= end
                    && tap.weights < self.kernel * self.kernel
            };
            assert!(inside && class.taps.iter().all(fits), "a class beyond {self:?}: {class:?}");
        }
    }

    /// Returns the number of weights of the kernel.
    pub const fn weights(&self) -> usize {
        self.kernel * self.kernel * self.inputs * self.outputs
    }

    /// Returns the layout of the padded input.
    pub const fn input_plane(&self) -> Plane {
        Plane {
            rows: self.input.0 + 2 * self.padding,
            columns: self.input.1 + 2 * self.padding,
            step: skewed(self.inputs),
            above: self.padding,
            left: self.padding,
        }
    }

    /// Returns the taps of the forward pass in the padded input, and the number of inputs of each. If the
    /// input is dense, all columns of a row of the kernel are one tap.
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

    /// Returns the furthest output pixels that an input pixel's gradient depends on, before (negative) and
    /// after its own, in one dimension.
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

    /// Returns the `b` for which input row (or column) `remainder + j stride` contributes to output `j + b`
    /// through tap `tap`; `None` if it contributes to none.
    fn back(&self, remainder: usize, tap: usize) -> Option<isize> {
        let distance = (remainder + self.padding) as isize - tap as isize;
        let stride = self.stride as isize;
        (distance.rem_euclid(stride) == 0).then(|| distance.div_euclid(stride))
    }

    /// Returns the layout of the output's gradient, with the zeros that the input's gradient reads; the
    /// channels of a pixel fill whole vectors.
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

    /// Returns the classes of input pixels.
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

#[cfg(test)]
mod tests {
    use super::super::testing::refuses;
    use super::*;

    const WINDOW: ConvolutionWindow = ConvolutionWindow {
        kernel: 3,
        stride: 2,
        padding: 1,
        input: (7, 8),
        output: (4, 4),
        inputs: 5,
        outputs: 6,
    };
    const POINTWISE: ConvolutionWindow =
        ConvolutionWindow { kernel: 1, stride: 1, padding: 0, output: WINDOW.input, ..WINDOW };

    #[test]
    fn windows_beyond_the_input_are_refused() {
        WINDOW.check();
        ConvolutionWindow { input: (7, 7), ..WINDOW }.check();
        for output in [(5, 4), (4, 5), (0, 4), (usize::MAX, 4)] {
            refuses("windows beyond", || ConvolutionWindow { output, ..WINDOW }.check());
        }
    }

    #[test]
    fn the_taps_of_a_window_pass_and_others_are_refused() {
        for window in [WINDOW, POINTWISE, ConvolutionWindow { inputs: 128, ..WINDOW }] {
            let (mut taps, inputs) = window.taps();
            window.check_taps(&taps, inputs);
            refuses("inputs beyond", || window.check_taps(&taps, inputs + 1));
            let last = taps.len() - 1;
            let tap = std::mem::replace(&mut taps[last], Tap { from: usize::MAX, weights: 0 });
            refuses("inputs beyond", || window.check_taps(&taps, inputs));
            taps[last] = Tap { weights: tap.weights + 1, ..tap };
            refuses("inputs beyond", || window.check_taps(&taps, inputs));
        }
    }

    #[test]
    fn the_classes_of_a_window_pass_and_others_are_refused() {
        for window in [WINDOW, POINTWISE] {
            let classes = window.classes(8);
            let plane = window.gradient_plane(8);
            window.check_classes(&classes, &plane);
            let changed = |change: &dyn Fn(&mut Class)| {
                let mut classes = classes.clone();
                change(&mut classes[0]);
                refuses("a class beyond", || window.check_classes(&classes, &plane));
            };
            changed(&|class| class.size.0 += 1);
            changed(&|class| class.first.1 += 2);
            changed(&|class| class.taps[0].from = 10_000);
            changed(&|class| class.taps[0].weights = 9);
        }
        let plane = POINTWISE.gradient_plane(8);
        refuses("no class", || POINTWISE.check_classes(&[], &plane));
    }
}
