//! The LSTM cell over a sequence, forwards and backwards, as one operation of the tensor library.
//!
//! With the previous output `h` and memory `c` (both zero at first), a step computes
//! `(i, f, g, o) = x + h W` and from them `c' = sigmoid(f) c + sigmoid(i) tanh(g)` and
//! `h' = sigmoid(o) tanh(c')` (S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997, with
//! the forget gate of F. Gers et al., 2000). `x` is the row of a table that the input stands for:
//! what it adds to the four gates, biases included.
//!
//! The time of an update is that of the many small operations of a step, so the sequence is one
//! operation. It uses nothing but products of matrices below the size at which the library shares
//! one among threads, as long as `rows * 4 * hidden^2` is below it, and the basic arithmetic of
//! IEEE 754 in a fixed order.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// The number of gates: input, forget, candidate, output, in this order.
pub const GATES: usize = 4;

/// The multiplications of one product in the gradient of `W`.
const PRODUCT_SIZE: usize = 500_000;

/// The outputs `[T, R, H]` of the cell over a sequence.
///
/// `rows [T * R]` are the rows of `table [N, 4 H]` that are read, the `R` of the first step first;
/// `w` is `[H, 4 H]`.
///
/// # Errors
/// If the shapes do not fit each other or a row does not exist.
pub fn outputs(table: &Tensor, w: &Tensor, rows: &[u32], steps: usize) -> Result<Tensor> {
    let sequence = Sequence { rows: rows.to_vec(), steps, trace: Mutex::default() };
    table.contiguous()?.apply_op2(&w.contiguous()?, sequence)
}

/// The cell between two steps, for several rows at once.
pub struct Cell {
    hidden: usize,
    last: Step,
}

/// The values of a step, `[R, H]` each: what the gates, the memory and its function came to.
#[derive(Clone)]
struct Step {
    input: Vec<f32>,
    forget: Vec<f32>,
    candidate: Vec<f32>,
    gate: Vec<f32>,
    memory: Vec<f32>,
    squashed: Vec<f32>,
    output: Vec<f32>,
}

impl Cell {
    /// The state before the first step: zeros.
    pub fn new(rows: usize, hidden: usize) -> Self {
        let zeros = || vec![0.0; rows * hidden];
        let last = Step {
            input: zeros(),
            forget: zeros(),
            candidate: zeros(),
            gate: zeros(),
            memory: zeros(),
            squashed: zeros(),
            output: zeros(),
        };
        Self { hidden, last }
    }

    /// The output `[R, H]` of the last step, row by row.
    pub fn last_output(&self) -> &[f32] {
        &self.last.output
    }

    /// The output `[R, H]` of the last step.
    pub fn output(&self) -> Result<Tensor> {
        let rows = self.last.output.len() / self.hidden;
        Tensor::from_slice(&self.last.output, (rows, self.hidden), &Device::Cpu)
    }

    /// Makes a step: `rows` are the rows of `table` that are read, and `h_w` is, but for the first
    /// step, the product of the last output and `W`.
    pub fn step(
        &mut self,
        table: &[f32],
        rows: impl Iterator<Item = usize>,
        h_w: Option<&Tensor>,
    ) -> Result<()> {
        let gates = GATES * self.hidden;
        let mut sums = Vec::with_capacity(self.last.output.len() * GATES);
        for row in rows {
            match table.get(row * gates..(row + 1) * gates) {
                Some(values) => sums.extend_from_slice(values),
                None => bail!("the cell's table has no row {row}"),
            }
        }
        if sums.len() != GATES * self.last.output.len() {
            bail!("the cell has {} rows", self.last.output.len() / self.hidden);
        }
        if let Some(h_w) = h_w {
            add_to(&mut sums, h_w)?;
        }
        self.last.advance(&sums, self.hidden);
        Ok(())
    }
}

impl Step {
    /// Computes the step after this one from the sums of its gates, `[R, 4 H]`.
    fn advance(&mut self, sums: &[f32], hidden: usize) {
        for (row, sums) in sums.chunks_exact(GATES * hidden).enumerate() {
            let at = row * hidden..(row + 1) * hidden;
            let (input, rest) = sums.split_at(hidden);
            let (forget, rest) = rest.split_at(hidden);
            let (candidate, gate) = rest.split_at(hidden);
            map(input, &mut self.input[at.clone()], sigmoid);
            map(forget, &mut self.forget[at.clone()], sigmoid);
            map(candidate, &mut self.candidate[at.clone()], tanh);
            map(gate, &mut self.gate[at], sigmoid);
        }
        let added = self.input.iter().zip(&self.candidate);
        for ((memory, forget), (input, candidate)) in
            self.memory.iter_mut().zip(&self.forget).zip(added)
        {
            *memory = forget * *memory + input * candidate;
        }
        map(&self.memory, &mut self.squashed, tanh);
        for ((output, gate), squashed) in self.output.iter_mut().zip(&self.gate).zip(&self.squashed)
        {
            *output = gate * squashed;
        }
    }

    /// Computes the gradient of the step's sums, `[R, 4 H]`, from that of its output.
    ///
    /// `d_memory` has the gradient that reaches the step's memory from the next step, and leaves
    /// with the one that reaches the memory before the step, `before`.
    fn retreat(
        &self,
        before: Option<&[f32]>,
        d_output: &[f32],
        d_memory: &mut [f32],
        hidden: usize,
        d_sums: &mut [f32],
    ) {
        for (row, d_sums) in d_sums.chunks_exact_mut(GATES * hidden).enumerate() {
            let (d_input, rest) = d_sums.split_at_mut(hidden);
            let (d_forget, rest) = rest.split_at_mut(hidden);
            let (d_candidate, d_gate) = rest.split_at_mut(hidden);
            for unit in 0..hidden {
                let at = row * hidden + unit;
                let (input, forget) = (self.input[at], self.forget[at]);
                let (candidate, gate) = (self.candidate[at], self.gate[at]);
                let squashed = self.squashed[at];
                let before = before.map_or(0.0, |before| before[at]);
                let d = d_memory[at] + d_output[at] * gate * (1.0 - squashed * squashed);
                d_input[unit] = d * candidate * input * (1.0 - input);
                d_forget[unit] = d * before * forget * (1.0 - forget);
                d_candidate[unit] = d * input * (1.0 - candidate * candidate);
                d_gate[unit] = d_output[at] * squashed * gate * (1.0 - gate);
                d_memory[at] = d * forget;
            }
        }
    }
}

fn map(from: &[f32], to: &mut [f32], function: impl Fn(f32) -> f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = function(*from);
    }
}

/// The hyperbolic tangent, to an absolute error of 2e-7.
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// The logistic function, to an absolute error of 2e-7.
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The exponential function for arguments within 80 of zero, beyond which it stays what it is
/// there; to a relative error of 3e-7.
///
/// `e^x = 2^k e^r` with a whole `k` and `|r| <= ln 2 / 2`, for which the Taylor polynomial of
/// degree 6 is exact to 1.3e-7. Without branches and calls the compiler computes several at once;
/// the standard library's function takes most of an update's time.
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
    const ROUNDER: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few bits, so that its multiples are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -0.000_212_194_44;
    let x = x.clamp(-80.0, 80.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let k = rounded - ROUNDER;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    let power = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127) << 23;
    series * f32::from_bits(power)
}

/// Adds the values of a contiguous tensor.
fn add_to(sums: &mut [f32], tensor: &Tensor) -> Result<()> {
    with_values(tensor, |values| {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    })
}

/// Lends the values of a contiguous tensor.
pub fn with_values<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(read(values(storage, layout)?)),
        _ => bail!("the policy's tensors are not on the processor"),
    }
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the policy's tensors are not contiguous"),
    }
}

/// The LSTM over a sequence, `(table [N, 4 H], W [H, 4 H]) -> [T, R, H]`.
struct Sequence {
    rows: Vec<u32>,
    steps: usize,
    /// The values of all steps, left by the way forwards for the way back.
    trace: Mutex<Vec<Step>>,
}

impl Sequence {
    /// The rows of the table that a step reads.
    fn rows_of(&self, step: usize) -> impl Iterator<Item = usize> {
        let rows = self.rows.len() / self.steps;
        self.rows[step * rows..(step + 1) * rows].iter().map(|&row| row as usize)
    }
}

impl CustomOp2 for Sequence {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn cpu_fwd(
        &self,
        table: &CpuStorage,
        table_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, gates) = table_layout.shape().dims2()?;
        let (hidden, columns) = w_layout.shape().dims2()?;
        if gates != columns || gates != GATES * hidden || hidden == 0 {
            bail!("the shapes {:?} and {:?} do not fit", table_layout.shape(), w_layout.shape());
        }
        if self.steps == 0 || self.rows.is_empty() || !self.rows.len().is_multiple_of(self.steps) {
            bail!("{} rows are no sequence of {} steps", self.rows.len(), self.steps);
        }
        let table = values(table, table_layout)?;
        let w = Tensor::from_slice(values(w, w_layout)?, (hidden, gates), &Device::Cpu)?;
        let rows = self.rows.len() / self.steps;
        let mut cell = Cell::new(rows, hidden);
        let mut trace = Vec::with_capacity(self.steps);
        let mut outputs = Vec::with_capacity(self.rows.len() * hidden);
        for step in 0..self.steps {
            let h_w = if step > 0 { Some(cell.output()?.matmul(&w)?) } else { None };
            cell.step(table, self.rows_of(step), h_w.as_ref())?;
            outputs.extend_from_slice(&cell.last.output);
            trace.push(cell.last.clone());
        }
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner) = trace;
        Ok((CpuStorage::F32(outputs), Shape::from((self.steps, rows, hidden))))
    }

    fn bwd(
        &self,
        table: &Tensor,
        w: &Tensor,
        outputs: &Tensor,
        d_outputs: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        let (steps, rows, hidden) = outputs.dims3()?;
        let (gates, size) = (GATES * hidden, rows * hidden);
        let transposed = w.t()?;
        let mut d_outputs = d_outputs.flatten_all()?.to_vec1::<f32>()?;
        let mut d_memory = vec![0.0; size];
        let mut d_table = vec![0.0; table.elem_count()];
        let mut d_sums = vec![0.0; steps * rows * gates];
        for (step, values) in trace.iter().enumerate().rev() {
            let d_sums = &mut d_sums[step * rows * gates..(step + 1) * rows * gates];
            let before = step.checked_sub(1).map(|before| trace[before].memory.as_slice());
            let (earlier, d_output) = d_outputs.split_at_mut(step * size);
            values.retreat(before, d_output, &mut d_memory, hidden, d_sums);
            for (row, d_sums) in self.rows_of(step).zip(d_sums.chunks_exact(gates)) {
                let d_row = &mut d_table[row * gates..(row + 1) * gates];
                d_row.iter_mut().zip(d_sums).for_each(|(d_row, d_sum)| *d_row += d_sum);
            }
            if step > 0 {
                let d_sums = Tensor::from_slice(&*d_sums, (rows, gates), &Device::Cpu)?;
                add_to(&mut earlier[(step - 1) * size..], &d_sums.matmul(&transposed)?)?;
            }
        }
        let mut d_w = vec![0.0; hidden * gates];
        let after = (steps - 1) * rows;
        if after > 0 {
            let h = outputs.reshape((steps * rows, hidden))?.narrow(0, 0, after)?.t()?;
            let d_sums = Tensor::from_vec(d_sums, (steps * rows, gates), &Device::Cpu)?;
            let d_sums = d_sums.narrow(0, rows, after)?;
            let most = (PRODUCT_SIZE / (hidden * gates)).max(1);
            for first in (0..after).step_by(most) {
                let count = most.min(after - first);
                let product =
                    h.narrow(1, first, count)?.matmul(&d_sums.narrow(0, first, count)?)?;
                add_to(&mut d_w, &product)?;
            }
        }
        Ok((
            Some(Tensor::from_vec(d_table, table.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(d_w, w.shape(), &Device::Cpu)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    /// The same from the library's basic operations.
    fn from_basic_operations(table: &Tensor, w: &Tensor, rows: &[u32], steps: usize) -> Tensor {
        let hidden = w.dim(0).unwrap();
        let per_step = rows.len() / steps;
        let mut h = Tensor::zeros((per_step, hidden), table.dtype(), table.device()).unwrap();
        let mut c = h.clone();
        let mut outputs = Vec::new();
        for rows in rows.chunks(per_step) {
            let rows = Tensor::from_slice(rows, per_step, &Device::Cpu).unwrap();
            let x = table.index_select(&rows, 0).unwrap();
            let sums = (x + h.matmul(w).unwrap()).unwrap();
            let gate = |index: usize| sums.narrow(1, index * hidden, hidden).unwrap();
            let sigmoid =
                |x: Tensor| x.neg().unwrap().exp().unwrap().affine(1.0, 1.0).unwrap().recip();
            let kept = (sigmoid(gate(1)).unwrap() * &c).unwrap();
            let added = (sigmoid(gate(0)).unwrap() * gate(2).tanh().unwrap()).unwrap();
            c = (kept + added).unwrap();
            h = (sigmoid(gate(3)).unwrap() * c.tanh().unwrap()).unwrap();
            outputs.push(h.clone());
        }
        Tensor::stack(&outputs, 0).unwrap()
    }

    fn tensor(dims: &[usize], phase: f32) -> Tensor {
        let values: Vec<f32> =
            (0..dims.iter().product()).map(|k| (k as f32 * 1.7 + phase).sin() * 1.5).collect();
        Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
    }

    fn assert_near(a: &Tensor, b: &Tensor) {
        let largest = a.sub(b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        let largest = largest.to_scalar::<f32>().unwrap();
        assert!(largest < 2e-5, "{largest}");
    }

    #[test]
    fn outputs_and_gradients_are_those_of_the_basic_operations() {
        for (steps, rows, hidden) in [(1, 2, 3), (5, 3, 4), (9, 1, 8), (11, 13, 32)] {
            let table = Var::from_tensor(&tensor(&[7, 4 * hidden], 0.0)).unwrap();
            let w = Var::from_tensor(&(tensor(&[hidden, 4 * hidden], 0.5) / 2.0).unwrap()).unwrap();
            let read: Vec<u32> = (0..steps * rows).map(|k| (k * k % 7) as u32).collect();
            let ours = outputs(&table, &w, &read, steps).unwrap();
            let basic = from_basic_operations(&table, &w, &read, steps);
            assert_near(&ours, &basic);

            let weights = tensor(&[steps, rows, hidden], 0.9);
            let gradients = |outputs: &Tensor| {
                outputs.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap()
            };
            let (ours, basic) = (gradients(&ours), gradients(&basic));
            assert_near(ours.get(&table).unwrap(), basic.get(&table).unwrap());
            assert_near(ours.get(&w).unwrap(), basic.get(&w).unwrap());
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let (table, w) = (tensor(&[3, 8], 0.0), tensor(&[2, 8], 0.0));
        assert!(outputs(&table, &w, &[0, 1, 2, 0], 2).is_ok());
        assert!(outputs(&table, &w, &[0, 1, 3, 0], 2).is_err());
        assert!(outputs(&table, &w, &[0, 1, 2], 2).is_err());
        assert!(outputs(&table, &w, &[], 0).is_err());
        assert!(outputs(&table, &tensor(&[3, 8], 0.0), &[0, 1], 2).is_err());
    }

    #[test]
    fn the_functions_are_accurate_and_bounded() {
        for k in -16_000..=16_000 {
            let x = k as f32 * 0.005;
            let relative = f64::from(exp(x)) / f64::from(x).exp() - 1.0;
            assert!(relative.abs() < 3e-7, "{x}: {relative}");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7, "{x}");
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x)) - exact).abs() < 2e-7, "{x}");
            assert!(tanh(x).abs() <= 1.0 && (0.0..=1.0).contains(&sigmoid(x)));
        }
        for x in [f32::INFINITY, f32::MAX, 1e10, 50.0] {
            assert_eq!((tanh(x), tanh(-x)), (1.0, -1.0));
        }
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }
}
