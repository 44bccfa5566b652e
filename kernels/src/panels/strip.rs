//! A product in tile registers: strips of up to 32 rows against the outputs of a panel.

use super::form::Numbers;
use super::{PANEL, Pass};
use crate::amx::{Blocks, Registers, STRIP};
use crate::lanes::Isa;

/// Some blocks of inputs of up to 32 rows, the weights that they meet, and where the products go.
pub struct Strip {
    /// Rows from the first block on.
    pub input: *const i32,
    pub input_stride: usize,
    pub rows: usize,
    /// The first of the blocks of a panel.
    pub weights: *const i32,
    pub blocks: usize,
    pub output: *mut f32,
    pub output_stride: usize,
    /// The output holds the sums over the blocks before.
    pub proceed: bool,
}

impl Pass<'_> {
    /// [`Self::run`] in tile registers. A sum's order is that of the inputs, whatever the rows.
    #[inline(always)]
    pub fn run_in_registers<F: Numbers, I: Isa, R: Registers>(
        &mut self,
        isa: I,
        registers: &mut Blocks<R>,
        own: &[i32],
    ) {
        let blocks = own.len() / F::WEIGHT;
        assert!((self.rows - 1) * self.width + blocks * F::INPUT <= self.input.len());
        assert!((self.rows - 1) * self.stride + PANEL <= self.output.len());
        for row in (0..self.rows).step_by(STRIP) {
            let rows = STRIP.min(self.rows - row);
            registers.set(rows);
            // SAFETY: the rows were just checked to lie inside the slices.
            unsafe {
                let strip = Strip {
                    input: self.input.as_ptr().add(row * self.width),
                    input_stride: self.width,
                    rows,
                    weights: own.as_ptr(),
                    blocks,
                    output: self.output.as_mut_ptr().add(row * self.stride),
                    output_stride: self.stride,
                    proceed: self.proceed,
                };
                F::multiply_strip(isa, registers, strip);
            }
        }
    }
}
