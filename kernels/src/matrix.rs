//! Memory as the kernels want it: aligned buffers, and weight matrices cut into panels of columns.

use std::ops::{Deref, DerefMut};

use super::lanes::LANES;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// f32 in whole cache lines, aligned to them, zero at first.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// At least `len` zeros.
    pub fn zeros(len: usize) -> Buffer {
        Buffer { lines: vec![Line([0.0; LANES]); len.div_ceil(LANES)] }
    }

    /// Makes room for at least `len` floats; what it held is not kept in any order.
    pub fn reserve(&mut self, len: usize) {
        let lines = len.div_ceil(LANES);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0.0; LANES]));
        }
    }

    /// `values`, then zeros up to `len`.
    pub fn padded(values: &[f32], len: usize) -> Buffer {
        let mut buffer = Buffer::zeros(len);
        buffer[..values.len()].copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let len = self.lines.len() * LANES;
        // SAFETY: a `Line` is exactly sixteen f32 without padding, so the lines are `len` f32 in a row.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = self.lines.len() * LANES;
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }
}

/// `n` rounded up to whole vectors.
pub fn round_up(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// The weights of a linear layer, [inputs × outputs], in panels of consecutive outputs. A panel holds its columns for
/// input 0, then for input 1, and so on (in pairs of inputs for integer weights), so that a tile of the product reads it
/// from front to back. The last panel may be narrower. Outputs and inputs are padded with zeros to whole vectors.
pub struct Matrix<V = Buffer> {
    /// The weights in the order of [`Shape::visit`].
    pub values: V,
    /// One value per output.
    pub bias: Buffer,
    /// How the weights lie.
    pub shape: Shape,
}

/// The padded size of a matrix and its panels.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Inputs, padded.
    pub inputs: usize,
    /// Outputs, padded.
    pub outputs: usize,
    /// Columns in every panel but the last.
    pub panel: usize,
}

impl Shape {
    /// Pads the sizes.
    pub fn new([outputs, inputs]: [usize; 2], panel: usize) -> Shape {
        Shape { inputs: round_up(inputs), outputs: round_up(outputs), panel }
    }

    /// Columns of the panel that begins at column `first`.
    pub fn width(&self, first: usize) -> usize {
        self.panel.min(self.outputs - first)
    }

    /// Calls `visit(output, input)` for all weights in the order in which they lie; `group` inputs of a column stand
    /// together.
    pub fn visit(&self, group: usize, mut visit: impl FnMut(usize, usize)) {
        for first in (0..self.outputs).step_by(self.panel) {
            for input in (0..self.inputs).step_by(group) {
                for output in first..first + self.width(first) {
                    for input in input..input + group {
                        visit(output, input);
                    }
                }
            }
        }
    }

    /// The bias of all padded outputs.
    pub fn bias(&self, bias: impl Fn(usize) -> f32) -> Buffer {
        let bias: Vec<f32> = (0..self.outputs).map(bias).collect();
        Buffer::padded(&bias, self.outputs)
    }
}

impl Matrix {
    /// Packs `weight(output, input)` and `bias(output)`, asked for padded positions too, in panels of
    /// [`Level::panel`](crate::Level::panel) columns; `sizes` is outputs, inputs.
    pub fn pack(
        sizes: [usize; 2],
        panel: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix {
        let shape = Shape::new(sizes, panel);
        let mut values = Buffer::zeros(shape.outputs * shape.inputs);
        let mut next = 0;
        shape.visit(1, |output, input| {
            values.lines[next / LANES].0[next % LANES] = weight(output, input);
            next += 1;
        });
        Matrix { values, bias: shape.bias(bias), shape }
    }

    /// The panel that begins at column `first`, from input `input` on.
    pub fn panel_at(&self, first: usize, input: usize) -> &[f32] {
        let width = self.shape.width(first);
        let begin = first * self.shape.inputs + input * width;
        let end = (first + width) * self.shape.inputs;
        &self.values[begin..end]
    }
}
