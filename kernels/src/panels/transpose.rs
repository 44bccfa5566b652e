//! Panels of the transposed weights, for the way back through a product.

use std::marker::PhantomData;
use std::ops::Range;

use super::PANEL;
use super::bytes::Bytes;
use super::form::{Form, Numbers, with_numbers};
use super::halves::Halves;
use super::singles::Singles;
use super::weights::Panels;
use super::wide::Wide;
use crate::lanes::Isa;
use crate::level::{Kernel, Level};
use crate::transpose;

impl Panels<'_> {
    /// Writes what one panel of the transpose [inputs, outputs] has of these outputs, in the same form: some inputs are its outputs. The
    /// range begins at a block and ends at one or at the last output. 8 bits have none: nothing goes the way back through them.
    pub fn transpose(self, level: Level, panel: usize, outputs: Range<usize>, out: &mut [i32]) {
        with_numbers!(self.form(), N => {
            level.run(Transpose::<N> { weights: self, panel, outputs, out, numbers: PhantomData })
        });
    }
}

struct Transpose<'a, N> {
    weights: Panels<'a>,
    panel: usize,
    outputs: Range<usize>,
    out: &'a mut [i32],
    numbers: PhantomData<N>,
}

impl<N: Numbers> Kernel for Transpose<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        assert_eq!(N::BLOCK, PANEL, "a block of a panel is one of the transpose");
        let Transpose { weights, panel, outputs, out, .. } = self;
        let blocks = outputs.start / N::BLOCK..outputs.end.div_ceil(N::BLOCK);
        assert!(outputs.start.is_multiple_of(N::BLOCK) && blocks.end <= weights.count());
        assert_eq!(out.len(), blocks.len() * N::WEIGHT, "words for every output");
        for (at, out) in blocks.zip(out.chunks_mut(N::WEIGHT)) {
            N::transpose(isa, &weights.panel(at)[panel * N::WEIGHT..][..N::WEIGHT], out);
        }
    }
}

/// `out`\[column · stride + row\] = rows\[row\]\[column\], for 16 rows of equally many words.
#[inline(always)]
pub(super) fn transpose_rows<I: Isa>(isa: I, rows: &[i32], out: &mut [i32], stride: usize) {
    // SAFETY: words and floats have one size and alignment, and any bits are one of either; those of a float that is only moved stay.
    let (block, out) = unsafe {
        (
            std::slice::from_raw_parts(rows.as_ptr().cast(), rows.len()),
            std::slice::from_raw_parts_mut(out.as_mut_ptr().cast(), out.len()),
        )
    };
    transpose::Transpose { block, out, stride }.run(isa);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn panels_of_the_transpose_hold_the_same_weights() {
        let [outputs, inputs] = [70, 45];
        let weights: Vec<f32> = (0..outputs * inputs).map(value).collect();
        let forms = [Form::F32, Form::F16, Form::Bf16, Form::Halves];
        for (form, level) in forms.into_iter().flat_map(|f| Level::available().map(move |l| (f, l)))
        {
            let mut words = vec![0; form.weight_words([outputs, inputs])];
            let panels = words.chunks_mut(form.weight_words([PANEL, inputs]));
            for (words, rows) in panels.zip(weights.chunks(PANEL * inputs)) {
                form.pack(level, rows, inputs, words);
            }
            let there = Panels::new(form, &words, [outputs, inputs]);
            let mut words = vec![0; form.weight_words([inputs, outputs])];
            let panels = words.chunks_mut(form.weight_words([PANEL, outputs]));
            for (panel, words) in panels.enumerate() {
                let (first, rest) = words.split_at_mut(form.weight_words([PANEL, PANEL]));
                there.transpose(level, panel, 0..PANEL, first);
                there.transpose(level, panel, PANEL..outputs, rest);
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

    #[test]
    fn weights_that_lie_the_other_way_become_the_same_panels() {
        let [outputs, inputs] = [70, 45];
        let weights: Vec<f32> = (0..outputs * inputs).map(value).collect();
        let other: Vec<f32> =
            (0..outputs * inputs).map(|at| weights[at % outputs * inputs + at / outputs]).collect();
        for form in Form::ALL {
            let mut words = vec![0; form.weight_words([PANEL, inputs])];
            let mut same = words.clone();
            for (at, rows) in weights.chunks(PANEL * inputs).enumerate() {
                form.pack(Level::current(), rows, inputs, &mut words);
                form.pack_inputs(Level::current(), &other, outputs, at * PANEL, &mut same);
                assert_eq!(words, same, "{form:?} {at}");
            }
        }
    }
}
