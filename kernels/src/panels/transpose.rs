//! Panels of the transposed weights, for the way back through a product.

use std::marker::PhantomData;

use super::PANEL;
use super::bytes::Bytes;
use super::form::{BLOCK, Form, Numbers, with_numbers};
use super::halves::Halves;
use super::singles::Singles;
use super::weights::Panels;
use super::wide::Wide;
use crate::lanes::Isa;
use crate::level::{Kernel, Level};

impl Panels<'_> {
    /// Writes one panel of the transpose [inputs, outputs], in the same form: some inputs are its outputs. 8 bits are rounded anew, along
    /// the other side.
    pub fn transpose(self, level: Level, panel: usize, out: &mut [i32]) {
        with_numbers!(self.form(), N => {
            level.run(Transpose::<N> { weights: self, panel, out, numbers: PhantomData })
        });
    }
}

struct Transpose<'a, N> {
    weights: Panels<'a>,
    panel: usize,
    out: &'a mut [i32],
    numbers: PhantomData<N>,
}

impl<N: Numbers> Kernel for Transpose<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        const { assert!(BLOCK == PANEL, "a block of a panel is one of the transpose") };
        let Transpose { weights, panel, out, .. } = self;
        assert_eq!(out.len(), weights.count() * N::WEIGHT, "a panel of words");
        for (at, out) in out.chunks_mut(N::WEIGHT).enumerate() {
            let block = &weights.panel(at)[panel * N::WEIGHT..][..N::WEIGHT];
            for lane in 0..PANEL {
                let mut row = [0f32; BLOCK];
                for (output, weight) in row.iter_mut().enumerate() {
                    *weight = N::weight(block, output, lane);
                }
                N::pack(isa, &row, lane, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn panels_of_the_transpose_hold_the_same_weights() {
        let [outputs, inputs] = [70, 45];
        let weights: Vec<f32> = (0..outputs * inputs).map(value).collect();
        for form in [Form::F32, Form::F16, Form::Bf16, Form::Halves] {
            let level = Level::current();
            let mut words = vec![0; form.weight_words([outputs, inputs])];
            let panels = words.chunks_mut(form.weight_words([PANEL, inputs]));
            for (words, rows) in panels.zip(weights.chunks(PANEL * inputs)) {
                form.pack(level, rows, inputs, words);
            }
            let there = Panels::new(form, &words, [outputs, inputs]);
            let mut words = vec![0; form.weight_words([inputs, outputs])];
            let panels = words.chunks_mut(form.weight_words([PANEL, outputs]));
            for (panel, words) in panels.enumerate() {
                there.transpose(level, panel, words);
            }
            let back = Panels::new(form, &words, [inputs, outputs]);
            for output in 0..outputs {
                let (mut row, mut element) = (vec![0.0; inputs], [0.0]);
                there.widen(output, 0, &mut row);
                for (input, weight) in row.iter().enumerate() {
                    back.widen(input, output, &mut element);
                    assert_eq!(element[0], *weight, "{form:?} {output} {input}");
                }
            }
        }
    }
}
