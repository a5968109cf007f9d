//! A set of labeled images in memory.

use std::path::Path;

use super::error::DataError;
use crate::network::Shape;

/// Labeled images of one shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// The pixels, a byte per channel, in the order images x rows x columns x channels.
    pub pixels: Vec<u8>,
    /// The class of each image, from 0.
    pub labels: Vec<u16>,
}

impl Images {
    /// The number of images.
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns true if there are no images.
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub(in crate::train::data) fn append(&mut self, other: Self) {
        self.pixels.extend(other.pixels);
        self.labels.extend(other.labels);
    }
}

/// Training images and test images.
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
    /// Creates a set; `place` is its folder, for errors.
    ///
    /// # Errors
    /// Returns an error without training or test images, and if all pixels of a channel are equal.
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

    /// The name by which it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of an image.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The number of classes.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The training images, those held out for validation included.
    pub const fn train(&self) -> &Images {
        &self.train
    }

    /// The test images.
    pub const fn test(&self) -> &Images {
        &self.test
    }

    /// The hash of all images and labels (BLAKE3, hexadecimal).
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The mean of each channel over the training images, of bytes from 0 to 255.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The standard deviation of each channel over the training images, of bytes from 0 to 255.
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }
}

/// Computes the mean and standard deviation of each channel, from integer sums and so independent of order.
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
        let gray = Dataset::new(
            "x",
            Path::new("place"),
            shape,
            2,
            images([7; 4], [0, 1]),
            images([7; 4], [0, 1]),
        );
        let message = gray.unwrap_err().to_string();
        assert_eq!(message, "place: channel 0 of the training images is the same everywhere");
    }
}
