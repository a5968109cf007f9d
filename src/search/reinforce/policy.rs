//! The policy: an LSTM that makes one choice after the other.

use candle_core::{Device, Result, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

use super::cell::{self, Cell, GATES};
use super::settings::ReinforceSettings;

/// What is added to the logit of an option that a choice does not have.
const NO_OPTION: f32 = -1e9;

/// What is added to the forget gates at first, so that early choices are remembered over a long
/// sequence (R. Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures",
/// ICML 2015).
const FORGET_BIAS: f32 = 1.0;

/// The weights and the shapes of the policy.
///
/// With `T` choices, `N` options in all and a cell of width `H`:
/// - `inputs [1 + N - last, 4 H]`: what the start (row 0) and each option of all choices but the
///   last add to the gates, that is an embedding already multiplied with the cell's input weights,
///   and the cell's biases;
/// - `recurrent [H, 4 H]`: the cell's weights on its own output;
/// - `heads [N, H]` and `biases [N]`: a softmax head for each choice, one below the other.
pub struct Policy {
    sizes: Vec<usize>,
    /// The first row of each choice in `heads`.
    offsets: Vec<usize>,
    hidden: usize,
    temperature: f64,
    tanh_constant: Option<f64>,
    inputs: Var,
    recurrent: Var,
    heads: Var,
    biases: Var,
    /// The row of `heads` for each choice and padded option, `[T * largest]`.
    padded: Tensor,
    /// Zero for an option that exists, `NO_OPTION` for padding, `[T, 1, largest]`.
    padding: Tensor,
}

/// The rows that an update learns from, with the weight of each in the loss.
pub struct Sample<'a> {
    /// An option for each choice.
    pub point: &'a [u16],
    /// What the negative logarithm of its probability is multiplied with.
    pub advantage: f64,
    /// What the entropy of the choices on its way is multiplied with.
    pub entropy: f64,
}

impl Policy {
    /// Makes a policy with weights drawn from `rng`: uniform in plus or minus `init_range`, the
    /// forget gates' plus one, the heads' biases zero.
    pub fn new(
        sizes: &[usize],
        settings: &ReinforceSettings,
        rng: &mut ChaCha12Rng,
    ) -> Result<Self> {
        let hidden = settings.hidden;
        let lengths = lengths(sizes, hidden);
        let range = settings.init_range as f32;
        let mut weights = lengths.map(|length| vec![0.0; length]);
        for weight in weights[..3].iter_mut().flatten() {
            *weight = range * (2.0 * rng.random::<f32>() - 1.0);
        }
        for gates in weights[0].chunks_exact_mut(GATES * hidden) {
            gates[hidden..2 * hidden].iter_mut().for_each(|weight| *weight += FORGET_BIAS);
        }

        let largest = sizes.iter().copied().max().unwrap_or(1);
        let mut padded = Vec::with_capacity(sizes.len() * largest);
        let mut padding = Vec::with_capacity(sizes.len() * largest);
        let mut offsets = Vec::with_capacity(sizes.len());
        let mut offset = 0;
        for &size in sizes {
            for option in 0..largest {
                let exists = option < size;
                padded.push(if exists { (offset + option) as u32 } else { 0 });
                padding.push(if exists { 0.0 } else { NO_OPTION });
            }
            offsets.push(offset);
            offset += size;
        }
        let [inputs, recurrent, heads, biases] = weights;
        let variable = |values: Vec<f32>, columns: usize| {
            let rows = values.len() / columns;
            Var::from_tensor(&Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
        };
        Ok(Self {
            sizes: sizes.to_vec(),
            offsets,
            hidden,
            temperature: settings.temperature,
            tanh_constant: settings.tanh_constant,
            inputs: variable(inputs, GATES * hidden)?,
            recurrent: variable(recurrent, GATES * hidden)?,
            heads: variable(heads, hidden)?,
            biases: variable(biases, 1)?,
            padded: Tensor::from_vec(padded, sizes.len() * largest, &Device::Cpu)?,
            padding: Tensor::from_vec(padding, (sizes.len(), 1, largest), &Device::Cpu)?,
        })
    }

    fn variables(&self) -> [&Var; 4] {
        [&self.inputs, &self.recurrent, &self.heads, &self.biases]
    }

    /// How many weights each of the arrays has.
    pub fn lengths(&self) -> [usize; 4] {
        lengths(&self.sizes, self.hidden)
    }

    /// All weights: inputs, recurrent, heads, biases.
    pub fn weights(&self) -> Result<Vec<Vec<f32>>> {
        self.variables().into_iter().map(|variable| variable.flatten_all()?.to_vec1()).collect()
    }

    /// Replaces all weights; they have the lengths of `lengths`.
    pub fn set_weights(&self, weights: Vec<Vec<f32>>) -> Result<()> {
        for (variable, weights) in self.variables().into_iter().zip(weights) {
            variable.set(&Tensor::from_vec(weights, variable.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// The gradients of a loss, in the order of `weights`.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Vec<f32>>> {
        let gradients = loss.backward()?;
        let of = |variable: &Var| match gradients.get(variable) {
            Some(gradient) => gradient.flatten_all()?.to_vec1(),
            None => Ok(vec![0.0; variable.elem_count()]),
        };
        self.variables().into_iter().map(of).collect()
    }

    /// Draws `rows` combinations, legal or not.
    ///
    /// Every choice of every row takes one number from `rng`, choice by choice and in each row by
    /// row, and goes to the option at which the cumulative probability passes it.
    pub fn sample(&self, rows: usize, rng: &mut ChaCha12Rng) -> Result<Vec<Vec<u16>>> {
        let recurrent = self.recurrent.as_detached_tensor();
        let mut points = vec![Vec::with_capacity(self.sizes.len()); rows];
        let mut cell = Cell::new(rows, self.hidden);
        for step in 0..self.sizes.len() {
            let h_w = if step > 0 { Some(cell.output()?.matmul(&recurrent)?) } else { None };
            let input_rows = points.iter().map(|point| self.input_row(step, point));
            cell::with_values(&self.inputs, |inputs| cell.step(inputs, input_rows, h_w.as_ref()))??;
            let probabilities = self.step_probabilities(step, &cell)?;
            for (point, probabilities) in points.iter_mut().zip(probabilities) {
                point.push(draw(&probabilities, rng.random()));
            }
        }
        Ok(points)
    }

    /// The unnormalised probabilities of a step's options in each row, the largest of a row one.
    ///
    /// The products with a head are too small to be worth an operation of the tensor library.
    fn step_probabilities(&self, step: usize, cell: &Cell) -> Result<Vec<Vec<f32>>> {
        let options = self.offsets[step]..self.offsets[step] + self.sizes[step];
        let weights = options.start * self.hidden..options.end * self.hidden;
        cell::with_values(&self.heads, |heads| {
            cell::with_values(&self.biases, |biases| {
                let (heads, biases) = (&heads[weights], &biases[options]);
                let of_row = |output: &[f32]| {
                    let heads = heads.chunks_exact(self.hidden).zip(biases);
                    let logits = heads.map(|(head, bias)| self.shape_one(dot(head, output) + bias));
                    exponentials(logits.collect())
                };
                cell.last_output().chunks_exact(self.hidden).map(of_row).collect()
            })
        })?
    }

    /// The loss of several rows, whose gradient is the update's.
    ///
    /// It is the sum over the rows of `-advantage * ln p(point) - entropy * H`, where `ln p` and
    /// `H` are sums over the choices, given the point's earlier choices.
    pub fn loss(&self, samples: &[Sample<'_>]) -> Result<Tensor> {
        let (steps, rows) = (self.sizes.len(), samples.len());
        let largest = self.padding.dim(2)?;
        let mut input_rows = Vec::with_capacity(steps * rows);
        let mut scores = vec![0.0_f32; steps * rows * largest];
        for step in 0..steps {
            for (row, sample) in samples.iter().enumerate() {
                input_rows.push(self.input_row(step, sample.point) as u32);
                let chosen = usize::from(sample.point[step]);
                scores[(step * rows + row) * largest + chosen] = -sample.advantage as f32;
            }
        }
        let scores = Tensor::from_vec(scores, (steps, rows, largest), &Device::Cpu)?;
        let entropies: Vec<f32> = samples.iter().map(|sample| sample.entropy as f32).collect();
        let entropies = Tensor::from_vec(entropies, (1, rows, 1), &Device::Cpu)?;

        let log_p = self.log_probabilities(&input_rows)?;
        let bonus = log_p.exp()?.broadcast_mul(&entropies)?;
        log_p.mul(&bonus.add(&scores)?)?.sum_all()
    }

    /// The logarithms of the options' probabilities, `[T, R, largest]`, given the rows of `inputs`
    /// that each step of each row reads; very negative for padding.
    fn log_probabilities(&self, input_rows: &[u32]) -> Result<Tensor> {
        let (steps, largest) = (self.sizes.len(), self.padding.dim(2)?);
        let h = cell::outputs(&self.inputs, &self.recurrent, input_rows, steps)?;
        let heads = self.heads.index_select(&self.padded, 0)?;
        let heads = heads.reshape((steps, largest, self.hidden))?.transpose(1, 2)?;
        let biases = self.biases.index_select(&self.padded, 0)?;
        let biases = biases.reshape((steps, 1, largest))?;
        let logits = self.shape(h.matmul(&heads)?.broadcast_add(&biases)?)?;
        candle_nn::ops::log_softmax(&logits.broadcast_add(&self.padding)?, 2)
    }

    /// The row of `inputs` that a step reads.
    fn input_row(&self, step: usize, point: &[u16]) -> usize {
        match step.checked_sub(1) {
            None => 0,
            Some(previous) => 1 + self.offsets[previous] + usize::from(point[previous]),
        }
    }

    /// Applies the temperature and the bound to logits.
    fn shape(&self, logits: Tensor) -> Result<Tensor> {
        let logits = if self.temperature == 1.0 { logits } else { (logits / self.temperature)? };
        match self.tanh_constant {
            None => Ok(logits),
            Some(bound) => (logits / bound)?.tanh()? * bound,
        }
    }

    /// Applies the temperature and the bound to one logit.
    fn shape_one(&self, logit: f32) -> f32 {
        let logit = logit / self.temperature as f32;
        self.tanh_constant.map_or(logit, |bound| bound as f32 * (logit / bound as f32).tanh())
    }
}

/// How many weights each of the arrays has.
fn lengths(sizes: &[usize], hidden: usize) -> [usize; 4] {
    let options: usize = sizes.iter().sum();
    let read = 1 + options - sizes.last().copied().unwrap_or(0);
    [read * GATES * hidden, hidden * GATES * hidden, options * hidden, options]
}

/// The inner product, summed in eight lanes.
fn dot(a: &[f32], b: &[f32]) -> f32 {
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

/// The exponentials of the logits' distances from the largest.
fn exponentials(mut logits: Vec<f32>) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
    logits
}

/// Draws an option with a number in [0, 1): that at which the sum of the probabilities, which need
/// not be normalised, passes the number's share of the whole.
fn draw(probabilities: &[f32], number: f32) -> u16 {
    let target = number * probabilities.iter().sum::<f32>();
    let mut sum = 0.0;
    let mut chosen = 0;
    for (option, &probability) in probabilities.iter().enumerate() {
        if probability > 0.0 {
            // Rounding can carry the target to the whole: then this is the last possible option.
            chosen = option as u16;
        }
        sum += probability;
        if target < sum {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    fn policy(sizes: &[usize], settings: &ReinforceSettings) -> Policy {
        Policy::new(sizes, settings, &mut seed::stream(7, "test", 0)).unwrap()
    }

    fn small(tanh_constant: Option<f64>) -> ReinforceSettings {
        ReinforceSettings {
            hidden: 3,
            temperature: 0.8,
            tanh_constant,
            init_range: 1.0,
            ..Default::default()
        }
    }

    /// The policy's loss in double precision, from the definitions.
    fn reference_loss(
        sizes: &[usize],
        settings: &ReinforceSettings,
        weights: &[Vec<f64>],
        samples: &[Sample<'_>],
    ) -> f64 {
        let hidden = settings.hidden;
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut loss = 0.0;
        for sample in samples {
            let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
            let (mut input, mut offset) = (0, 0);
            for (&size, &option) in sizes.iter().zip(sample.point) {
                let sum = |gate: usize, unit: usize| {
                    let column = gate * hidden + unit;
                    let recurrent = (0..hidden).map(|k| h[k] * weights[1][k * 4 * hidden + column]);
                    weights[0][input * 4 * hidden + column] + recurrent.sum::<f64>()
                };
                let next: Vec<(f64, f64)> = (0..hidden)
                    .map(|unit| {
                        let kept = sigmoid(sum(1, unit)) * c[unit];
                        let c = kept + sigmoid(sum(0, unit)) * sum(2, unit).tanh();
                        (sigmoid(sum(3, unit)) * c.tanh(), c)
                    })
                    .collect();
                (h, c) = next.into_iter().unzip();
                let logits: Vec<f64> = (offset..offset + size)
                    .map(|row| {
                        let product = (0..hidden).map(|k| h[k] * weights[2][row * hidden + k]);
                        let logit = product.sum::<f64>() + weights[3][row];
                        let logit = logit / settings.temperature;
                        settings.tanh_constant.map_or(logit, |bound| bound * (logit / bound).tanh())
                    })
                    .collect();
                let normaliser = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
                let log_p: Vec<f64> = logits.iter().map(|x| x - normaliser).collect();
                loss -= sample.advantage * log_p[usize::from(option)];
                loss += sample.entropy * log_p.iter().map(|x| x * x.exp()).sum::<f64>();
                input = 1 + offset + usize::from(option);
                offset += size;
            }
        }
        loss
    }

    #[test]
    fn gradients_of_the_loss_are_those_of_finite_differences() {
        let sizes = [2, 1, 4, 3];
        let points = [[0, 0, 3, 2], [1, 0, 0, 2], [1, 0, 2, 0]];
        let samples: Vec<Sample<'_>> = points
            .iter()
            .zip([(0.7, 0.3), (-1.2, 0.1), (0.4, 0.0)])
            .map(|(point, (advantage, entropy))| Sample { point, advantage, entropy })
            .collect();
        for tanh_constant in [None, Some(0.9)] {
            let settings = small(tanh_constant);
            let policy = policy(&sizes, &settings);
            let mut weights: Vec<Vec<f64>> = policy
                .weights()
                .unwrap()
                .into_iter()
                .map(|array| array.into_iter().map(f64::from).collect())
                .collect();
            for (k, bias) in weights[3].iter_mut().enumerate() {
                *bias = (k as f64).sin();
            }
            let single = |array: &Vec<f64>| array.iter().map(|&weight| weight as f32).collect();
            policy.set_weights(weights.iter().map(single).collect()).unwrap();
            let loss = policy.loss(&samples).unwrap();
            let value = f64::from(loss.to_scalar::<f32>().unwrap());
            let reference =
                |weights: &[Vec<f64>]| reference_loss(&sizes, &settings, weights, &samples);
            assert!((value - reference(&weights)).abs() < 1e-5, "{value}");

            let gradients = policy.gradients(&loss).unwrap();
            let mut moved = 0;
            for array in 0..weights.len() {
                for k in 0..weights[array].len() {
                    let centre = weights[array][k];
                    let mut at = |value: f64| {
                        weights[array][k] = value;
                        reference(&weights)
                    };
                    let expected = (at(centre + 1e-5) - at(centre - 1e-5)) / 2e-5;
                    weights[array][k] = centre;
                    let gradient = f64::from(gradients[array][k]);
                    assert!(
                        (gradient - expected).abs() < 2e-5 * (1.0 + expected.abs()),
                        "weight {k} of array {array}: {gradient}, expected {expected}"
                    );
                    moved += usize::from(expected.abs() > 1e-3);
                }
            }
            assert!(moved > 100, "only {moved} gradients differ from zero");
        }
    }

    #[test]
    fn samples_follow_the_probabilities_of_the_loss() {
        let sizes = [2, 3];
        let settings = small(Some(2.0));
        let policy = policy(&sizes, &settings);
        let mut rng = seed::stream(8, "test", 0);
        let draws = 20_000;
        let points = policy.sample(draws, &mut rng).unwrap();
        let mut statistic = 0.0;
        for first in 0..2 {
            for second in 0..3 {
                let point = [first, second];
                let sample = Sample { point: &point, advantage: -1.0, entropy: 0.0 };
                let log_p = policy.loss(&[sample]).unwrap().to_scalar::<f32>().unwrap();
                let expected = f64::from(log_p).exp() * draws as f64;
                let count = points.iter().filter(|&drawn| *drawn == point).count() as f64;
                statistic += (count - expected).powi(2) / expected;
            }
        }
        // Pearson's statistic with 5 degrees of freedom: 20.5 is exceeded once in 1,000.
        assert!(statistic < 20.5, "{statistic}");
    }

    #[test]
    fn draws_invert_the_cumulative_distribution() {
        let logits = vec![0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 0.0];
        let probabilities = exponentials(logits);
        for (number, option) in [(0.0, 0), (0.24, 0), (0.26, 1), (0.74, 1), (0.76, 3)] {
            assert_eq!(draw(&probabilities, number), option, "{number}");
        }
        assert_eq!(draw(&exponentials(vec![0.0, -200.0]), 1.0), 0);
        assert_eq!(draw(&exponentials(vec![-200.0, 0.0]), 0.0), 1);
    }
}
