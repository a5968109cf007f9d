//! Coefficients of batch normalization, from sums over the images in a fixed order.

use candle_core::Var;

use super::memory::Memory;
use super::variables::{change_values, with_values};
use crate::parameters::{EPSILON, LayerVariables, Parameters};
use crate::plan::OutputPart;

/// Sums both halves of the sums of each image over the images; `sums` has twice the channels for each image.
fn totals(sums: &[f32], channels: usize, images: usize) -> (Vec<f64>, Vec<f64>) {
    let mut totals = vec![0.0; 2 * channels];
    for image in sums.chunks_exact(2 * channels).take(images) {
        for (total, &sum) in totals.iter_mut().zip(image) {
            *total += f64::from(sum);
        }
    }
    let second = totals.split_off(channels);
    (totals, second)
}

/// Computes a part's scale and offset in training, from the sums of `z` and of its squares, and updates the
/// running statistics: `momentum` times this step's mean and unbiased variance plus `1 - momentum` times the
/// old ones.
pub fn batch_statistics(
    memory: &mut Memory,
    parameters: &Parameters<'_>,
    part: &OutputPart,
    (sums_at, images): (usize, usize),
    momentum: f64,
) -> candle_core::Result<()> {
    let variables = parameters.layers[part.layer];
    let Some(norm) = variables.norm else { return plain(memory, parameters, part, &variables) };
    let channels = part.z.channels;
    let (sum, squares) = totals(&memory.sums.values()[sums_at..], channels, images);
    let count = (images * part.z.height * part.z.width) as f64;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
    let variance: Vec<f64> =
        squares.iter().zip(&mean).map(|(s, mean)| (s / count - mean * mean).max(0.0)).collect();
    let variable = |index: usize| &parameters.variables[index];
    scale_and_offset(memory, part, &mean, &variance, variable(norm.weight), variable(norm.bias))?;
    let unbiased = count / (count - 1.0).max(1.0);
    change_values(variable(norm.mean), |running| blend(running, &mean, 1.0, momentum))?;
    change_values(variable(norm.variance), |running| blend(running, &variance, unbiased, momentum))
}

fn blend(running: &mut [f32], values: &[f64], factor: f64, momentum: f64) {
    for (running, value) in running.iter_mut().zip(values) {
        let old = f64::from(*running);
        *running = (old + momentum * (value * factor - old)) as f32;
    }
}

/// Computes a part's scale and offset in evaluation, from the running statistics.
pub fn running_statistics(
    memory: &mut Memory,
    parameters: &Parameters<'_>,
    part: &OutputPart,
) -> candle_core::Result<()> {
    let variables = parameters.layers[part.layer];
    let Some(norm) = variables.norm else { return plain(memory, parameters, part, &variables) };
    let variable = |index: usize| &parameters.variables[index];
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let mean = with_values(variable(norm.mean), wide)?;
    let variance = with_values(variable(norm.variance), wide)?;
    scale_and_offset(memory, part, &mean, &variance, variable(norm.weight), variable(norm.bias))
}

fn scale_and_offset(
    memory: &mut Memory,
    part: &OutputPart,
    mean: &[f64],
    variance: &[f64],
    weight: &Var,
    bias: &Var,
) -> candle_core::Result<()> {
    let first = part.coefficients;
    with_values(weight, |weight| {
        with_values(bias, |bias| {
            for channel in 0..part.z.channels {
                let deviation = 1.0 / (variance[channel] + EPSILON).sqrt();
                let scale = f64::from(weight[channel]) * deviation;
                memory.mean[first + channel] = mean[channel];
                memory.deviation[first + channel] = deviation;
                memory.scale[first + channel] = scale as f32;
                memory.offset[first + channel] =
                    (f64::from(bias[channel]) - mean[channel] * scale) as f32;
            }
        })
    })?
}

/// Sets the coefficients of a part without normalization: a scale of 1, and the bias, if any, as the offset.
fn plain(
    memory: &mut Memory,
    parameters: &Parameters<'_>,
    part: &OutputPart,
    variables: &LayerVariables,
) -> candle_core::Result<()> {
    let range = part.coefficients..part.coefficients + part.z.channels;
    memory.scale[range.clone()].fill(1.0);
    match variables.bias {
        None => memory.offset[range].fill(0.0),
        Some(bias) => with_values(&parameters.variables[bias], |bias| {
            memory.offset[range].copy_from_slice(bias);
        })?,
    }
    Ok(())
}

/// Computes the gradients of a part's normalization or bias, and the slope and constant of its values'
/// gradient.
///
/// With g the gradient of the normalization's output, m the number of values of a channel, and z^ = (z -
/// mean) deviation: dbias = sum g, dweight = sum g z^, dz = scale (g - dbias / m - z^ dweight / m) (Ioffe and
/// Szegedy, ICML 2015, section 3).
pub fn batch_gradients(
    memory: &mut Memory,
    parameters: &Parameters<'_>,
    part: &OutputPart,
    (sums_at, images): (usize, usize),
    gradients: &mut [Vec<f32>],
) {
    let variables = parameters.layers[part.layer];
    let channels = part.z.channels;
    let (sum, products) = totals(&memory.sums.values()[sums_at..], channels, images);
    if let Some(bias) = variables.bias {
        for (gradient, sum) in gradients[bias].iter_mut().zip(&sum) {
            *gradient = *sum as f32;
        }
    }
    let Some(norm) = variables.norm else { return };
    let count = (images * part.z.height * part.z.width) as f64;
    for channel in 0..channels {
        let at = part.coefficients + channel;
        let (mean, deviation) = (memory.mean[at], memory.deviation[at]);
        let weight = (products[channel] - mean * sum[channel]) * deviation;
        gradients[norm.weight][channel] = weight as f32;
        gradients[norm.bias][channel] = sum[channel] as f32;
        let scale = f64::from(memory.scale[at]);
        memory.slope[at] = (-scale * deviation * weight / count) as f32;
        memory.constant[at] = (scale * (mean * deviation * weight - sum[channel]) / count) as f32;
    }
}
