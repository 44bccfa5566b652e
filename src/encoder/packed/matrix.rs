//! Memory as the kernels want it: aligned buffers, and weight matrices cut into panels of columns.

use std::ops::{Deref, DerefMut};

use super::lanes::LANES;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// f32 in whole cache lines, aligned to them, zero at first.
#[derive(Clone, Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// At least `len` zeros.
    pub fn zeros(len: usize) -> Buffer {
        Buffer {
            lines: vec![Line([0.0; LANES]); len.div_ceil(LANES)],
        }
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
pub(crate) fn round_up(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// The weights of a linear layer, [inputs × outputs], in panels of consecutive outputs. A panel holds its columns for
/// input 0, then for input 1, and so on, so that a tile of the product reads it from front to back. The last panel
/// may be narrower. Outputs and inputs are padded with zeros to whole vectors.
pub(crate) struct Matrix {
    values: Buffer,
    /// One value per output.
    pub bias: Buffer,
    /// Inputs, padded.
    pub inputs: usize,
    /// Outputs, padded.
    pub outputs: usize,
    /// Columns in every panel but the last.
    pub panel: usize,
}

impl Matrix {
    /// Packs `weight(output, input)` and `bias(output)`, asked for padded positions too.
    pub fn pack(
        [outputs, inputs]: [usize; 2],
        panel: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix {
        let (outputs, inputs) = (round_up(outputs), round_up(inputs));
        let mut values = Buffer::zeros(outputs * inputs);
        let mut place = values.iter_mut();
        for first in (0..outputs).step_by(panel) {
            let width = panel.min(outputs - first);
            for input in 0..inputs {
                for (output, value) in (first..first + width).zip(place.by_ref()) {
                    *value = weight(output, input);
                }
            }
        }
        let bias: Vec<f32> = (0..outputs).map(bias).collect();
        Matrix {
            values,
            bias: Buffer::padded(&bias, outputs),
            inputs,
            outputs,
            panel,
        }
    }

    /// The panel that begins at column `first`, from input `input` on, and its width.
    pub fn panel_at(&self, first: usize, input: usize) -> (&[f32], usize) {
        let width = self.panel.min(self.outputs - first);
        let begin = first * self.inputs + input * width;
        let end = (first + width) * self.inputs;
        (&self.values[begin..end], width)
    }
}
