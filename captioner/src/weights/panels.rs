//! A weight matrix in the form that products on a CPU read: panels of outputs in memory of its own, written once when a
//! checkpoint is loaded. What lies on disk in f16 or bf16 stays in 16 bits, as it widens to f32 exactly.

use fgd_kernels::{Form, Level, PANEL, Panels};
use rayon::prelude::*;

use super::matrix::{Data, HostMatrix, Precision};
use super::product::Arithmetic;
use super::words::Words;
use crate::error::Result;

/// A matrix [rows = outputs, cols = inputs] in panels.
pub struct PanelMatrix {
    rows: usize,
    cols: usize,
    form: Form,
    words: Words,
}

impl PanelMatrix {
    /// Rounds `matrix` to what `precision` keeps.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn new(matrix: &HostMatrix, precision: Precision) -> Result<Self> {
        let form = match (precision, matrix.data()) {
            (Precision::Q8, _) => Form::Bytes,
            (Precision::Bf16, _) | (_, Data::Bf16(_)) => Form::Bf16,
            (Precision::F32, Data::F16(_)) => Form::F16,
            (Precision::F32, Data::F32(_)) => Form::F32,
        };
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let mut words = Words::zeros(form.weight_words([rows, cols]))?;
        let panel = form.weight_words([PANEL, cols]);
        words.par_chunks_mut(panel).enumerate().for_each_init(Vec::new, |wide, (at, out)| {
            let outputs = at * PANEL..rows.min((at + 1) * PANEL);
            wide.resize(outputs.len() * cols, 0f32);
            for (row, wide) in outputs.zip(wide.chunks_mut(cols)) {
                matrix.widen(row, 0, wide);
            }
            form.pack(Level::current(), wide, cols, out);
        });
        Ok(Self { rows, cols, form, words })
    }

    /// A matrix without elements, for a rehearsal.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn empty() -> Result<Self> {
        Ok(Self { rows: 0, cols: 0, form: Form::F32, words: Words::zeros(0)? })
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The weights as the kernels read them, for products of this kind.
    pub fn panels(&self, arithmetic: Arithmetic) -> Panels<'_> {
        let form = match (self.form, arithmetic) {
            // Without instructions for it, f32 is as fast.
            (Form::Bf16, Arithmetic::Rounded) if Level::current().has_bf16() => Form::Halves,
            (form, _) => form,
        };
        Panels::new(form, &self.words, [self.rows, self.cols])
    }

    /// Writes the elements of `row` from column `from` on as f32 into `out`.
    pub fn widen(&self, row: usize, from: usize, out: &mut [f32]) {
        self.panels(Arithmetic::Exact).widen(row, from, out);
    }
}
