//! The LSTM cell over a sequence, forward and backward.
//!
//! With the previous output `h` and memory `c` (both zero at first), a step computes `(i, f, g, o) = x + h W`
//! and from them `c' = sigmoid(f) c + sigmoid(i) tanh(g)` and `h' = sigmoid(o) tanh(c')` (S. Hochreiter, J.
//! Schmidhuber, "Long Short-Term Memory", 1997, with the forget gate of F. Gers et al., 2000). `x` is the
//! table row of the input: its contribution to the four gates, biases included.

use tandem_kernels::deterministic_math::{Strided, add, add_product, sigmoids, tanhs};

/// The number of gates: input, forget, candidate, output, in this order.
pub const GATES: usize = 4;

/// The weights of a cell.
#[derive(Clone, Copy)]
pub struct CellWeights<'a> {
    /// The contribution of each input to the gates, `[N, 4 H]`.
    pub table: &'a [f32],
    /// The weights of the last output, `[H, 4 H]`.
    pub recurrent: &'a [f32],
    /// The cell's width `H`.
    pub hidden: usize,
}

/// The state of a cell between two steps, for several rows at once.
pub struct LstmCell {
    last: Step,
    started: bool,
}

/// The values of a step, `[R, H]` each: the gates, the memory, its tanh, and the output.
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

impl LstmCell {
    /// Creates the state before the first step: zeros.
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
        Self { last, started: false }
    }

    /// The output `[R, H]` of the last step, row by row.
    pub fn output(&self) -> &[f32] {
        &self.last.output
    }

    /// Makes a step: `inputs` gives the table row that each of the `R` rows reads.
    pub fn step(&mut self, weights: CellWeights<'_>, inputs: impl Iterator<Item = usize>) {
        let gates = GATES * weights.hidden;
        let mut sums = Vec::with_capacity(self.last.output.len() * GATES);
        for input in inputs {
            sums.extend_from_slice(&weights.table[input * gates..(input + 1) * gates]);
        }
        if self.started {
            let h = Strided { values: &self.last.output, row: weights.hidden, column: 1 };
            add_product(&mut sums, h, weights.recurrent, gates);
        }
        self.last.advance(&sums, weights.hidden);
        self.started = true;
    }
}

impl Step {
    /// Advances to the next step, given the sums of its gates, `[R, 4 H]`.
    fn advance(&mut self, sums: &[f32], hidden: usize) {
        for (row, sums) in sums.chunks_exact(GATES * hidden).enumerate() {
            let at = row * hidden..(row + 1) * hidden;
            let (input, rest) = sums.split_at(hidden);
            let (forget, rest) = rest.split_at(hidden);
            let (candidate, gate) = rest.split_at(hidden);
            sigmoids(input, &mut self.input[at.clone()]);
            sigmoids(forget, &mut self.forget[at.clone()]);
            tanhs(candidate, &mut self.candidate[at.clone()]);
            sigmoids(gate, &mut self.gate[at]);
        }
        let added = self.input.iter().zip(&self.candidate);
        for ((memory, forget), (input, candidate)) in
            self.memory.iter_mut().zip(&self.forget).zip(added)
        {
            *memory = forget * *memory + input * candidate;
        }
        tanhs(&self.memory, &mut self.squashed);
        for ((output, gate), squashed) in self.output.iter_mut().zip(&self.gate).zip(&self.squashed)
        {
            *output = gate * squashed;
        }
    }

    /// Computes the gradient of the step's sums, `[R, 4 H]`, from that of its output.
    ///
    /// `d_memory` enters with the gradient that reaches the step's memory from the next step, and leaves with
    /// the one that reaches `before`, the memory before the step.
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

/// The cell over a sequence, with the values of all steps for the backward pass.
pub struct Sequence<'a> {
    weights: CellWeights<'a>,
    /// The table row that each step of each row reads, `[T, R]`.
    inputs: Vec<usize>,
    steps: Vec<Step>,
}

impl<'a> Sequence<'a> {
    /// Runs the cell over the table rows in `inputs`, which has `rows` of them for each step.
    pub fn run(weights: CellWeights<'a>, inputs: Vec<usize>, rows: usize) -> Self {
        let mut cell = LstmCell::new(rows, weights.hidden);
        let steps = inputs
            .chunks_exact(rows)
            .map(|inputs| {
                cell.step(weights, inputs.iter().copied());
                cell.last.clone()
            })
            .collect();
        Self { weights, inputs, steps }
    }

    /// The output `[R, H]` of a step, row by row.
    pub fn output(&self, step: usize) -> &[f32] {
        &self.steps[step].output
    }

    /// The gradients of the table and of the recurrent weights, given those of the outputs,
    /// `[T, R, H]`.
    pub fn gradients(&self, mut d_outputs: Vec<f32>) -> (Vec<f32>, Vec<f32>) {
        let CellWeights { table, recurrent, hidden } = self.weights;
        let gates = GATES * hidden;
        let rows = self.inputs.len() / self.steps.len();
        let size = rows * hidden;
        let transposed = transpose(recurrent, gates);
        let mut d_table = vec![0.0; table.len()];
        let mut d_recurrent = vec![0.0; recurrent.len()];
        let mut d_memory = vec![0.0; size];
        let mut d_sums = vec![0.0; rows * gates];
        for (step, values) in self.steps.iter().enumerate().rev() {
            let before = step.checked_sub(1).map(|before| &self.steps[before]);
            let (earlier, d_output) = d_outputs.split_at_mut(step * size);
            let memory = before.map(|before| before.memory.as_slice());
            values.retreat(memory, &d_output[..size], &mut d_memory, hidden, &mut d_sums);
            let inputs = &self.inputs[step * rows..(step + 1) * rows];
            for (&input, d_sums) in inputs.iter().zip(d_sums.chunks_exact(gates)) {
                add(&mut d_table[input * gates..(input + 1) * gates], d_sums);
            }
            if let Some(before) = before {
                let d_output = &mut earlier[(step - 1) * size..];
                let d_sums_by_row = Strided { values: &d_sums, row: gates, column: 1 };
                add_product(d_output, d_sums_by_row, &transposed, hidden);
                let h_by_unit = Strided { values: &before.output, row: 1, column: hidden };
                add_product(&mut d_recurrent, h_by_unit, &d_sums, gates);
            }
        }
        (d_table, d_recurrent)
    }
}

/// Transposes a matrix with `columns` columns.
fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut transposed = vec![0.0; matrix.len()];
    for (row, values) in matrix.chunks_exact(columns).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            transposed[column * rows + row] = value;
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor, Var};

    use super::*;

    /// The same from Candle's basic operations, in double precision.
    fn from_basic_operations(table: &Tensor, w: &Tensor, inputs: &[u32], rows: usize) -> Tensor {
        let hidden = w.dim(0).unwrap();
        let mut h = Tensor::zeros((rows, hidden), table.dtype(), table.device()).unwrap();
        let mut c = h.clone();
        let mut outputs = Vec::new();
        for inputs in inputs.chunks(rows) {
            let inputs = Tensor::from_slice(inputs, rows, &Device::Cpu).unwrap();
            let x = table.index_select(&inputs, 0).unwrap();
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

    fn numbers(count: usize, phase: f32, range: f32) -> Vec<f32> {
        (0..count).map(|k| (k as f32 * 1.7 + phase).sin() * range).collect()
    }

    fn tensor(values: &[f32], dims: &[usize]) -> Tensor {
        Tensor::from_slice(values, dims, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap()
    }

    fn assert_near(ours: &[f32], expected: &Tensor) {
        let expected = expected.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(ours.len(), expected.len());
        for (&ours, expected) in ours.iter().zip(expected) {
            let off = (f64::from(ours) - expected).abs();
            assert!(off < 1e-5 * expected.abs().max(1.0), "{ours}, expected {expected}");
        }
    }

    #[test]
    fn outputs_and_gradients_are_those_of_the_basic_operations() {
        for (steps, rows, hidden) in [(1, 2, 3), (5, 3, 4), (9, 1, 8), (11, 13, 32), (3, 5, 37)] {
            let gates = 4 * hidden;
            let table = numbers(7 * gates, 0.0, 1.5);
            let recurrent = numbers(hidden * gates, 0.5, 0.75);
            let inputs: Vec<usize> = (0..steps * rows).map(|k| k * k % 7).collect();
            let weights = CellWeights { table: &table, recurrent: &recurrent, hidden };
            let sequence = Sequence::run(weights, inputs.clone(), rows);
            let outputs: Vec<f32> =
                (0..steps).flat_map(|step| sequence.output(step).to_vec()).collect();

            let table = Var::from_tensor(&tensor(&table, &[7, gates])).unwrap();
            let w = Var::from_tensor(&tensor(&recurrent, &[hidden, gates])).unwrap();
            let inputs: Vec<u32> = inputs.into_iter().map(|input| input as u32).collect();
            let expected = from_basic_operations(&table, &w, &inputs, rows);
            assert_near(&outputs, &expected);

            let d_outputs = numbers(steps * rows * hidden, 0.9, 1.5);
            let scaled = expected.mul(&tensor(&d_outputs, &[steps, rows, hidden])).unwrap();
            let expected = scaled.sum_all().unwrap().backward().unwrap();
            let (d_table, d_recurrent) = sequence.gradients(d_outputs);
            assert_near(&d_table, expected.get(&table).unwrap());
            assert_near(&d_recurrent, expected.get(&w).unwrap());
        }
    }
}
