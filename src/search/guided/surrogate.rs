//! The surrogate model of the trials so far: an ensemble of boosted trees on top of linear models.

use rand::Rng;
use rand_chacha::ChaCha12Rng;

/// The number of models of the ensemble.
const MEMBERS: usize = 8;
/// The number of trees of a model.
const TREES: usize = 80;
/// The number of questions on the way to a leaf.
const DEPTH: usize = 4;
/// The learning rate: the share of the residuals that a tree corrects.
const RATE: f64 = 0.1;
/// The number of values of 0 that each mean is mixed with: of a linear weight, of a leaf.
const SHRINK: [f64; 2] = [1.0, 2.0];
/// The number of passes over the linear weights.
const SWEEPS: usize = 12;

/// A regression of a number on binary features, with its uncertainty.
///
/// Each model is fitted to as many trials drawn with replacement: first a linear function by ridge
/// regression, which is exact if costs add up, then trees of depth 4 that correct the residuals, each on half
/// the features (Friedman, "Stochastic gradient boosting", Computational Statistics and Data Analysis 38(4),
/// 2002). The error of the models' mean on trials that they have not seen is learned in the same way, as the
/// uncertainty of a prediction.
pub struct Surrogate {
    members: Vec<Member>,
    /// The mean absolute error on unseen trials.
    mean_off: f64,
    /// The model of that error; `None` if there are no unseen trials.
    doubt: Option<Member>,
}

/// Points as lists of their present features, with the number of all features.
pub struct SparseRows<'a> {
    /// The present features of each point.
    pub of: &'a [Vec<u32>],
    /// For each point and feature, true if the point has the feature.
    pub masks: &'a [Vec<bool>],
    /// The number of all features.
    pub features: usize,
}

struct Member {
    base: f64,
    weights: Vec<f64>,
    trees: Vec<Tree>,
}

/// A full tree: the questions level by level, and the values of the leaves.
struct Tree {
    features: Vec<u32>,
    leaves: Vec<f64>,
}

/// The question of a node that is not split.
const NONE: u32 = u32::MAX;

impl Surrogate {
    /// Fits the values of points, each with its weight.
    pub fn fit(
        rows: &SparseRows<'_>,
        values: &[f64],
        weights: &[f64],
        rng: &mut ChaCha12Rng,
    ) -> Self {
        let count = values.len();
        let ends: Vec<f64> = weights
            .iter()
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        let total = ends[count - 1];
        let mut members = Vec::with_capacity(MEMBERS);
        let mut unseen = vec![(0.0, 0.0); count];
        for _ in 0..MEMBERS {
            let mut times = vec![0.0; count];
            for _ in 0..count {
                let at = total * rng.random::<f64>();
                times[ends.partition_point(|&end| end <= at).min(count - 1)] += 1.0;
            }
            let member = Member::fit(rows, values, &times, rng);
            for (row, of) in rows.of.iter().enumerate().filter(|(row, _)| times[*row] == 0.0) {
                let value = member.predict(&rows.masks[row], of);
                unseen[row].0 += 1.0;
                unseen[row].1 += value;
            }
            members.push(member);
        }
        // How far the mean is off a trial that its models have not seen.
        let mut off = vec![0.0; count];
        let mut known = vec![0.0; count];
        for (row, ((models, sum), value)) in unseen.into_iter().zip(values).enumerate() {
            if models >= 2.0 {
                off[row] = f64::abs(value - sum / models);
                known[row] = 1.0;
            }
        }
        let total: f64 = known.iter().sum();
        let mean_off = off.iter().sum::<f64>() / f64::max(total, 1.0);
        let doubt = (total > 0.0).then(|| Member::fit(rows, &off, &known, rng));
        Self { members, mean_off, doubt }
    }

    /// Predicts the mean and the standard deviation of a trial.
    pub fn predict(&self, mask: &[bool], of: &[u32]) -> (f64, f64) {
        let values = self.members.iter().map(|member| member.predict(mask, of));
        let mean = values.sum::<f64>() / MEMBERS as f64;
        let off = self.doubt.as_ref().map_or(1.0, |doubt| doubt.predict(mask, of));
        // Of a normal distribution the mean distance is 0.8 deviations.
        (mean, 1.25 * off.max(0.25 * self.mean_off))
    }
}

/// The mask of some features: true for each one that is present.
pub fn mask(of: &[u32], features: usize) -> Vec<bool> {
    let mut mask = vec![false; features];
    for &feature in of {
        mask[feature as usize] = true;
    }
    mask
}

impl Member {
    fn fit(rows: &SparseRows<'_>, values: &[f64], times: &[f64], rng: &mut ChaCha12Rng) -> Self {
        let total: f64 = times.iter().sum();
        let base =
            values.iter().zip(times).map(|(value, times)| value * times).sum::<f64>() / total;
        let mut left: Vec<f64> = values.iter().map(|value| value - base).collect();
        let weights = linear(rows, &mut left, times);
        let trees = (0..TREES).map(|_| Tree::fit(rows, &mut left, times, rng)).collect();
        Self { base, weights, trees }
    }

    fn predict(&self, mask: &[bool], of: &[u32]) -> f64 {
        let linear: f64 = of.iter().map(|&feature| self.weights[feature as usize]).sum();
        let trees: f64 = self.trees.iter().map(|tree| tree.leaves[tree.leaf(mask)]).sum();
        self.base + linear + trees
    }
}

/// Fits a ridge regression by coordinate descent; leaves the residuals in `left`.
fn linear(rows: &SparseRows<'_>, left: &mut [f64], times: &[f64]) -> Vec<f64> {
    let mut having: Vec<Vec<u32>> = vec![Vec::new(); rows.features];
    for (row, of) in rows.of.iter().enumerate() {
        for &feature in of {
            having[feature as usize].push(row as u32);
        }
    }
    let mut weights = vec![0.0; rows.features];
    for _ in 0..SWEEPS {
        for (weight, having) in weights.iter_mut().zip(&having) {
            let (mut sum, mut count) = (0.0, 0.0);
            for &row in having {
                sum += times[row as usize] * left[row as usize];
                count += times[row as usize];
            }
            let step = (sum - SHRINK[0] * *weight) / (count + SHRINK[0]);
            *weight += step;
            for &row in having {
                left[row as usize] -= step;
            }
        }
    }
    weights
}

impl Tree {
    /// Fits a tree to the residuals in `left`, and subtracts its values from them.
    fn fit(rows: &SparseRows<'_>, left: &mut [f64], times: &[f64], rng: &mut ChaCha12Rng) -> Self {
        let count = rows.features;
        let asked: Vec<bool> = (0..count).map(|_| rng.random_bool(0.5)).collect();
        let mut features = vec![NONE; (1 << DEPTH) - 1];
        let mut node = vec![0_usize; left.len()];
        for level in 0..DEPTH {
            let (first, nodes) = ((1 << level) - 1, 1 << level);
            let mut whole = vec![(0.0, 0.0); nodes];
            let mut having = vec![(0.0, 0.0); nodes * count];
            for (row, of) in rows.of.iter().enumerate() {
                let (times, value) = (times[row], times[row] * left[row]);
                if times == 0.0 {
                    continue;
                }
                let at = node[row] - first;
                whole[at].0 += value;
                whole[at].1 += times;
                for &feature in of {
                    let sums = &mut having[at * count + feature as usize];
                    sums.0 += value;
                    sums.1 += times;
                }
            }
            for (at, &(sum, times)) in whole.iter().enumerate() {
                let worth = |sum: f64, times: f64| sum * sum / (times + SHRINK[1]);
                let mut best = worth(sum, times) + 1e-9;
                for feature in (0..count).filter(|&feature| asked[feature]) {
                    let (with, with_times) = having[at * count + feature];
                    if with_times < 1.0 || times - with_times < 1.0 {
                        continue;
                    }
                    let gain = worth(with, with_times) + worth(sum - with, times - with_times);
                    if gain > best {
                        best = gain;
                        features[first + at] = feature as u32;
                    }
                }
            }
            for (node, mask) in node.iter_mut().zip(rows.masks) {
                let feature = features[*node];
                let there = feature != NONE && mask[feature as usize];
                *node = 2 * *node + 1 + usize::from(there);
            }
        }
        let first = (1 << DEPTH) - 1;
        let mut sums = vec![(0.0, 0.0); 1 << DEPTH];
        for (row, &node) in node.iter().enumerate() {
            sums[node - first].0 += times[row] * left[row];
            sums[node - first].1 += times[row];
        }
        let leaves: Vec<f64> =
            sums.into_iter().map(|(sum, times)| RATE * sum / (times + SHRINK[1])).collect();
        for (left, node) in left.iter_mut().zip(node) {
            *left -= leaves[node - first];
        }
        Self { features, leaves }
    }

    fn leaf(&self, mask: &[bool]) -> usize {
        let mut node = 0;
        for _ in 0..DEPTH {
            let feature = self.features[node];
            node = 2 * node + 1 + usize::from(feature != NONE && mask[feature as usize]);
        }
        node - self.features.len()
    }
}
