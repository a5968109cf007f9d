//! Rules by which parameters follow their gradients.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::model::{Model, Role};
use tandem_kernels::{Executor, change_values};

/// How a parameter follows its gradient g, at learning rate r.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Rule {
    /// m = momentum m + g; the parameter falls by r m, with Nesterov's change by r (g + momentum m)
    /// (Sutskever et al., ICML 2013, in PyTorch's form). Weight decay is added to g.
    Sgd {
        /// The share of the last step that is kept.
        momentum: f64,
        /// Whether the gradient is looked for ahead.
        nesterov: bool,
    },
    /// s = decay s + (1 - decay) g^2, from s = 1; m = momentum m + r g / sqrt(s + epsilon); the
    /// parameter falls by m (Tieleman and Hinton 2012, in TensorFlow's form, which NASBench-101
    /// used with 0.9, 0.9 and 1). Weight decay is added to g.
    RmsProp {
        /// The share of the squares' mean that is kept.
        decay: f64,
        /// The share of the last step that is kept.
        momentum: f64,
        /// Added to the squares' mean.
        epsilon: f64,
    },
    /// Adam with bias correction and weight decay apart from the gradient (Loshchilov and Hutter, ICLR
    /// 2019).
    AdamW {
        /// The share of the gradients' mean that is kept.
        beta1: f64,
        /// The share of the squares' mean that is kept.
        beta2: f64,
        /// Added to the root of the squares' mean.
        epsilon: f64,
    },
}

/// Applies a rule to a model's parameters.
#[derive(Clone, Debug)]
pub struct Optimiser {
    rule: Rule,
    weight_decay: f64,
    state: OptimiserState,
}

/// What a rule remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimiserState {
    /// Steps done.
    pub steps: u64,
    /// For each variable of the model the last step or the mean of gradients; empty for those that are
    /// not learnt.
    pub first: Vec<Vec<f32>>,
    /// For each variable the mean of squares; empty where the rule has none.
    pub second: Vec<Vec<f32>>,
}

impl Optimiser {
    /// Makes an optimiser at rest. `weight_decay` holds for weights, not for biases and normalisations.
    pub fn new(model: &Model, rule: Rule, weight_decay: f64) -> Self {
        let squares = match rule {
            Rule::Sgd { .. } => None,
            Rule::RmsProp { .. } => Some(1.0),
            Rule::AdamW { .. } => Some(0.0),
        };
        let fill = |value: Option<f32>| {
            let variables = model.variables().iter().enumerate();
            let count = |(index, variable): (usize, &candle_core::Var)| match model.role(index) {
                Role::Statistic => 0,
                _ => variable.elem_count(),
            };
            variables
                .map(|it| value.map_or_else(Vec::new, |value| vec![value; count(it)]))
                .collect()
        };
        let state = OptimiserState { steps: 0, first: fill(Some(0.0)), second: fill(squares) };
        Self { rule, weight_decay, state }
    }

    /// What the rule remembers.
    pub const fn state(&self) -> &OptimiserState {
        &self.state
    }

    /// Goes on from what was remembered; false if it is of another model or rule.
    pub fn restore(&mut self, state: OptimiserState) -> bool {
        let sizes = |values: &[Vec<f32>]| values.iter().map(Vec::len).collect::<Vec<_>>();
        let fits = sizes(&state.first) == sizes(&self.state.first)
            && sizes(&state.second) == sizes(&self.state.second);
        if fits {
            self.state = state;
        }
        fits
    }

    /// Moves the parameters by the executor's gradients.
    ///
    /// # Errors
    /// The parameters are not in the processor's memory.
    pub fn step(
        &mut self,
        model: &Model,
        executor: &mut Executor,
        rate: f64,
    ) -> Result<(), TrainError> {
        self.state.steps += 1;
        let (steps, rule) = (self.state.steps, self.rule);
        let (pool, gradients) = executor.optimise();
        let moments = self.state.first.iter_mut().zip(&mut self.state.second).enumerate();
        let updates: Vec<_> = moments
            .filter(|(_, (first, _))| !first.is_empty())
            .map(|(index, (first, second))| {
                let decay = match model.role(index) {
                    Role::Weight => self.weight_decay,
                    _ => 0.0,
                };
                let gradient = gradients[index].as_slice();
                let update = Update { rule, rate, decay, steps, gradient, first, second };
                Mutex::new((&model.variables()[index], update, Ok(())))
            })
            .collect();
        pool.run(updates.len(), &|index, _| {
            let Ok(mut update) = updates[index].lock() else { return };
            let (variable, update, result) = &mut *update;
            *result = change_values(variable, |values| update.apply(values));
        });
        for update in updates {
            if let Ok((_, _, result)) = update.into_inner() {
                result?;
            }
        }
        Ok(())
    }
}

/// One step of one variable.
struct Update<'a> {
    rule: Rule,
    rate: f64,
    decay: f64,
    /// The number of the step, from 1.
    steps: u64,
    gradient: &'a [f32],
    /// The optimiser's memory of the variable.
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Update<'_> {
    /// Moves the variable's values.
    fn apply(&mut self, values: &mut [f32]) {
        let Self { rule, gradient, steps, .. } = *self;
        let (rate, decay) = (self.rate as f32, self.decay as f32);
        let (first, second) = (&mut *self.first, &mut *self.second);
        match rule {
            Rule::Sgd { momentum, nesterov } => {
                let momentum = momentum as f32;
                for ((value, g), m) in values.iter_mut().zip(gradient).zip(first) {
                    let g = g + decay * *value;
                    *m = momentum * *m + g;
                    *value -= rate * if nesterov { g + momentum * *m } else { *m };
                }
            }
            Rule::RmsProp { decay: kept, momentum, epsilon } => {
                let (kept, momentum, epsilon) = (kept as f32, momentum as f32, epsilon as f32);
                for (((value, g), m), s) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                    let g = g + decay * *value;
                    *s = kept * *s + (1.0 - kept) * g * g;
                    *m = momentum * *m + rate * g / (*s + epsilon).sqrt();
                    *value -= *m;
                }
            }
            Rule::AdamW { beta1, beta2, epsilon } => {
                let power = i32::try_from(steps).unwrap_or(i32::MAX);
                let (first_part, second_part) = (1.0 - beta1.powi(power), 1.0 - beta2.powi(power));
                let step = (f64::from(rate) / first_part) as f32;
                let root = (1.0 / second_part.sqrt()) as f32;
                let (beta1, beta2, epsilon) = (beta1 as f32, beta2 as f32, epsilon as f32);
                for (((value, g), m), s) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                    *value -= rate * decay * *value;
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *s = beta2 * *s + (1.0 - beta2) * g * g;
                    *value -= step * *m / (s.sqrt() * root + epsilon);
                }
            }
        }
    }
}

/// Scales the executor's gradients down to a norm, if theirs is larger; returns theirs.
pub fn clip(executor: &mut Executor, norm: f64) -> f64 {
    let (_, gradients) = executor.optimise();
    let squares = |gradient: &Vec<f32>| -> f64 {
        gradient.iter().map(|&value| f64::from(value) * f64::from(value)).sum()
    };
    let total = gradients.iter().map(squares).sum::<f64>().sqrt();
    if total > norm {
        let factor = (norm / total) as f32;
        gradients.iter_mut().flatten().for_each(|value| *value *= factor);
    }
    total
}
