//! The policy: an LSTM that makes the choices one after the other.

use rand::Rng;
use rand_chacha::ChaCha12Rng;

use super::cell::{CellWeights, GATES, LstmCell, Sequence};
use super::settings::ReinforceSettings;
use tandem_kernels::deterministic_math::{add_multiple, dot};

/// The number that is added to the initial weights of the forget gates, so that early choices are remembered
/// over a long sequence (R. Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures",
/// ICML 2015).
const FORGET_BIAS: f32 = 1.0;

/// The weights and the shapes of the policy.
///
/// With `T` choices, `N` options in all and a cell of width `H`, the weights are
/// - inputs, `[1 + N - last, 4 H]`: the contributions to the gates of the start (row 0) and of each option of
///   all choices but the last, that is an embedding already multiplied by the cell's input weights, plus the
///   cell's biases;
/// - recurrent, `[H, 4 H]`: the cell's weights on its own output;
/// - heads, `[N, H]`, and their biases, `[N]`: a softmax head for each choice, one below the other.
pub struct Policy {
    sizes: Vec<usize>,
    /// The first row of each choice in the heads.
    offsets: Vec<usize>,
    hidden: usize,
    temperature: f32,
    tanh_constant: Option<f32>,
    /// Inputs, recurrent, heads, biases.
    weights: Vec<Vec<f32>>,
}

/// A combination that an update learns from, with its weights in the loss.
pub struct Sample<'a> {
    /// An option for each choice.
    pub point: &'a [u16],
    /// The factor of the negative logarithm of its probability.
    pub advantage: f64,
    /// The factor of the entropy of its choices.
    pub entropy: f64,
}

/// The loss of several samples, with its gradient.
pub struct Loss {
    /// The sum over the samples of `-advantage * ln p(point) - entropy * H`, where `ln p` and `H` are sums
    /// over the choices, given the point's earlier choices.
    pub value: f64,
    /// Its gradient with respect to each weight.
    pub gradients: Vec<Vec<f32>>,
}

impl Policy {
    /// Creates a policy with weights drawn from `rng`: uniform between plus and minus `init_range`, those of
    /// the forget gates plus one, the biases of the heads zero.
    pub fn new(sizes: &[usize], settings: &ReinforceSettings, rng: &mut ChaCha12Rng) -> Self {
        let hidden = settings.hidden;
        let range = settings.init_range as f32;
        let mut weights = lengths(sizes, hidden).map(|length| vec![0.0; length]);
        for weight in weights[..3].iter_mut().flatten() {
            *weight = range * (2.0 * rng.random::<f32>() - 1.0);
        }
        for gates in weights[0].chunks_exact_mut(GATES * hidden) {
            gates[hidden..2 * hidden].iter_mut().for_each(|weight| *weight += FORGET_BIAS);
        }
        let first = |sum: &mut usize, &size: &usize| {
            *sum += size;
            Some(*sum - size)
        };
        Self {
            sizes: sizes.to_vec(),
            offsets: sizes.iter().scan(0, first).collect(),
            hidden,
            temperature: settings.temperature as f32,
            tanh_constant: settings.tanh_constant.map(|bound| bound as f32),
            weights: weights.into(),
        }
    }

    /// The number of weights of each array: inputs, recurrent, heads, biases.
    pub fn lengths(&self) -> [usize; 4] {
        lengths(&self.sizes, self.hidden)
    }

    /// All weights: inputs, recurrent, heads, biases.
    pub fn weights(&self) -> &[Vec<f32>] {
        &self.weights
    }

    /// All weights, mutable.
    pub fn weights_mut(&mut self) -> &mut [Vec<f32>] {
        &mut self.weights
    }

    /// Replaces all weights, which must have the lengths of [`lengths`](Self::lengths).
    pub fn set_weights(&mut self, weights: Vec<Vec<f32>>) {
        self.weights = weights;
    }

    fn cell(&self) -> CellWeights<'_> {
        CellWeights { table: &self.weights[0], recurrent: &self.weights[1], hidden: self.hidden }
    }

    /// Draws `rows` combinations, legal or not.
    ///
    /// Every choice of every row takes one number from `rng`, choice by choice and row by row within a
    /// choice. It selects the option at which the cumulative probability passes it.
    pub fn sample(&self, rows: usize, rng: &mut ChaCha12Rng) -> Vec<Vec<u16>> {
        let mut points = vec![Vec::with_capacity(self.sizes.len()); rows];
        let mut cell = LstmCell::new(rows, self.hidden);
        let mut options = Options::default();
        for step in 0..self.sizes.len() {
            cell.step(self.cell(), points.iter().map(|point| self.input_row(step, point)));
            for (point, output) in points.iter_mut().zip(cell.output().chunks_exact(self.hidden)) {
                self.judge(step, output, &mut options);
                point.push(draw(&options.exponentials, rng.random()));
            }
        }
        points
    }

    /// Computes the loss of several samples and its gradient.
    pub fn loss(&self, samples: &[Sample<'_>]) -> Loss {
        let (steps, rows, hidden) = (self.sizes.len(), samples.len(), self.hidden);
        let inputs = (0..steps)
            .flat_map(|step| samples.iter().map(move |sample| self.input_row(step, sample.point)))
            .collect();
        let sequence = Sequence::run(self.cell(), inputs, rows);
        let heads = &self.weights[2];
        let mut value = 0.0;
        let mut d_outputs = vec![0.0; steps * rows * hidden];
        let mut d_heads = vec![0.0; heads.len()];
        let mut d_biases = vec![0.0; self.weights[3].len()];
        let mut options = Options::default();
        for step in 0..steps {
            let outputs = sequence.output(step).chunks_exact(hidden);
            let d_outputs = d_outputs[step * rows * hidden..].chunks_exact_mut(hidden);
            for ((sample, output), d_output) in samples.iter().zip(outputs).zip(d_outputs) {
                self.judge(step, output, &mut options);
                value += options.differentiate(step, sample);
                for (option, &raw) in options.d_logits.iter().enumerate() {
                    let d_logit = raw * self.shape_slope(options.logits[option]);
                    let option = self.offsets[step] + option;
                    let head = option * hidden..(option + 1) * hidden;
                    d_biases[option] += d_logit;
                    add_multiple(d_output, d_logit, &heads[head.clone()]);
                    add_multiple(&mut d_heads[head], d_logit, output);
                }
            }
        }
        let (d_inputs, d_recurrent) = sequence.gradients(d_outputs);
        Loss { value, gradients: vec![d_inputs, d_recurrent, d_heads, d_biases] }
    }

    /// Computes the logits and the unnormalized probabilities of a step's options from the cell's output.
    fn judge(&self, step: usize, output: &[f32], options: &mut Options) {
        let rows = self.offsets[step]..self.offsets[step] + self.sizes[step];
        let heads = &self.weights[2][rows.start * self.hidden..rows.end * self.hidden];
        let heads = heads.chunks_exact(self.hidden).zip(&self.weights[3][rows]);
        options.logits.clear();
        options.logits.extend(heads.map(|(head, bias)| self.shape(dot(head, output) + bias)));
        options.exponentiate();
    }

    /// The row of the inputs that a step reads.
    fn input_row(&self, step: usize, point: &[u16]) -> usize {
        match step.checked_sub(1) {
            None => 0,
            Some(previous) => 1 + self.offsets[previous] + usize::from(point[previous]),
        }
    }

    /// Applies the temperature and the bound to a logit.
    fn shape(&self, logit: f32) -> f32 {
        let logit = logit / self.temperature;
        self.tanh_constant.map_or(logit, |bound| bound * libm::tanhf(logit / bound))
    }

    /// The derivative of `shape` at its value `shaped`.
    fn shape_slope(&self, shaped: f32) -> f32 {
        let slope = self.tanh_constant.map_or(1.0, |bound| {
            let share = shaped / bound;
            1.0 - share * share
        });
        slope / self.temperature
    }
}

/// The number of weights of each array: inputs, recurrent, heads, biases.
pub(super) fn lengths(sizes: &[usize], hidden: usize) -> [usize; 4] {
    let options: usize = sizes.iter().sum();
    let read = 1 + options - sizes.last().copied().unwrap_or(0);
    [read * GATES * hidden, hidden * GATES * hidden, options * hidden, options]
}

/// The options of a choice with their logits and probabilities.
#[derive(Default)]
struct Options {
    /// The logarithms of the probabilities, up to a constant.
    logits: Vec<f32>,
    largest: f32,
    /// The probabilities up to a factor; the largest is 1.
    exponentials: Vec<f32>,
    /// The gradient of the loss with respect to the logits.
    d_logits: Vec<f32>,
}

impl Options {
    fn exponentiate(&mut self) {
        self.largest = self.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.exponentials.clear();
        // Unlike the standard library's functions, those of `libm` are the same on every machine.
        let exponential = |&logit: &f32| libm::expf(logit - self.largest);
        self.exponentials.extend(self.logits.iter().map(exponential));
    }

    /// The loss of one choice of a sample; leaves its gradient in `d_logits`.
    fn differentiate(&mut self, step: usize, sample: &Sample<'_>) -> f64 {
        let chosen = usize::from(sample.point[step]);
        let (advantage, entropy) = (sample.advantage as f32, sample.entropy as f32);
        let whole = self.exponentials.iter().sum::<f32>();
        let normalizer = self.largest + libm::logf(whole);
        let mut loss = 0.0;
        let mut sum = 0.0;
        self.d_logits.clear();
        // First the gradient by the logarithms of the probabilities.
        for (option, (logit, exponential)) in self.logits.iter().zip(&self.exponentials).enumerate()
        {
            let (log_p, p) = (logit - normalizer, exponential / whole);
            let score = if option == chosen { -advantage } else { 0.0 };
            let d_log_p = score + entropy * p * (1.0 + log_p);
            loss += f64::from((score + entropy * p) * log_p);
            sum += d_log_p;
            self.d_logits.push(d_log_p);
        }
        for (d_logit, exponential) in self.d_logits.iter_mut().zip(&self.exponentials) {
            *d_logit -= exponential / whole * sum;
        }
        loss
    }
}

/// Draws an option by a number in [0, 1): the one at which the cumulative probability passes the number's
/// share of the total. The probabilities need not be normalized.
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
    use candle_core::{Device, Tensor, Var};

    use super::*;
    use crate::util::rng;

    fn policy(sizes: &[usize], settings: &ReinforceSettings) -> Policy {
        Policy::new(sizes, settings, &mut rng::stream(7, "test", 0))
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
                let normalizer = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
                let log_p: Vec<f64> = logits.iter().map(|x| x - normalizer).collect();
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
            let mut policy = policy(&sizes, &settings);
            let double = |array: &Vec<f32>| array.iter().copied().map(f64::from).collect();
            let mut weights: Vec<Vec<f64>> = policy.weights().iter().map(double).collect();
            for (k, bias) in weights[3].iter_mut().enumerate() {
                *bias = (k as f64).sin();
            }
            let single = |array: &Vec<f64>| array.iter().map(|&weight| weight as f32).collect();
            policy.set_weights(weights.iter().map(single).collect());
            let Loss { value, gradients } = policy.loss(&samples);
            let reference =
                |weights: &[Vec<f64>]| reference_loss(&sizes, &settings, weights, &samples);
            assert!((value - reference(&weights)).abs() < 1e-5, "{value}");

            let mut moved = 0;
            for array in 0..weights.len() {
                for k in 0..weights[array].len() {
                    let center = weights[array][k];
                    let mut at = |value: f64| {
                        weights[array][k] = value;
                        reference(&weights)
                    };
                    let expected = (at(center + 1e-5) - at(center - 1e-5)) / 2e-5;
                    weights[array][k] = center;
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

    /// The logits of every step, and the loss with its gradients, from Candle's operations in double
    /// precision.
    fn from_candle(
        sizes: &[usize],
        settings: &ReinforceSettings,
        weights: &[Vec<f32>],
        samples: &[Sample<'_>],
    ) -> (Vec<Vec<f64>>, f64, Vec<Vec<f64>>) {
        let (hidden, rows) = (settings.hidden, samples.len());
        let tensor = |values: Vec<f64>, dims: &[usize]| {
            Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
        };
        let variables: Vec<Var> = weights
            .iter()
            .zip([4 * hidden, 4 * hidden, hidden, 1])
            .map(|(array, columns)| {
                let values = array.iter().copied().map(f64::from).collect();
                Var::from_tensor(&tensor(values, &[array.len() / columns, columns])).unwrap()
            })
            .collect();
        let [inputs, recurrent, heads, biases] = &variables[..] else { panic!("four arrays") };
        let mut h = tensor(vec![0.0; rows * hidden], &[rows, hidden]);
        let mut c = h.clone();
        let mut loss = tensor(vec![0.0], &[1]);
        let mut all_logits = Vec::new();
        let (mut read, mut offset) = (vec![0; rows], 0);
        for (step, &size) in sizes.iter().enumerate() {
            let read_now = Tensor::from_vec(read, rows, &Device::Cpu).unwrap();
            let x = inputs.index_select(&read_now, 0).unwrap();
            let sums = (x + h.matmul(recurrent).unwrap()).unwrap();
            let gate = |index: usize| sums.narrow(1, index * hidden, hidden).unwrap();
            let sigmoid = |x: Tensor| candle_nn::ops::sigmoid(&x).unwrap();
            let added = (sigmoid(gate(0)) * gate(2).tanh().unwrap()).unwrap();
            c = ((sigmoid(gate(1)) * &c).unwrap() + added).unwrap();
            h = (sigmoid(gate(3)) * c.tanh().unwrap()).unwrap();
            let head = heads.narrow(0, offset, size).unwrap().t().unwrap();
            let bias = biases.narrow(0, offset, size).unwrap().t().unwrap();
            let logits = h.matmul(&head).unwrap().broadcast_add(&bias).unwrap();
            let logits = (logits / settings.temperature).unwrap();
            let logits = settings.tanh_constant.map_or(logits.clone(), |bound| {
                ((logits / bound).unwrap().tanh().unwrap() * bound).unwrap()
            });
            all_logits.push(logits.flatten_all().unwrap().to_vec1().unwrap());
            let log_p = candle_nn::ops::log_softmax(&logits, 1).unwrap();
            let mut scores = vec![0.0; rows * size];
            for (row, sample) in samples.iter().enumerate() {
                scores[row * size + usize::from(sample.point[step])] = -sample.advantage;
            }
            let entropies = samples.iter().map(|sample| sample.entropy).collect();
            let bonus = log_p.exp().unwrap().broadcast_mul(&tensor(entropies, &[rows, 1])).unwrap();
            let scores = (tensor(scores, &[rows, size]) + bonus).unwrap();
            loss = loss.broadcast_add(&(log_p * scores).unwrap().sum_all().unwrap()).unwrap();
            let row = |sample: &Sample<'_>| 1 + offset as u32 + u32::from(sample.point[step]);
            read = samples.iter().map(row).collect();
            offset += size;
        }
        let gradients = loss.backward().unwrap();
        let of = |variable: &Var| {
            gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let loss = loss.to_vec1::<f64>().unwrap()[0];
        (all_logits, loss, variables.iter().map(of).collect())
    }

    #[test]
    fn logits_and_gradients_are_those_of_candle() {
        let sizes = [3, 2, 5, 1, 7, 4];
        let mut rng = rng::stream(9, "test", 0);
        for tanh_constant in [None, Some(1.5)] {
            let settings = ReinforceSettings {
                hidden: 21,
                temperature: 1.3,
                tanh_constant,
                init_range: 0.4,
                ..Default::default()
            };
            let policy = policy(&sizes, &settings);
            let points = policy.sample(11, &mut rng);
            let samples: Vec<Sample<'_>> = points
                .iter()
                .map(|point| Sample {
                    point,
                    advantage: rng.random_range(-1.0..1.0),
                    entropy: rng.random_range(0.0..0.2),
                })
                .collect();
            let (logits, value, gradients) =
                from_candle(&sizes, &settings, policy.weights(), &samples);
            let near = |ours: f64, expected: f64| {
                let off = (ours - expected).abs();
                assert!(off < 1e-5 * expected.abs().max(1.0), "{ours}, expected {expected}");
            };

            let mut cell = LstmCell::new(samples.len(), settings.hidden);
            let mut options = Options::default();
            for (step, expected) in logits.iter().enumerate() {
                let inputs = points.iter().map(|point| policy.input_row(step, point));
                cell.step(policy.cell(), inputs);
                let mut ours = Vec::new();
                for output in cell.output().chunks_exact(settings.hidden) {
                    policy.judge(step, output, &mut options);
                    ours.extend_from_slice(&options.logits);
                }
                assert_eq!(ours.len(), expected.len());
                ours.iter()
                    .zip(expected)
                    .for_each(|(&ours, &expected)| near(ours.into(), expected));
            }
            let loss = policy.loss(&samples);
            near(loss.value, value);
            for (ours, expected) in loss.gradients.iter().zip(&gradients) {
                assert_eq!(ours.len(), expected.len());
                ours.iter()
                    .zip(expected)
                    .for_each(|(&ours, &expected)| near(ours.into(), expected));
            }
        }
    }

    #[test]
    fn samples_follow_the_probabilities_of_the_loss() {
        let sizes = [2, 3];
        let settings = small(Some(2.0));
        let policy = policy(&sizes, &settings);
        let mut rng = rng::stream(8, "test", 0);
        let draws = 20_000;
        let points = policy.sample(draws, &mut rng);
        let mut statistic = 0.0;
        for first in 0..2 {
            for second in 0..3 {
                let point = [first, second];
                let sample = Sample { point: &point, advantage: -1.0, entropy: 0.0 };
                let expected = policy.loss(&[sample]).value.exp() * draws as f64;
                let count = points.iter().filter(|&drawn| *drawn == point).count() as f64;
                statistic += (count - expected).powi(2) / expected;
            }
        }
        // Pearson's statistic with 5 degrees of freedom: 20.5 is exceeded once in 1,000.
        assert!(statistic < 20.5, "{statistic}");
    }

    #[test]
    fn draws_invert_the_cumulative_distribution() {
        let exponentials = |logits: Vec<f32>| {
            let mut options = Options { logits, ..Default::default() };
            options.exponentiate();
            options.exponentials
        };
        let probabilities = exponentials(vec![0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 0.0]);
        for (number, option) in [(0.0, 0), (0.24, 0), (0.26, 1), (0.74, 1), (0.76, 3)] {
            assert_eq!(draw(&probabilities, number), option, "{number}");
        }
        assert_eq!(draw(&exponentials(vec![0.0, -200.0]), 1.0), 0);
        assert_eq!(draw(&exponentials(vec![-200.0, 0.0]), 0.0), 1);
    }
}
