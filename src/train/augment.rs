//! Normalization of images, and their random augmentation in training.

use rand::Rng as _;

use super::data::{Dataset, Images};
use super::recipe::Augment;
use crate::network::Shape;
use crate::util::rng::{ChaCha12Rng, stream};

/// Converts images from bytes to the input of a network.
pub struct Feed<'a> {
    data: &'a Dataset,
    /// The value of each byte in each channel: mean 0 and standard deviation 1 over the training images.
    values: Vec<[f32; 256]>,
    augment: Augment,
    seed: u64,
}

/// The augmentation of a single image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    /// The offset of the first pixel in the original image, down and right.
    shift: (isize, isize),
    flip: bool,
    /// The erased rectangle: first row, row after the last, first column, column after the last.
    cut: Option<[isize; 4]>,
}

impl<'a> Feed<'a> {
    /// Creates a feed of a data set, with the augmentation for training.
    pub fn new(data: &'a Dataset, augment: Augment, seed: u64) -> Self {
        let channels = data.means().iter().zip(data.deviations());
        let values = channels
            .map(|(mean, deviation)| {
                std::array::from_fn(|byte| ((byte as f64 - mean) / deviation) as f32)
            })
            .collect();
        Self { data, values, augment, seed }
    }

    /// Writes a normalized image without augmentation.
    pub fn plain(&self, images: &Images, index: usize, to: &mut [f32]) {
        self.write(images, index, Change::default(), to);
    }

    /// Writes the augmented training image of an epoch, which depends only on epoch, image and seed.
    pub fn changed(&self, epoch: u32, index: usize, to: &mut [f32]) {
        let place = (u64::from(epoch) << 32) | index as u64;
        let mut rng = stream(self.seed, "augment", place);
        self.write(self.data.train(), index, self.draw(&mut rng), to);
    }

    fn draw(&self, rng: &mut ChaCha12Rng) -> Change {
        let Augment { pad, flip, cutout } = self.augment;
        let Shape { height, width, .. } = self.data.shape();
        let mut change = Change::default();
        if pad > 0 {
            let mut step = || rng.random_range(0..=2 * pad).cast_signed() - pad.cast_signed();
            change.shift = (step(), step());
        }
        change.flip = flip && rng.random();
        if cutout > 0 {
            let top = rng.random_range(0..height).cast_signed() - (cutout / 2).cast_signed();
            let left = rng.random_range(0..width).cast_signed() - (cutout / 2).cast_signed();
            let side = cutout.cast_signed();
            change.cut = Some([top, top + side, left, left + side]);
        }
        change
    }

    fn write(&self, images: &Images, index: usize, change: Change, to: &mut [f32]) {
        let Shape { channels, height, width } = self.data.shape();
        let size = channels * height * width;
        let image = &images.pixels[index * size..][..size];
        let row_size = channels * width;
        for (y, to) in (0..).zip(to.chunks_exact_mut(row_size)) {
            let Some(source) = inside(y + change.shift.0, height) else {
                to.fill(0.0);
                continue;
            };
            let source = &image[source * row_size..][..row_size];
            for (x, to) in (0..).zip(to.chunks_exact_mut(channels)) {
                let at = x + change.shift.1;
                let at = if change.flip { width.cast_signed() - 1 - at } else { at };
                match inside(at, width) {
                    None => to.fill(0.0),
                    Some(at) => {
                        let pixel = &source[at * channels..][..channels];
                        for ((to, values), &byte) in to.iter_mut().zip(&self.values).zip(pixel) {
                            *to = values[usize::from(byte)];
                        }
                    }
                }
            }
        }
        if let Some([top, bottom, left, right]) = change.cut {
            let clamp = |at: isize, size: usize| at.clamp(0, size.cast_signed()).cast_unsigned();
            for row in clamp(top, height)..clamp(bottom, height) {
                let columns = clamp(left, width) * channels..clamp(right, width) * channels;
                to[row * row_size..][columns].fill(0.0);
            }
        }
    }
}

fn inside(at: isize, size: usize) -> Option<usize> {
    usize::try_from(at).ok().filter(|&at| at < size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::data::open;

    const NONE: Augment = Augment { pad: 0, flip: false, cutout: 0 };

    #[test]
    fn images_are_normalized_moved_mirrored_and_cut() {
        let data = open(&"procedural".parse().unwrap(), std::path::Path::new("")).unwrap();
        let Shape { channels, height, width } = data.shape();
        let size = channels * height * width;
        let feed = Feed::new(&data, NONE, 0);
        let mut sums = vec![[0.0_f64; 2]; channels];
        let mut plain = vec![0.0; size];
        for image in 0..data.train().len() {
            feed.plain(data.train(), image, &mut plain);
            for pixel in plain.chunks_exact(channels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    sum[0] += f64::from(value);
                    sum[1] += f64::from(value) * f64::from(value);
                }
            }
        }
        let count = (data.train().len() * height * width) as f64;
        for [sum, squares] in sums {
            assert!((sum / count).abs() < 1e-4 && (squares / count - 1.0).abs() < 1e-4);
        }

        let at =
            |values: &[f32], row: usize, column: usize| values[(row * width + column) * channels];
        feed.plain(data.train(), 3, &mut plain);
        let mut other = vec![9.0; size];
        feed.changed(5, 3, &mut other);
        assert_eq!(plain, other);
        let shift = Change { shift: (2, -3), ..Change::default() };
        feed.write(data.train(), 3, shift, &mut other);
        assert_eq!(at(&other, 1, 4), at(&plain, 3, 1));
        assert_eq!((at(&other, height - 1, 8), at(&other, 8, 2)), (0.0, 0.0));
        feed.write(data.train(), 3, Change { flip: true, ..Change::default() }, &mut other);
        assert_eq!(at(&other, 7, 2), at(&plain, 7, width - 3));
        let cut = Change { cut: Some([-2, 2, 5, 9]), ..Change::default() };
        feed.write(data.train(), 3, cut, &mut other);
        let wiped = other.chunks_exact(channels).filter(|pixel| pixel.iter().all(|v| *v == 0.0));
        assert_eq!(wiped.count(), 8);
        assert_eq!((at(&other, 1, 8), at(&other, 2, 8)), (0.0, at(&plain, 2, 8)));
    }

    #[test]
    fn changes_depend_on_seed_epoch_and_image_alone() {
        let data = open(&"procedural".parse().unwrap(), std::path::Path::new("")).unwrap();
        let augment = Augment { pad: 4, flip: true, cutout: 4 };
        let seen = |seed, epoch, image| {
            let mut rng = stream(seed, "augment", (u64::from(epoch) << 32) | image as u64);
            Feed::new(&data, augment, seed).draw(&mut rng)
        };
        let draws: Vec<Change> = (0..400).map(|image| seen(1, 0, image)).collect();
        assert_eq!(draws, (0..400).map(|image| seen(1, 0, image)).collect::<Vec<_>>());
        assert!(draws != (0..400).map(|image| seen(1, 1_u32, image)).collect::<Vec<_>>());
        let flips = draws.iter().filter(|change| change.flip).count();
        assert!((150..250).contains(&flips), "{flips}");
        for reach in [-4, 0, 4] {
            assert!(draws.iter().any(|change| change.shift.0 == reach));
            assert!(draws.iter().any(|change| change.shift.1 == reach));
        }
        assert!(draws.iter().all(|change| change.shift.0.abs() <= 4));
    }
}
