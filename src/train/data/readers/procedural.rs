//! A small set that the program generates: ten shapes on noise, 3x16x16.

use std::path::Path;

use rand::Rng as _;

use super::super::error::DataError;
use super::super::image_set::ImageSet;
use super::super::set::{Dataset, Images};
use crate::network::Shape;
use crate::util::rng::{ChaCha12Rng, stream};

const SIDE: i32 = 16;
const SHAPE: Shape = Shape::new(3, SIDE as usize, SIDE as usize);
const CLASSES: u16 = 10;
const TRAIN: usize = 2_000;
const TEST: usize = 500;

/// The set.
pub static SETS: [Procedural; 1] = [Procedural];

/// The set that the program generates.
#[derive(Clone, Copy, Debug)]
pub struct Procedural;

impl ImageSet for Procedural {
    fn name(&self) -> &str {
        "procedural"
    }

    fn classes(&self) -> Option<usize> {
        Some(usize::from(CLASSES))
    }

    fn shape(&self) -> Option<Shape> {
        Some(SHAPE)
    }

    fn count(&self, _folder: &Path) -> Option<(u64, u64)> {
        Some((TRAIN as u64, TEST as u64))
    }

    fn read(&self, _folder: &Path) -> Result<Dataset, DataError> {
        draw(self.name())
    }
}

/// Generates the set; integer arithmetic makes it the same on every platform.
fn draw(name: &str) -> Result<Dataset, DataError> {
    let part = |purpose: &str, count: usize| {
        let mut images = Images::default();
        for index in 0..count {
            let class = (index % usize::from(CLASSES)) as u16;
            let mut rng = stream(0, purpose, index as u64);
            images.pixels.extend(image(class, &mut rng));
            images.labels.push(class);
        }
        images
    };
    let (train, test) = (part("procedural train", TRAIN), part("procedural test", TEST));
    Dataset::new(name, Path::new(name), SHAPE, usize::from(CLASSES), train, test)
}

fn image(class: u16, rng: &mut ChaCha12Rng) -> Vec<u8> {
    let background: [i32; 3] = std::array::from_fn(|_| rng.random_range(40..216));
    // A color that stands out a little in each channel, lighter or darker.
    let color = background.map(|value| {
        let step = rng.random_range(40..90);
        if (value > 128) ^ rng.random_ratio(1, 5) { value - step } else { value + step }
    });
    let (row, column) = (rng.random_range(5..11), rng.random_range(5..11));
    let size = rng.random_range(3..6);
    let mut pixels = Vec::with_capacity((3 * SIDE * SIDE) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let inside = inside(class, y - row, x - column, size);
            for channel in 0..3 {
                let value = if inside { color[channel] } else { background[channel] };
                let noise = rng.random_range(-45..=45);
                pixels.push((value + noise).clamp(0, 255) as u8);
            }
        }
    }
    pixels
}

/// Returns true if a pixel, relative to the center of a shape, belongs to the shape.
const fn inside(class: u16, y: i32, x: i32, size: i32) -> bool {
    let (far, square) = (y * y + x * x, y.abs() <= size && x.abs() <= size);
    match class {
        0 => far <= size * size,
        1 => square,
        2 => far <= size * size && far > (size - 2) * (size - 2),
        3 => square && (y.abs() > size - 2 || x.abs() > size - 2),
        4 => (y.abs() <= 1 || x.abs() <= 1) && square,
        5 => ((y - x).abs() <= 1 || (y + x).abs() <= 1) && square,
        6 => y.abs() + x.abs() <= size,
        7 => square && y.rem_euclid(3) == 0,
        8 => square && x.rem_euclid(3) == 0,
        _ => square && y >= x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_always_the_same() {
        let set = draw("procedural").unwrap();
        assert_eq!((set.train().len(), set.test().len(), set.classes()), (2_000, 500, 10));
        insta::assert_snapshot!(&set.digest()[..16], @"7ac76db0e9f0b66c");
    }
}
