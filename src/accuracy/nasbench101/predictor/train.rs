//! Training of the predictor on a share of the table.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::features::{FEATURES, FeatureGraph};
use super::model::{CEILING, LAYERS, Predictor, WIDTH, Weights};
use crate::accuracy::nasbench101::Nasbench101Table;
use crate::space::nasbench101::MAX_VERTICES;
use crate::util::rng::stream;

/// The settings of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictorRecipe {
    /// The share of the table's cells to train on.
    pub share: f64,
    /// The random seed of the share, the initial weights and the order of the cells.
    pub seed: u64,
    /// The number of passes over the training cells.
    pub epochs: usize,
    /// The number of cells in a step.
    pub batch: usize,
    /// The peak learning rate, which decays to 0 along a cosine after a warm-up.
    pub learning_rate: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
}

impl Default for PredictorRecipe {
    /// The recipe of the embedded predictor.
    fn default() -> Self {
        Self {
            share: 0.1,
            seed: 0,
            epochs: 100,
            batch: 256,
            learning_rate: 2e-3,
            weight_decay: 1e-4,
        }
    }
}

/// Reasons that a training fails.
#[derive(Debug, thiserror::Error)]
pub enum PredictorTrainError {
    /// The share has fewer cells than a step.
    #[error("{cells} cells are too few to train on; a step takes {batch}")]
    Few {
        /// The number of cells in the share.
        cells: usize,
        /// The number of cells in a step.
        batch: usize,
    },
    /// An error of the tensor library.
    #[error("training fails: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// Splits the rows of a table at random into training rows and held-out rows, both ascending.
pub fn split(count: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut rows: Vec<usize> = (0..count).collect();
    rows.shuffle(&mut stream(seed, "predictor split", 0));
    let mut held_out = rows.split_off((share * count as f64).round() as usize);
    rows.sort_unstable();
    held_out.sort_unstable();
    (rows, held_out)
}

/// Trains a predictor on a share of a table.
///
/// After each epoch, calls `after_epoch` with its number, from 1, and the mean squared error of the
/// standardized target.
///
/// # Errors
/// If there are too few cells, or the tensor library fails.
pub fn train(
    table: &Nasbench101Table,
    recipe: &PredictorRecipe,
    mut after_epoch: impl FnMut(usize, f64),
) -> Result<Predictor, PredictorTrainError> {
    let (mut rows, _) = split(table.len(), recipe.share, recipe.seed);
    let steps = rows.len() / recipe.batch.max(1);
    if steps == 0 {
        return Err(PredictorTrainError::Few { cells: rows.len(), batch: recipe.batch });
    }
    let graphs: Vec<FeatureGraph> = table.cells().par_iter().map(FeatureGraph::new).collect();
    let learnt: Vec<f64> = table
        .cells()
        .par_iter()
        .map(|cell| 1.0 / (CEILING - table.accuracy(cell).unwrap_or(0.0)))
        .collect();
    let mean = rows.iter().map(|&row| learnt[row]).sum::<f64>() / rows.len() as f64;
    let squares = rows.iter().map(|&row| (learnt[row] - mean).powi(2)).sum::<f64>();
    let deviation = (squares / rows.len() as f64).sqrt();

    let weights = first_weights(recipe.seed)?;
    let mut optimizer = AdamW::new(
        weights.clone(),
        ParamsAdamW { weight_decay: recipe.weight_decay, ..ParamsAdamW::default() },
    )?;
    let total = (recipe.epochs * steps) as f64;
    for epoch in 0..recipe.epochs {
        rows.shuffle(&mut stream(recipe.seed, "predictor order", epoch as u64));
        let mut sum = 0.0;
        for (step, batch) in rows.chunks_exact(recipe.batch).enumerate() {
            let done = (epoch * steps + step) as f64 / total;
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            let warm_up = (50.0 * done).min(1.0);
            optimizer.set_learning_rate(recipe.learning_rate * cosine * warm_up);
            let target: Vec<f32> =
                batch.iter().map(|&row| ((learnt[row] - mean) / deviation) as f32).collect();
            let target = Tensor::from_vec(target, batch.len(), &Device::Cpu)?;
            let input = Batch::new(batch.iter().map(|&row| &graphs[row]))?;
            let loss = (input.forward(&weights)? - target)?.sqr()?.mean_all()?;
            optimizer.backward_step(&loss)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
        }
        after_epoch(epoch + 1, sum / steps as f64);
    }
    let arrays = weights
        .iter()
        .map(|weight| weight.flatten_all()?.to_vec1::<f32>())
        .collect::<Result<_, _>>()?;
    let recipe = serde_json::to_string(recipe).unwrap_or_default();
    Ok(Predictor::new(Weights { arrays }, (mean as f32, deviation as f32), recipe))
}

/// The initial weights: uniform, with the variance that preserves the scale of a ReLU layer (He et al. 2015),
/// halved in the rounds, whose outputs add up. Biases are 0.
fn first_weights(seed: u64) -> Result<Vec<Var>, candle_core::Error> {
    let mut rng = stream(seed, "predictor weights", 0);
    Weights::shapes()
        .into_iter()
        .map(|(rows, columns)| {
            let spread = (6.0 / rows as f32).sqrt() * if rows == 3 * WIDTH { 0.5 } else { 1.0 };
            let draw = |_| if rows == 1 { 0.0 } else { rng.random_range(-spread..spread) };
            let values: Vec<f32> = (0..rows * columns).map(draw).collect();
            Var::from_tensor(&Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
        })
        .collect()
}

/// A batch of cells as tensors.
struct Batch {
    size: usize,
    /// (cells x vertices, features)
    features: Tensor,
    /// (cells, vertices, vertices): 1 where the second vertex is a predecessor of the first.
    predecessors: Tensor,
    successors: Tensor,
    /// (cells, 2, vertices): weights of the two read-outs, all vertices and the output.
    read: Tensor,
    /// (cells x vertices, 1): 1 where there is a vertex, 0 for padding.
    present: Tensor,
}

impl Batch {
    fn new<'a>(graphs: impl Iterator<Item = &'a FeatureGraph>) -> Result<Self, candle_core::Error> {
        const N: usize = MAX_VERTICES;
        let mut size = 0;
        let (mut features, mut edges, mut read, mut present) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for graph in graphs {
            size += 1;
            features.extend(graph.features.iter().flatten().copied());
            for to in 0..N {
                edges.extend((0..N).map(|from| f32::from(u8::from(graph.edges[from][to]))));
            }
            let is_there = |vertex| f32::from(u8::from(vertex < graph.vertices));
            let is_output = |vertex| f32::from(u8::from(vertex + 1 == graph.vertices));
            read.extend((0..N).map(is_there).chain((0..N).map(is_output)));
            present.extend((0..N).map(is_there));
        }
        let cpu = &Device::Cpu;
        let predecessors = Tensor::from_vec(edges, (size, N, N), cpu)?;
        Ok(Self {
            size,
            features: Tensor::from_vec(features, (size * N, FEATURES), cpu)?,
            successors: predecessors.transpose(1, 2)?.contiguous()?,
            predecessors,
            read: Tensor::from_vec(read, (size, 2, N), cpu)?,
            present: Tensor::from_vec(present, (size * N, 1), cpu)?.to_dtype(DType::F32)?,
        })
    }

    /// Computes the predicted standardized target of each cell.
    fn forward(&self, weights: &[Var]) -> Result<Tensor, candle_core::Error> {
        const N: usize = MAX_VERTICES;
        let layer = |input: &Tensor, index: usize| {
            input.matmul(&weights[index])?.broadcast_add(&weights[index + 1])?.relu()
        };
        let mut state = layer(&self.features, 0)?.broadcast_mul(&self.present)?;
        for exchange in 0..LAYERS {
            let by_cell = state.reshape((self.size, N, WIDTH))?;
            let gather = |edges: &Tensor| edges.matmul(&by_cell)?.reshape((self.size * N, WIDTH));
            let seen = Tensor::cat(
                &[&state, &gather(&self.predecessors)?, &gather(&self.successors)?],
                1,
            )?;
            state = (state + layer(&seen, 2 + 2 * exchange)?.broadcast_mul(&self.present)?)?;
        }
        let by_cell = state.reshape((self.size, N, WIDTH))?;
        let read = self.read.matmul(&by_cell)?.reshape((self.size, 2 * WIDTH))?;
        let last = 2 + 2 * LAYERS;
        let hidden = layer(&read, last)?;
        hidden.matmul(&weights[last + 2])?.broadcast_add(&weights[last + 3])?.flatten_all()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Quality, kendall_tau};
    use super::*;
    use crate::space::nasbench101::{Catalog, Op101};
    use crate::test_support::data_dir;

    /// Small cells whose accuracy rises with their 3x3 convolutions and falls with their poolings.
    fn small_table() -> Nasbench101Table {
        let cells: Vec<_> = Catalog::up_to(5).iter().map(|(_, cell)| cell).collect();
        let correct = cells
            .iter()
            .map(|cell| {
                let count = |operation| {
                    let interior = 1..cell.vertices() - 1;
                    interior.filter(|&vertex| cell.operation(vertex) == operation).count() as u16
                };
                24_000 + 1_500 * count(Op101::Conv3x3) - 1_000 * count(Op101::MaxPool3x3)
            })
            .collect();
        Nasbench101Table::new(cells, correct)
    }

    #[test]
    fn training_is_reproducible_and_prediction_is_what_was_trained() {
        let table = small_table();
        let recipe =
            PredictorRecipe { share: 0.3, epochs: 12, batch: 64, ..PredictorRecipe::default() };
        let mut errors = Vec::new();
        let trained = train(&table, &recipe, |_, error| errors.push(error)).unwrap();
        assert!(errors[11] < 0.2 * errors[0], "{errors:?}");
        let again = train(&table, &recipe, |_, _| ()).unwrap();
        assert_eq!(trained.encode(), again.encode());
        let other = train(&table, &PredictorRecipe { seed: 1, ..recipe }, |_, _| ()).unwrap();
        assert_ne!(trained.encode(), other.encode());
        assert_eq!(Predictor::decode(&trained.encode()), Ok(trained.clone()));

        let (rows, held_out) = split(table.len(), recipe.share, recipe.seed);
        assert_eq!((rows.len(), held_out.len()), (760, 1_772));
        assert!(rows.iter().all(|row| held_out.binary_search(row).is_err()));
        let cells: Vec<_> = held_out.iter().map(|&row| table.cells()[row]).collect();
        let predicted = trained.accuracies(&cells);
        let truth: Vec<f64> = cells.iter().map(|cell| table.accuracy(cell).unwrap()).collect();
        assert!(kendall_tau(&predicted, &truth) > 0.8);

        // The tensors of training and the loops of prediction compute the same network.
        let weights: Vec<Var> = trained
            .weights
            .arrays
            .iter()
            .zip(Weights::shapes())
            .map(|(array, shape)| {
                let tensor = Tensor::from_vec(array.clone(), shape, &Device::Cpu).unwrap();
                Var::from_tensor(&tensor).unwrap()
            })
            .collect();
        let graphs: Vec<FeatureGraph> = cells.iter().map(FeatureGraph::new).collect();
        let batch = Batch::new(graphs.iter()).unwrap();
        let learnt: Vec<f32> = batch.forward(&weights).unwrap().to_vec1().unwrap();
        for (learnt, predicted) in learnt.iter().zip(&predicted) {
            let learnt = f64::from(*learnt) * f64::from(trained.scale.1);
            let expected = CEILING - 1.0 / (learnt + f64::from(trained.scale.0));
            assert!((expected - predicted).abs() < 1e-5, "{expected} {predicted}");
        }
    }

    #[test]
    fn too_few_cells_are_refused() {
        let recipe = PredictorRecipe { share: 0.01, ..PredictorRecipe::default() };
        let error = train(&small_table(), &recipe, |_, _| ()).unwrap_err();
        assert_eq!(error.to_string(), "25 cells are too few to train on; a step takes 256");
    }

    /// The figures of docs/predictor.md, on every eighth held-out cell.
    #[test]
    fn the_embedded_predictor_orders_cells_it_has_not_seen() {
        let Some(dir) = data_dir() else { return };
        let table = Nasbench101Table::open(&dir).unwrap();
        let predictor = Predictor::embedded().unwrap();
        let recipe: PredictorRecipe = serde_json::from_str(predictor.recipe()).unwrap();
        assert_eq!(recipe, PredictorRecipe::default());
        let (_, held_out) = split(table.len(), recipe.share, recipe.seed);
        assert_eq!(held_out.len(), 381_262);
        let cells: Vec<_> = held_out.iter().step_by(8).map(|&row| table.cells()[row]).collect();
        let truth: Vec<f64> = cells.iter().map(|cell| table.accuracy(cell).unwrap()).collect();
        let quality = Quality::new(&predictor.accuracies(&cells), &truth);
        assert!((quality.kendall_tau - 0.875).abs() < 0.005, "{quality:?}");
        assert!((quality.spearman - 0.979).abs() < 0.002, "{quality:?}");
        assert!((quality.mean_absolute_error - 0.0076).abs() < 0.0003, "{quality:?}");
    }
}
