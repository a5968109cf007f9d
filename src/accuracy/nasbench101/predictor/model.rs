//! The trained network and its prediction.

use std::sync::OnceLock;

use rayon::prelude::*;
use tandem_kernels::{Wide, widest};

use super::features::{FEATURES, FeatureGraph};
use crate::space::nasbench101::{Cell101, MAX_VERTICES};

/// The width of a vertex's state.
pub const WIDTH: usize = 64;

/// The number of rounds in which vertices exchange their states.
pub const LAYERS: usize = 4;

/// The constant of the training target 1 / (CEILING - accuracy), which spreads out the many good cells of
/// similar accuracy.
pub(super) const CEILING: f64 = 1.06;

const MAGIC: &[u8; 8] = b"TDMP101\x01";
const HASH: usize = 32;

/// A trained predictor.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictor {
    pub(super) weights: Weights,
    /// Mean and standard deviation of the training target.
    pub(super) scale: (f32, f32),
    /// The training recipe as JSON.
    recipe: String,
}

/// All weights; a matrix has a row for each input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    pub arrays: Vec<Vec<f32>>,
}

impl Weights {
    /// Rows and columns of the arrays: input layer, rounds, read-out; a bias follows each matrix.
    pub(super) fn shapes() -> Vec<(usize, usize)> {
        let mut shapes = vec![(FEATURES, WIDTH), (1, WIDTH)];
        for _ in 0..LAYERS {
            shapes.extend([(3 * WIDTH, WIDTH), (1, WIDTH)]);
        }
        shapes.extend([(2 * WIDTH, WIDTH), (1, WIDTH), (WIDTH, 1), (1, 1)]);
        shapes
    }
}

/// An error of decoding: the file is not a predictor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the NASBench-101 predictor is damaged: {0}")]
pub struct PredictorError(&'static str);

static FILE: &[u8] = include_bytes!("../../../../data/predictor/nasbench101.bin");

impl Predictor {
    /// The first 16 hexadecimal digits of a BLAKE3 hash of the embedded predictor.
    pub fn digest() -> String {
        blake3::hash(FILE).to_hex()[..16].to_owned()
    }

    pub(super) const fn new(weights: Weights, scale: (f32, f32), recipe: String) -> Self {
        Self { weights, scale, recipe }
    }

    /// Returns the predictor that is embedded in the program, decoded by the first call.
    ///
    /// # Errors
    /// If the program was built from a corrupted file.
    pub fn embedded() -> Result<&'static Self, PredictorError> {
        static EMBEDDED: OnceLock<Result<Predictor, PredictorError>> = OnceLock::new();
        EMBEDDED.get_or_init(|| Self::decode(FILE)).as_ref().map_err(Clone::clone)
    }

    /// The training recipe as JSON.
    pub fn recipe(&self) -> &str {
        &self.recipe
    }

    /// Encodes the predictor as a file.
    ///
    /// It consists of magic bytes, a BLAKE3 hash of the rest, the length and text of the recipe, mean and
    /// standard deviation, and the weights as little-endian f32.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = (self.recipe.len() as u32).to_le_bytes().to_vec();
        body.extend(self.recipe.as_bytes());
        let numbers = [self.scale.0, self.scale.1];
        let all = numbers.iter().chain(self.weights.arrays.iter().flatten());
        body.extend(all.flat_map(|number| number.to_le_bytes()));
        [MAGIC, blake3::hash(&body).as_bytes().as_slice(), &body].concat()
    }

    /// Decodes the bytes of [`Predictor::encode`].
    ///
    /// # Errors
    /// If the bytes are not a predictor, or are corrupted.
    pub fn decode(bytes: &[u8]) -> Result<Self, PredictorError> {
        let refuse = |what| move || PredictorError(what);
        let body = bytes.strip_prefix(MAGIC).ok_or_else(refuse("it does not begin like one"))?;
        let (hash, body) =
            body.split_first_chunk::<HASH>().ok_or_else(refuse("it is cut short"))?;
        if blake3::hash(body) != *hash {
            return Err(PredictorError("its hash is wrong"));
        }
        let (length, body) =
            body.split_first_chunk::<4>().ok_or_else(refuse("it has no recipe"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let (recipe, body) =
            body.split_at_checked(length).ok_or_else(refuse("its recipe is cut short"))?;
        let recipe = String::from_utf8(recipe.to_vec())
            .map_err(|_| PredictorError("its recipe is no text"))?;
        let shapes = Weights::shapes();
        let count: usize = shapes.iter().map(|(rows, columns)| rows * columns).sum();
        if body.len() != 4 * (count + 2) {
            return Err(PredictorError("it has another number of weights"));
        }
        let mut numbers = body
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let scale = (numbers.next().unwrap_or(0.0), numbers.next().unwrap_or(1.0));
        let take = |(rows, columns)| numbers.by_ref().take(rows * columns).collect();
        let arrays = shapes.into_iter().map(take).collect();
        Ok(Self { weights: Weights { arrays }, scale, recipe })
    }

    /// The predicted test accuracy of a cell, as a fraction.
    pub fn accuracy(&self, cell: &Cell101) -> f64 {
        widest(Prediction { predictor: self, graph: &FeatureGraph::new(&cell.kept()) })
    }

    /// The predicted test accuracies of cells, as fractions, computed on all threads.
    pub fn accuracies(&self, cells: &[Cell101]) -> Vec<f64> {
        cells.par_iter().map(|cell| self.accuracy(cell)).collect()
    }

    #[inline(always)]
    fn accuracy_of(&self, graph: &FeatureGraph) -> f64 {
        let arrays = &self.weights.arrays;
        let mut state = [[0.0; WIDTH]; MAX_VERTICES];
        let entry: [[f32; FEATURES]; MAX_VERTICES] = graph.features;
        affine(&entry, &arrays[0], &arrays[1], &mut state);
        relu(&mut state);
        for layer in 0..LAYERS {
            let mut seen = [[0.0; 3 * WIDTH]; MAX_VERTICES];
            for vertex in 0..graph.vertices {
                seen[vertex][..WIDTH].copy_from_slice(&state[vertex]);
                for (other, row) in state.iter().enumerate().take(graph.vertices) {
                    let place = match (graph.edges[other][vertex], graph.edges[vertex][other]) {
                        (true, _) => WIDTH,
                        (_, true) => 2 * WIDTH,
                        _ => continue,
                    };
                    for (sum, value) in seen[vertex][place..place + WIDTH].iter_mut().zip(row) {
                        *sum += value;
                    }
                }
            }
            let mut change = [[0.0; WIDTH]; MAX_VERTICES];
            affine(&seen, &arrays[2 + 2 * layer], &arrays[3 + 2 * layer], &mut change);
            relu(&mut change);
            for vertex in 0..graph.vertices {
                for i in 0..WIDTH {
                    state[vertex][i] += change[vertex][i];
                }
            }
        }
        let mut read = [[0.0; 2 * WIDTH]];
        for row in &state[..graph.vertices] {
            for i in 0..WIDTH {
                read[0][i] += row[i];
            }
        }
        read[0][WIDTH..].copy_from_slice(&state[graph.vertices - 1]);
        let mut hidden = [[0.0; WIDTH]];
        let rest = &arrays[2 + 2 * LAYERS..];
        affine(&read, &rest[0], &rest[1], &mut hidden);
        relu(&mut hidden);
        let mut out = rest[3][0];
        for i in 0..WIDTH {
            out += hidden[0][i] * rest[2][i];
        }
        // A cell is never worse than guessing among ten classes, never perfect.
        let learnt = f64::from(out) * f64::from(self.scale.1) + f64::from(self.scale.0);
        (CEILING - 1.0 / learnt.max(1.0 / CEILING)).clamp(0.0, 1.0)
    }
}

/// A prediction of one graph's accuracy, for the widest vector registers.
#[derive(Clone, Copy)]
struct Prediction<'a> {
    predictor: &'a Predictor,
    graph: &'a FeatureGraph,
}

impl Wide for Prediction<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        self.predictor.accuracy_of(self.graph)
    }
}

/// Multiplies rows by a matrix and adds a bias; an output is summed in the order of the inputs.
#[inline(always)]
fn affine<const ROWS: usize, const IN: usize>(
    input: &[[f32; IN]; ROWS],
    matrix: &[f32],
    offsets: &[f32],
    output: &mut [[f32; WIDTH]; ROWS],
) {
    for (input, output) in input.iter().zip(output) {
        let mut sums = [0.0_f32; WIDTH];
        for (&value, weights) in input.iter().zip(matrix.as_chunks::<WIDTH>().0) {
            // Rectified numbers are often 0.
            if value != 0.0 {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += value * weight;
                }
            }
        }
        for ((output, sum), offset) in output.iter_mut().zip(sums).zip(offsets) {
            *output = sum + offset;
        }
    }
}

#[inline(always)]
fn relu<const ROWS: usize>(rows: &mut [[f32; WIDTH]; ROWS]) {
    for row in rows {
        for value in row {
            *value = if *value > 0.0 { *value } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_predicts_the_same() {
        let predictor = Predictor::embedded().unwrap();
        let cells = [Cell101::resnet_like(), Cell101::inception_like()];
        for cell in cells {
            let graph = FeatureGraph::new(&cell);
            let prediction = Prediction { predictor, graph: &graph };
            for (width, accuracy) in tandem_kernels::every_width(prediction) {
                assert_eq!(predictor.accuracy(&cell), accuracy, "{width}");
            }
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = Predictor::embedded().unwrap().encode();
        let refusal = |bytes: &[u8]| Predictor::decode(bytes).unwrap_err().to_string();
        let message = |what: &str| format!("the NASBench-101 predictor is damaged: {what}");
        assert_eq!(refusal(b"something"), message("it does not begin like one"));
        assert_eq!(refusal(&whole[..20]), message("it is cut short"));
        assert_eq!(refusal(&whole[..whole.len() - 4]), message("its hash is wrong"));
        let mut flipped = whole.clone();
        flipped[1_000] ^= 1;
        assert_eq!(refusal(&flipped), message("its hash is wrong"));
        assert!(whole.len() < 500_000);
    }
}
