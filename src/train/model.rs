//! A network's parameters as Candle variables, and its reference forward pass.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use tandem_kernels::{EPSILON, KernelError, LayerVariables, NormVariables, Parameters};

use super::activation::activated;
use super::error::TrainError;
use crate::network::{Layer, Network, Operation};
use crate::util::rng::stream;

/// A network with its parameters as Candle variables, with PyTorch's names and shapes.
///
/// A layer has `<layer>.weight` and `<layer>.bias`. The shape of weights is (outputs, inputs / groups, rows,
/// columns), or (outputs, inputs) for a linear layer. Batch normalization has `<layer>.bn.weight`,
/// `.bn.bias`, `.bn.running_mean` and `.bn.running_var`.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    names: Vec<String>,
    variables: Vec<Var>,
    layers: Vec<LayerVariables>,
}

/// The kind of a variable, which decides if it is trained and decayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableRole {
    /// Weights: trained, with weight decay.
    Weight,
    /// Biases, and scales and offsets of normalization: trained, without weight decay.
    Offset,
    /// Running statistics of batch normalization: not trained.
    Statistic,
}

impl Model {
    /// Initializes a network's parameters.
    ///
    /// Convolution weights are normal with variance 2 / inputs (He et al., ICCV 2015). Weights and biases of
    /// linear layers are uniform within 1 / sqrt(inputs), as in PyTorch. Scales are 1, and other biases and
    /// offsets 0.
    ///
    /// # Errors
    /// Returns an error if the device is out of memory.
    pub fn new(network: &Network, seed: u64, device: &Device) -> Result<Self, TrainError> {
        let mut model =
            Self { network: network.clone(), names: vec![], variables: vec![], layers: vec![] };
        for (index, layer) in network.layers().iter().enumerate() {
            let mut rng = stream(seed, "weights", index as u64);
            let mut put = |suffix: &str, values: Vec<f32>, shape: &[usize]| {
                let tensor = Tensor::from_vec(values, shape, device)?;
                model.names.push(format!("{}.{suffix}", layer.name));
                model.variables.push(Var::from_tensor(&tensor)?);
                Ok::<usize, TrainError>(model.variables.len() - 1)
            };
            let mut variables = LayerVariables::default();
            let channels = layer.output.channels;
            let mut batch_norm = false;
            match layer.operation {
                Operation::Convolution(c) => {
                    let inputs = layer.input.channels / c.groups;
                    let shape = [channels, inputs, c.kernel, c.kernel];
                    let deviation = (2.0 / (inputs * c.kernel * c.kernel) as f64).sqrt();
                    let count = shape.iter().product();
                    let values =
                        (0..count).map(|_| (normal(&mut rng) * deviation) as f32).collect();
                    variables.weight = Some(put("weight", values, &shape)?);
                    if c.bias {
                        variables.bias = Some(put("bias", vec![0.0; channels], &[channels])?);
                    }
                    batch_norm = c.batch_norm;
                }
                Operation::Linear { features } => {
                    let inputs = layer.input.values() as usize;
                    let bound = 1.0 / (inputs as f32).sqrt();
                    let mut draw = |count: usize| -> Vec<f32> {
                        (0..count).map(|_| rng.random_range(-bound..=bound)).collect()
                    };
                    let (weights, bias) = (draw(features * inputs), draw(features));
                    variables.weight = Some(put("weight", weights, &[features, inputs])?);
                    variables.bias = Some(put("bias", bias, &[features])?);
                }
                Operation::BatchNormActivation(_) => batch_norm = true,
                _ => {}
            }
            if batch_norm {
                let mut fill = |suffix, value| put(suffix, vec![value; channels], &[channels]);
                variables.norm = Some(NormVariables {
                    weight: fill("bn.weight", 1.0)?,
                    bias: fill("bn.bias", 0.0)?,
                    mean: fill("bn.running_mean", 0.0)?,
                    variance: fill("bn.running_var", 1.0)?,
                });
            }
            model.layers.push(variables);
        }
        Ok(model)
    }

    /// The network with its parameters, in the form for an executor.
    pub fn parameters(&self) -> Parameters<'_> {
        Parameters { network: &self.network, variables: &self.variables, layers: &self.layers }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The variables, layer after layer.
    pub fn variables(&self) -> &[Var] {
        &self.variables
    }

    /// The names of the variables, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The indices of each layer's variables.
    pub fn layers(&self) -> &[LayerVariables] {
        &self.layers
    }

    /// The role of a variable, by its index.
    pub fn role(&self, variable: usize) -> VariableRole {
        let name = &self.names[variable];
        if name.contains(".bn.running_") {
            VariableRole::Statistic
        } else if name.ends_with(".bias") || name.ends_with(".bn.weight") {
            VariableRole::Offset
        } else {
            VariableRole::Weight
        }
    }

    /// Writes the variables to a safetensors file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let tensors: HashMap<String, Tensor> = self
            .names
            .iter()
            .cloned()
            .zip(self.variables.iter().map(|variable| variable.as_tensor().clone()))
            .collect();
        candle_core::safetensors::save(&tensors, path)
            .map_err(|source| TrainError::Weights { path: path.into(), reason: source.to_string() })
    }

    /// Reads the variables from a safetensors file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or does not match the network: a name is missing or
    /// unknown, or a shape differs.
    pub fn load(&self, path: &Path) -> Result<(), TrainError> {
        let wrong = |reason: String| TrainError::Weights { path: path.into(), reason };
        let device = self.variables.first().map_or(&Device::Cpu, |variable| variable.device());
        let mut tensors = candle_core::safetensors::load(path, device)
            .map_err(|error| wrong(error.to_string()))?;
        let mut found = Vec::with_capacity(self.variables.len());
        for (name, variable) in self.names.iter().zip(&self.variables) {
            let tensor = tensors
                .remove(name)
                .ok_or_else(|| wrong(format!("it holds no `{name}`, which the network has")))?;
            if tensor.shape() != variable.shape() {
                let (is, takes) = (tensor.shape(), variable.shape());
                return Err(wrong(format!("`{name}` is {is:?}; the network takes {takes:?}")));
            }
            found.push(tensor.to_dtype(DType::F32)?);
        }
        if let Some(name) = tensors.keys().min() {
            return Err(wrong(format!("it holds `{name}`, which the network has not")));
        }
        for (variable, tensor) in self.variables.iter().zip(found) {
            variable.set(&tensor)?;
        }
        Ok(())
    }

    /// Computes the logits of images (batch, channels, rows, columns) with Candle's own operations, on any
    /// device.
    ///
    /// In training, batch normalization uses the batch's statistics and leaves the running ones unchanged.
    ///
    /// # Errors
    /// Returns an error if the images have another shape, or if the device fails.
    pub fn forward(&self, images: &Tensor, training: bool) -> Result<Tensor, TrainError> {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(self.layers.len());
        for (layer, variables) in self.network.layers().iter().zip(&self.layers) {
            let inputs: Vec<&Tensor> = layer.inputs.iter().map(|id| &outputs[id.index()]).collect();
            let output = match layer.operation {
                Operation::Input => images.clone(),
                _ => self.plain_layer(layer, variables, &inputs, training)?,
            };
            outputs.push(output);
        }
        let last = outputs.pop().ok_or_else(|| KernelError::Network("it has no layers".into()))?;
        Ok(last.flatten_from(1)?)
    }

    fn plain_layer(
        &self,
        layer: &Layer,
        variables: &LayerVariables,
        inputs: &[&Tensor],
        training: bool,
    ) -> Result<Tensor, TrainError> {
        let variable = |index: Option<usize>| index.map(|index| self.variables[index].as_tensor());
        let x = inputs[0];
        Ok(match layer.operation {
            Operation::Input => x.clone(),
            Operation::Convolution(c) => {
                let x = activated(x, c.activation_before())?;
                let weight = variable(variables.weight)
                    .ok_or_else(|| KernelError::Network("a convolution has no weights".into()))?;
                let mut y = x.conv2d(weight, c.padding, c.stride, 1, c.groups)?;
                if let Some(bias) = variable(variables.bias) {
                    y = y.broadcast_add(&bias.reshape((1, (), 1, 1))?)?;
                }
                if let Some(norm) = &variables.norm {
                    y = self.normalized(&y, norm, training)?;
                }
                activated(&y, c.activation_after())?
            }
            Operation::BatchNormActivation(activation) => match &variables.norm {
                Some(norm) => activated(&self.normalized(x, norm, training)?, activation)?,
                None => activated(x, activation)?,
            },
            Operation::MaxPool(window) => plain_pool(x, window, layer, true)?,
            Operation::AveragePool(window) => plain_pool(x, window, layer, false)?,
            Operation::GlobalAveragePool => x.mean_keepdim((2, 3))?,
            Operation::Add => {
                let mut sum = x.clone();
                for other in &inputs[1..] {
                    sum = (sum + *other)?;
                }
                sum
            }
            Operation::Concatenate => Tensor::cat(inputs, 1)?,
            Operation::Truncate { channels } => x.narrow(1, 0, channels)?,
            Operation::Linear { features } => {
                let (Some(weight), Some(bias)) =
                    (variable(variables.weight), variable(variables.bias))
                else {
                    return Err(KernelError::Network("a linear layer has no weights".into()).into());
                };
                let rows = x.flatten_from(1)?.matmul(&weight.t()?)?.broadcast_add(bias)?;
                rows.reshape(((), features, 1, 1))?
            }
            Operation::Zero => x.zeros_like()?,
        })
    }

    fn normalized(
        &self,
        x: &Tensor,
        norm: &NormVariables,
        training: bool,
    ) -> Result<Tensor, TrainError> {
        let at = |index: usize| self.variables[index].as_tensor().reshape((1, (), 1, 1));
        let (mean, variance) = if training {
            let mean = x.mean_keepdim((0, 2, 3))?;
            let variance = x.broadcast_sub(&mean)?.sqr()?.mean_keepdim((0, 2, 3))?;
            (mean, variance)
        } else {
            (at(norm.mean)?.detach(), at(norm.variance)?.detach())
        };
        let centered = x.broadcast_sub(&mean)?;
        let scaled = centered.broadcast_div(&(variance + EPSILON)?.sqrt()?)?;
        Ok(scaled.broadcast_mul(&at(norm.weight)?)?.broadcast_add(&at(norm.bias)?)?)
    }
}

/// Pools by slices of the padded image, for which Candle computes correct gradients.
fn plain_pool(
    x: &Tensor,
    window: crate::network::Window,
    layer: &Layer,
    maximum: bool,
) -> Result<Tensor, TrainError> {
    let (height, width) = (layer.output.height, layer.output.width);
    let (rows, columns) = (layer.input.height, layer.input.width);
    // What lies around never counts: it is lower than anything, and adds nothing.
    let around = if maximum { f64::from(f32::MIN) } else { 0.0 };
    let behind = |outputs: usize, size: usize| {
        ((outputs - 1) * window.stride + window.kernel).saturating_sub(size + window.padding)
    };
    let pad = |x: &Tensor, value: f64| -> candle_core::Result<Tensor> {
        let (below, right) = (behind(height, rows), behind(width, columns));
        let zeros = x.pad_with_zeros(2, window.padding, below)?;
        let zeros = zeros.pad_with_zeros(3, window.padding, right)?;
        if value == 0.0 {
            return Ok(zeros);
        }
        let inside = x.ones_like()?.detach();
        let inside = inside.pad_with_zeros(2, window.padding, below)?;
        let inside = inside.pad_with_zeros(3, window.padding, right)?;
        zeros + inside.affine(-value, value)?
    };
    let padded = pad(x, around)?;
    let slices = |padded: &Tensor| -> candle_core::Result<Vec<Tensor>> {
        let reach = |outputs: usize| (outputs - 1) * window.stride + 1;
        let mut slices = Vec::with_capacity(window.kernel * window.kernel);
        for row in 0..window.kernel {
            for column in 0..window.kernel {
                let mut slice = padded.narrow(2, row, reach(height))?;
                slice = slice.narrow(3, column, reach(width))?;
                if window.stride > 1 {
                    let index = |count: usize| {
                        let steps = (0..count).map(|i| (i * window.stride) as u32).collect();
                        Tensor::from_vec(steps, count, x.device())
                    };
                    slice = slice.contiguous()?.index_select(&index(height)?, 2)?;
                    slice = slice.contiguous()?.index_select(&index(width)?, 3)?;
                }
                slices.push(slice);
            }
        }
        Ok(slices)
    };
    let slices_of_x = slices(&padded)?;
    if maximum {
        // The first of equal values is chosen, one after another: Candle's own maximum splits ties.
        let mut slices = slices_of_x.into_iter();
        let mut best =
            slices.next().ok_or_else(|| KernelError::Network("an empty window".into()))?;
        for slice in slices {
            let larger = slice.gt(&best)?;
            best = larger.where_cond(&slice.contiguous()?, &best.contiguous()?)?;
        }
        return Ok(best);
    }
    let counts = total(slices(&pad(&x.ones_like()?.detach(), 0.0)?)?)?;
    Ok(total(slices_of_x)?.div(&counts)?)
}

fn total(tensors: Vec<Tensor>) -> Result<Tensor, TrainError> {
    let mut tensors = tensors.into_iter();
    let mut sum = tensors.next().ok_or_else(|| KernelError::Network("an empty window".into()))?;
    for tensor in tensors {
        sum = (sum + tensor)?;
    }
    Ok(sum)
}

/// Draws a standard normal number (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
impl Model {
    /// The same parameters in another precision.
    pub fn to_dtype(&self, dtype: DType) -> Self {
        let convert =
            |variable: &Var| Var::from_tensor(&variable.to_dtype(dtype).unwrap()).unwrap();
        Self { variables: self.variables.iter().map(convert).collect(), ..self.clone() }
    }
}
