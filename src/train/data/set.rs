//! A set of labelled images in memory.

use std::path::Path;

use super::error::DataError;
use crate::network::Shape;

/// Labelled images of one shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// Images x rows x columns x channels.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u16>,
}

impl Images {
    /// How many images there are.
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub(in crate::train::data) fn append(&mut self, other: Self) {
        self.pixels.extend(other.pixels);
        self.labels.extend(other.labels);
    }
}

/// Images to learn from and images to test with.
#[derive(Clone, Debug)]
pub struct Dataset {
    name: String,
    shape: Shape,
    classes: usize,
    train: Images,
    test: Images,
    digest: String,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Dataset {
    /// Puts a set together; `place` is where it comes from.
    ///
    /// # Errors
    /// There is nothing to learn from or to test with, or all pixels of a channel are alike.
    pub(in crate::train::data) fn new(
        name: &str,
        place: &Path,
        shape: Shape,
        classes: usize,
        train: Images,
        test: Images,
    ) -> Result<Self, DataError> {
        for (what, images) in [("training", &train), ("test", &test)] {
            if images.is_empty() {
                return Err(DataError::wrong(place, format!("there are no {what} images")));
            }
            debug_assert_eq!(images.pixels.len(), images.len() * shape.values() as usize);
        }
        let (means, deviations) = statistics(&train, shape.channels);
        if let Some(channel) = deviations.iter().position(|&deviation| deviation == 0.0) {
            let what = format!("channel {channel} of the training images is the same everywhere");
            return Err(DataError::wrong(place, what));
        }
        let mut hasher = blake3::Hasher::new_derive_key("tandem data set v1");
        for size in [shape.channels, shape.height, shape.width, classes, train.len(), test.len()] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        for images in [&train, &test] {
            hasher.update(&images.pixels);
            images.labels.iter().for_each(|label| {
                hasher.update(&label.to_le_bytes());
            });
        }
        let digest = hasher.finalize().to_hex().to_string();
        let name = name.to_owned();
        Ok(Self { name, shape, classes, train, test, digest, means, deviations })
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of an image.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// How many classes there are.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The images to learn from.
    pub const fn train(&self) -> &Images {
        &self.train
    }

    /// The images to test with.
    pub const fn test(&self) -> &Images {
        &self.test
    }

    /// A hash of every image and label (BLAKE3, hexadecimal).
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The mean of each channel of the training images, of bytes.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The standard deviation of each channel of the training images, of bytes.
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }
}

/// Mean and standard deviation of each channel, from whole numbers and so the same in any order.
fn statistics(images: &Images, channels: usize) -> (Vec<f64>, Vec<f64>) {
    let mut histograms = vec![[0_u64; 256]; channels];
    for pixel in images.pixels.chunks_exact(channels) {
        for (histogram, &value) in histograms.iter_mut().zip(pixel) {
            histogram[usize::from(value)] += 1;
        }
    }
    histograms
        .iter()
        .map(|histogram| {
            let weigh = |power: u32| -> u128 {
                let values = histogram.iter().zip(0_u128..);
                values.map(|(&count, value)| u128::from(count) * value.pow(power)).sum()
            };
            let (count, sum, squares) = (weigh(0), weigh(1), weigh(2));
            let spread = (count * squares - sum * sum) as f64;
            (sum as f64 / count as f64, spread.sqrt() / count as f64)
        })
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_each_channel() {
        let pixels = vec![0, 10, 2, 10, 4, 13, 6, 7];
        let images = Images { pixels, labels: vec![0, 1] };
        let (means, deviations) = statistics(&images, 2);
        assert_eq!(means, [3.0, 10.0]);
        assert_eq!(deviations, [5.0_f64.sqrt(), 4.5_f64.sqrt()]);
    }

    #[test]
    fn a_set_differs_by_any_pixel_and_label() {
        let shape = Shape::new(1, 1, 2);
        let images = |pixels: [u8; 4], labels: [u16; 2]| Images {
            pixels: pixels.to_vec(),
            labels: labels.to_vec(),
        };
        let digest = |pixels, labels| {
            let train = images(pixels, labels);
            let test = images([1, 2, 3, 4], [0, 1]);
            let set = Dataset::new("x", Path::new("x"), shape, 2, train, test).unwrap();
            set.digest().to_owned()
        };
        let first = digest([1, 2, 3, 4], [0, 1]);
        assert_eq!(first, digest([1, 2, 3, 4], [0, 1]));
        assert_ne!(first, digest([1, 2, 3, 5], [0, 1]));
        assert_ne!(first, digest([1, 2, 3, 4], [1, 1]));
        let grey = Dataset::new(
            "x",
            Path::new("place"),
            shape,
            2,
            images([7; 4], [0, 1]),
            images([7; 4], [0, 1]),
        );
        let message = grey.unwrap_err().to_string();
        assert_eq!(message, "place: channel 0 of the training images is the same everywhere");
    }
}
