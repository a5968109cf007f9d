//! Arithmetic that gives the same numbers on every processor.
//!
//! All functions use only the basic operations of IEEE 754, and every sum has a fixed order. Processors with
//! wider registers compute more of the independent results at once, never parts of one sum, and a product is
//! always rounded before it is added.

/// A matrix with arbitrary strides, so that a transposed one needs no copy.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// The values, beginning with the first of the first row.
    pub values: &'a [f32],
    /// Values from a row to the next.
    pub row: usize,
    /// Values from a column to the next.
    pub column: usize,
}

/// Rows of a product that are computed together.
const ROWS: usize = 4;

/// Defines a function that is compiled for registers of 512, 256 and 128 bits and gives the same results with
/// all of them.
macro_rules! of_every_width {
    (
        $(#[$doc:meta])*
        $name:ident($($argument:ident: $type:ty),*):
        $avx512:ident $avx512_body:expr, $avx2:ident $avx2_body:expr, $portable:ident $body:expr
    ) => {
        $(#[$doc])*
        pub fn $name($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has the feature.
                    return unsafe { $avx512($($argument),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the feature.
                    return unsafe { $avx2($($argument),*) };
                }
            }
            $portable($($argument),*);
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        fn $avx512($($argument: $type),*) {
            $avx512_body($($argument),*);
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $avx2($($argument: $type),*) {
            $avx2_body($($argument),*);
        }

        fn $portable($($argument: $type),*) {
            $body($($argument),*);
        }
    };
}

of_every_width! {
    /// Adds the product of `a [M, K]` and `b [K, N]` to `sums [M, N]`; each sum is in the order of `K`.
    ///
    /// `b` and `sums` are row-major and `columns` is `N`; `M` and `K` follow from the lengths of `sums` and
    /// `b`.
    add_product(sums: &mut [f32], a: Strided<'_>, b: &[f32], columns: usize):
    add_product_avx512 add_tiles::<32>,
    add_product_avx2 add_tiles::<16>,
    add_product_portable add_tiles::<8>
}

of_every_width! {
    /// Writes the hyperbolic tangents of `numbers` to `values`, with an absolute error below 2e-7.
    tanhs(numbers: &[f32], values: &mut [f32]):
    tanhs_avx512 map_tanh,
    tanhs_avx2 map_tanh,
    tanhs_portable map_tanh
}

of_every_width! {
    /// Writes the logistic function of `numbers` to `values`, with an absolute error below 2e-7.
    sigmoids(numbers: &[f32], values: &mut [f32]):
    sigmoids_avx512 map_sigmoid,
    sigmoids_avx2 map_sigmoid,
    sigmoids_portable map_sigmoid
}

/// Adds a product tile by tile: a tile's sums stay in registers over the whole of `K`.
#[inline(always)]
fn add_tiles<const COLUMNS: usize>(sums: &mut [f32], a: Strided<'_>, b: &[f32], columns: usize) {
    let (rows, depth) = (sums.len() / columns, b.len() / columns);
    // What a tile reads lies together; what is beyond the last row or column is computed in vain.
    let mut left = vec![[0.0; ROWS]; rows.div_ceil(ROWS) * depth];
    for row in 0..rows {
        let strip = &mut left[row / ROWS * depth..][..depth];
        for (k, values) in strip.iter_mut().enumerate() {
            values[row % ROWS] = a.values[row * a.row + k * a.column];
        }
    }
    let mut right = vec![[0.0; COLUMNS]; depth];
    for first in (0..columns).step_by(COLUMNS) {
        let count = COLUMNS.min(columns - first);
        for (values, b) in right.iter_mut().zip(b.chunks_exact(columns)) {
            values[..count].copy_from_slice(&b[first..first + count]);
        }
        let strips = left.chunks_exact(depth).zip(sums.chunks_mut(ROWS * columns));
        for (left, sums) in strips {
            let mut tile = [[0.0; COLUMNS]; ROWS];
            for (tile, sums) in tile.iter_mut().zip(sums.chunks_exact(columns)) {
                tile[..count].copy_from_slice(&sums[first..first + count]);
            }
            add_outer_products(&mut tile, left, &right);
            for (tile, sums) in tile.iter().zip(sums.chunks_exact_mut(columns)) {
                sums[first..first + count].copy_from_slice(&tile[..count]);
            }
        }
    }
}

#[inline(always)]
fn add_outer_products<const COLUMNS: usize>(
    tile: &mut [[f32; COLUMNS]; ROWS],
    left: &[[f32; ROWS]],
    right: &[[f32; COLUMNS]],
) {
    // Rows named one by one stay in registers under more of the compiler's settings than a loop.
    let mut sums = *tile;
    let [first, second, third, fourth] = &mut sums;
    for (left, right) in left.iter().zip(right) {
        for (column, &right) in right.iter().enumerate() {
            first[column] += left[0] * right;
            second[column] += left[1] * right;
            third[column] += left[2] * right;
            fourth[column] += left[3] * right;
        }
    }
    *tile = sums;
}

/// Adds `numbers` to `sums`, element by element.
pub fn add(sums: &mut [f32], numbers: &[f32]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += number;
    }
}

/// Adds `factor` times `numbers` to `sums`, element by element.
pub fn add_multiple(sums: &mut [f32], factor: f32, numbers: &[f32]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += factor * number;
    }
}

/// Returns the inner product, summed in eight lanes and then over the lanes; the remainder is added last.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_parts.zip(b_parts) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn map_tanh(numbers: &[f32], values: &mut [f32]) {
    for (number, value) in numbers.iter().zip(values) {
        *value = 1.0 - 2.0 / (exp(2.0 * number) + 1.0);
    }
}

#[inline(always)]
fn map_sigmoid(numbers: &[f32], values: &mut [f32]) {
    for (number, value) in numbers.iter().zip(values) {
        *value = 1.0 / (1.0 + exp(-number));
    }
}

/// Returns `e^x` with a relative error below 3e-7; `x` is clamped to -80..=80.
///
/// `e^x = 2^k e^r` with a whole `k` and `|r| <= ln 2 / 2`, for which the Taylor polynomial of degree 6 is
/// exact to 1.3e-7. It has no branches and calls, so the compiler vectorizes loops over it; a scalar version
/// would take most of the time of an update.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
    const ROUNDER: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few bits, so that its multiples are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -0.000_212_194_44;
    let x = x.clamp(-80.0, 80.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let k = rounded - ROUNDER;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    let power = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127) << 23;
    series * f32::from_bits(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, phase: f32) -> Vec<f32> {
        (0..count).map(|k| (k as f32 * 0.7 + phase).sin()).collect()
    }

    #[test]
    fn products_of_every_width_are_sums_in_order() {
        let shapes = [(1, 1, 1), (3, 2, 5), (4, 7, 8), (5, 64, 33), (16, 9, 96), (0, 3, 4)];
        for (rows, depth, columns) in shapes {
            let (a, b) = (numbers(rows * depth, 0.1), numbers(depth * columns, 0.2));
            let before = numbers(rows * columns, 0.3);
            // Once row by row, once column by column.
            for (row, column) in [(depth, 1), (1, rows)] {
                let a = Strided { values: &a, row, column };
                let mut expected = before.clone();
                for (at, sum) in expected.iter_mut().enumerate() {
                    for k in 0..depth {
                        let left = a.values[at / columns * row + k * column];
                        *sum += left * b[k * columns + at % columns];
                    }
                }
                let check = |add: &dyn Fn(&mut [f32])| {
                    let mut sums = before.clone();
                    add(&mut sums);
                    assert_eq!(sums, expected, "{rows} x {depth} x {columns}");
                };
                check(&|sums| add_product(sums, a, &b, columns));
                check(&|sums| add_product_portable(sums, a, &b, columns));
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the feature.
                    check(&|sums| unsafe { add_product_avx2(sums, a, &b, columns) });
                }
            }
        }
    }

    #[test]
    fn inner_products_are_sums_of_eight_lanes() {
        for length in [0, 1, 7, 8, 9, 64, 67] {
            let (a, b) = (numbers(length, 0.4), numbers(length, 0.5));
            let whole = length / 8 * 8;
            let lane =
                |lane: usize| (lane..whole).step_by(8).fold(0.0_f32, |sum, at| sum + a[at] * b[at]);
            let rest = (whole..length).fold(0.0_f32, |sum, at| sum + a[at] * b[at]);
            let expected = (0..8).fold(0.0_f32, |sum, at| sum + lane(at)) + rest;
            assert_eq!(dot(&a, &b), expected, "{length}");
        }
    }

    type Function = fn(&[f32], &mut [f32]);

    /// Returns the function of every number, after asserting that all widths give the same bits.
    fn of_every_width(functions: &[Function], numbers: &[f32]) -> Vec<f32> {
        let values = |function: &Function| {
            let mut values = vec![0.0; numbers.len()];
            function(numbers, &mut values);
            values
        };
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let first = values(&functions[0]);
        for function in &functions[1..] {
            assert_eq!(bits(values(function)), bits(first.clone()));
        }
        first
    }

    #[test]
    fn the_functions_are_accurate_and_bounded() {
        let ends = [f32::INFINITY, f32::MAX, 1e10, 50.0];
        let numbers: Vec<f32> = (-16_000..=16_000).map(|k| k as f32 * 0.005).collect();
        let numbers = [&numbers[..], &ends, &ends.map(|x| -x), &[f32::NAN]].concat();
        let tanhs = of_every_width(&[tanhs, tanhs_portable], &numbers);
        let sigmoids = of_every_width(&[sigmoids, sigmoids_portable], &numbers);
        for ((&x, tanh), sigmoid) in numbers.iter().zip(tanhs).zip(sigmoids) {
            if x.is_nan() {
                assert!(tanh.is_nan() && sigmoid.is_nan());
                continue;
            }
            if x.abs() <= 80.0 {
                let relative = f64::from(exp(x)) / f64::from(x).exp() - 1.0;
                assert!(relative.abs() < 3e-7, "{x}: {relative}");
            }
            assert!((f64::from(tanh) - f64::from(x).tanh()).abs() < 2e-7, "{x}");
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid) - exact).abs() < 2e-7, "{x}");
            assert!(tanh.abs() <= 1.0 && (0.0..=1.0).contains(&sigmoid));
            if x.abs() >= 50.0 {
                assert_eq!(tanh, x.signum());
            }
        }
    }
}
