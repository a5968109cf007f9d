//! Optimizers.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::model::{Model, VariableRole};
use tandem_kernels::{Executor, change_values};

/// The update of a parameter from its gradient g, at learning rate r.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum UpdateRule {
    /// Stochastic gradient descent with momentum (Sutskever et al., ICML 2013, in PyTorch's form).
    ///
    /// m = momentum m + g; the parameter decreases by r m, or with Nesterov momentum by r (g + momentum m).
    /// Weight decay is added to g.
    Sgd {
        /// The fraction of m that is kept.
        momentum: f64,
        /// True for Nesterov momentum.
        nesterov: bool,
    },
    /// RMSProp with momentum (Tieleman and Hinton 2012, in TensorFlow's form; NASBench-101 used decay 0.9,
    /// momentum 0.9 and epsilon 1).
    ///
    /// s = decay s + (1 - decay) g^2, from s = 1; m = momentum m + r g / sqrt(s + epsilon); the parameter
    /// decreases by m. Weight decay is added to g.
    RmsProp {
        /// The fraction of s that is kept.
        decay: f64,
        /// The fraction of m that is kept.
        momentum: f64,
        /// A constant added to s.
        epsilon: f64,
    },
    /// Adam with bias correction and decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
    AdamW {
        /// The decay of the mean gradient.
        beta1: f64,
        /// The decay of the mean squared gradient.
        beta2: f64,
        /// A constant added to the root of the mean squared gradient.
        epsilon: f64,
    },
}

/// An optimizer of a model's parameters.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: UpdateRule,
    weight_decay: f64,
    state: OptimizerState,
}

/// The state of an optimizer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimizerState {
    /// The number of steps done.
    pub steps: u64,
    /// For each variable of the model, the momentum or the mean gradient; empty for variables that are not
    /// trained.
    pub first: Vec<Vec<f32>>,
    /// For each variable, the mean squared gradient; empty if the rule has none.
    pub second: Vec<Vec<f32>>,
}

impl Optimizer {
    /// Creates an optimizer in its initial state. `weight_decay` applies to weights only, not to biases and
    /// normalization parameters.
    pub fn new(model: &Model, rule: UpdateRule, weight_decay: f64) -> Self {
        let squares = match rule {
            UpdateRule::Sgd { .. } => None,
            UpdateRule::RmsProp { .. } => Some(1.0),
            UpdateRule::AdamW { .. } => Some(0.0),
        };
        let fill = |value: Option<f32>| {
            let variables = model.variables().iter().enumerate();
            let count = |(index, variable): (usize, &candle_core::Var)| match model.role(index) {
                VariableRole::Statistic => 0,
                _ => variable.elem_count(),
            };
            variables
                .map(|it| value.map_or_else(Vec::new, |value| vec![value; count(it)]))
                .collect()
        };
        let state = OptimizerState { steps: 0, first: fill(Some(0.0)), second: fill(squares) };
        Self { rule, weight_decay, state }
    }

    /// The state of the optimizer.
    pub const fn state(&self) -> &OptimizerState {
        &self.state
    }

    /// Continues from a state; returns false, without a change, if its sizes do not fit the model and the
    /// rule.
    pub fn restore(&mut self, state: OptimizerState) -> bool {
        let sizes = |values: &[Vec<f32>]| values.iter().map(Vec::len).collect::<Vec<_>>();
        let fits = sizes(&state.first) == sizes(&self.state.first)
            && sizes(&state.second) == sizes(&self.state.second);
        if fits {
            self.state = state;
        }
        fits
    }

    /// Updates the parameters from the executor's gradients.
    ///
    /// # Errors
    /// Returns an error if the parameters are not in host memory.
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
                    VariableRole::Weight => self.weight_decay,
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
    rule: UpdateRule,
    rate: f64,
    decay: f64,
    /// The number of the step, from 1.
    steps: u64,
    gradient: &'a [f32],
    /// The optimizer's memory of the variable.
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
            UpdateRule::Sgd { momentum, nesterov } => {
                let momentum = momentum as f32;
                for ((value, g), m) in values.iter_mut().zip(gradient).zip(first) {
                    let g = g + decay * *value;
                    *m = momentum * *m + g;
                    *value -= rate * if nesterov { g + momentum * *m } else { *m };
                }
            }
            UpdateRule::RmsProp { decay: kept, momentum, epsilon } => {
                let (kept, momentum, epsilon) = (kept as f32, momentum as f32, epsilon as f32);
                for (((value, g), m), s) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                    let g = g + decay * *value;
                    *s = kept * *s + (1.0 - kept) * g * g;
                    *m = momentum * *m + rate * g / (*s + epsilon).sqrt();
                    *value -= *m;
                }
            }
            UpdateRule::AdamW { beta1, beta2, epsilon } => {
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

/// Scales the executor's gradients down to a maximum norm; returns their norm before.
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
