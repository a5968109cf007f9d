//! Exact counts of assignments by variable elimination.
//!
//! Variables with few values are linked by factors: tables with a weight for each combination of values of
//! some variables. The weight of an assignment is the product of its factors' weights. Variables are summed
//! out one after another (Dechter, "Bucket elimination", Artificial Intelligence 113, 1999). The cost is that
//! of the largest group of variables linked at once; variables without links cost nothing.

use std::collections::BTreeSet;

use rand::{Rng, RngCore};

/// The maximum number of entries of a table.
const MAX_ENTRIES: usize = 1 << 20;

/// A weight for each combination of values of some variables.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    /// The variables; the last changes fastest.
    scope: Vec<usize>,
    weights: Vec<u128>,
}

/// Reasons that assignments cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Uncountable {
    /// A group of variables needs a table that is too large.
    Linked { variables: Vec<usize> },
    /// There are 2^128 or more.
    TooMany,
}

/// Iteration over combinations of values; the last variable changes fastest.
struct Combinations<'a> {
    scope: &'a [usize],
    sizes: &'a [usize],
    values: Vec<usize>,
}

impl<'a> Combinations<'a> {
    fn new(scope: &'a [usize], sizes: &'a [usize]) -> Self {
        Self { scope, sizes, values: vec![0; sizes.len()] }
    }

    /// Advances to the next combination; from the last, to the first.
    fn advance(&mut self) {
        for &variable in self.scope.iter().rev() {
            self.values[variable] += 1;
            if self.values[variable] < self.sizes[variable] {
                return;
            }
            self.values[variable] = 0;
        }
    }
}

/// The number of combinations of some variables; `None` if it exceeds [`MAX_ENTRIES`].
fn entries(scope: &[usize], sizes: &[usize]) -> Option<usize> {
    let product = scope.iter().try_fold(1usize, |product, &v| product.checked_mul(sizes[v]));
    product.filter(|&product| product <= MAX_ENTRIES)
}

fn index(scope: &[usize], sizes: &[usize], values: &[usize]) -> usize {
    scope.iter().fold(0, |index, &variable| index * sizes[variable] + values[variable])
}

impl Factor {
    /// Creates a factor with a weight for each combination of the variables in `scope`.
    pub(super) fn new(
        scope: Vec<usize>,
        sizes: &[usize],
        weight: impl Fn(&[usize]) -> u128,
    ) -> Result<Self, Uncountable> {
        let count = entries(&scope, sizes)
            .ok_or_else(|| Uncountable::Linked { variables: scope.clone() })?;
        let mut combinations = Combinations::new(&scope, sizes);
        let mut weights = Vec::with_capacity(count);
        for _ in 0..count {
            weights.push(weight(&combinations.values));
            combinations.advance();
        }
        Ok(Self { scope, weights })
    }
}

/// The elimination of one variable.
#[derive(Clone, Debug)]
struct Step {
    variable: usize,
    /// The variables linked to it, which are summed out later.
    others: Vec<usize>,
    /// For each combination of `others`, the weights of the variable's values.
    weights: Vec<u128>,
}

/// The number of weighted assignments, and the tables to draw from them.
#[derive(Clone, Debug)]
pub(super) struct Elimination {
    sizes: Vec<usize>,
    steps: Vec<Step>,
    total: u128,
}

impl Elimination {
    /// Sums out all variables.
    pub(super) fn new(sizes: Vec<usize>, mut factors: Vec<Factor>) -> Result<Self, Uncountable> {
        // A variable of one value needs no table of its own.
        let mut rest: Vec<usize> = (0..sizes.len()).filter(|&v| sizes[v] > 1).collect();
        let mut steps = Vec::with_capacity(rest.len());
        let mut totals = Vec::new();
        while let Some((place, scope)) = next(&rest, &factors, &sizes) {
            let variable = rest.remove(place);
            if entries(&scope, &sizes).is_none() {
                return Err(Uncountable::Linked { variables: scope });
            }
            let (tied, free): (Vec<_>, Vec<_>) =
                factors.into_iter().partition(|factor| factor.scope.contains(&variable));
            let others: Vec<usize> = scope.into_iter().filter(|&v| v != variable).collect();
            let within: Vec<usize> = others.iter().copied().chain([variable]).collect();
            let product = Factor::new(within, &sizes, |values| {
                let weights = tied.iter().map(|f| f.weights[index(&f.scope, &sizes, values)]);
                multiply(weights).unwrap_or(u128::MAX)
            })?;
            if product.weights.contains(&u128::MAX) {
                return Err(Uncountable::TooMany);
            }
            let sum = |weights: &[u128]| {
                weights.iter().try_fold(0u128, |sum, &weight| sum.checked_add(weight))
            };
            let sums: Option<Vec<u128>> =
                product.weights.chunks(sizes[variable]).map(sum).collect();
            let sums = sums.ok_or(Uncountable::TooMany)?;
            factors = free;
            if others.is_empty() {
                totals.extend(sums);
            } else {
                factors.push(Factor { scope: others.clone(), weights: sums });
            }
            steps.push(Step { variable, others, weights: product.weights });
        }
        totals.extend(factors.into_iter().flat_map(|factor| factor.weights));
        let total = multiply(totals.into_iter()).ok_or(Uncountable::TooMany)?;
        Ok(Self { sizes, steps, total })
    }

    /// The sum of the weights of all assignments.
    pub(super) const fn total(&self) -> u128 {
        self.total
    }

    /// Returns the assignment at an index below the total, assignments being repeated by their weights, and
    /// an index below its weight.
    pub(super) fn nth(&self, number: u128) -> (Vec<usize>, u128) {
        let mut values = vec![0; self.sizes.len()];
        // Below the product of what the decided values leave of the sums that are not split yet.
        let mut rest = number;
        for step in self.steps.iter().rev() {
            let size = self.sizes[step.variable];
            let start = index(&step.others, &self.sizes, &values) * size;
            let weights = &step.weights[start..start + size];
            let sum: u128 = weights.iter().sum();
            let (others, mut own) = (rest / sum, rest % sum);
            for (value, &weight) in weights.iter().enumerate() {
                if own < weight {
                    values[step.variable] = value;
                    rest = others * weight + own;
                    break;
                }
                own -= weight;
            }
        }
        (values, rest)
    }

    /// Draws an assignment by its weight; the total must not be zero.
    pub(super) fn draw(&self, rng: &mut dyn RngCore) -> Vec<usize> {
        let mut values = vec![0; self.sizes.len()];
        for step in self.steps.iter().rev() {
            let size = self.sizes[step.variable];
            let start = index(&step.others, &self.sizes, &values) * size;
            let weights = &step.weights[start..start + size];
            let total: u128 = weights.iter().sum();
            let mut rest = if total > 1 { rng.random_range(0..total) } else { 0 };
            let drawn = weights.iter().position(|&weight| {
                let here = rest < weight;
                rest = rest.saturating_sub(weight);
                here
            });
            values[step.variable] = drawn.unwrap_or(0);
        }
        values
    }
}

/// The product of weights; `None` if it exceeds `u128::MAX - 1`. It is zero if any weight is zero.
fn multiply(weights: impl Iterator<Item = u128> + Clone) -> Option<u128> {
    if weights.clone().any(|weight| weight == 0) {
        return Some(0);
    }
    let product = weights.into_iter().try_fold(1u128, u128::checked_mul);
    product.filter(|&product| product < u128::MAX)
}

/// The variable with the smallest table, as its place in `rest`, and that table's variables.
fn next(rest: &[usize], factors: &[Factor], sizes: &[usize]) -> Option<(usize, Vec<usize>)> {
    let scope = |variable: usize| -> Vec<usize> {
        let tied = factors.iter().filter(|factor| factor.scope.contains(&variable));
        let scope: BTreeSet<usize> =
            tied.flat_map(|factor| factor.scope.iter().copied()).chain([variable]).collect();
        scope.into_iter().collect()
    };
    let cost = |scope: &[usize]| -> u128 {
        scope.iter().fold(1, |cost: u128, &v| cost.saturating_mul(sizes[v] as u128))
    };
    let costs = rest.iter().enumerate().map(|(place, &variable)| {
        let scope = scope(variable);
        (cost(&scope), place, scope)
    });
    costs.min().map(|(_, place, scope)| (place, scope))
}
