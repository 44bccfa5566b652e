//! A weight matrix in panels, borrowed from whoever keeps it.

use super::PANEL;
use super::form::Form;

/// A weight matrix [outputs, inputs]: panels of [`PANEL`] outputs, one after the other.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    form: Form,
    words: &'a [i32],
    outputs: usize,
    inputs: usize,
}

impl<'a> Panels<'a> {
    /// What [`Form::pack`] has written for each panel. They are read fastest where they begin at a cache line.
    pub fn new(form: Form, words: &'a [i32], [outputs, inputs]: [usize; 2]) -> Self {
        assert_eq!(words.len(), form.weight_words([outputs, inputs]), "all panels are there");
        Self { form, words, outputs, inputs }
    }

    /// Outputs and inputs.
    pub fn sizes(self) -> [usize; 2] {
        [self.outputs, self.inputs]
    }

    /// What the weights are kept in.
    pub fn form(self) -> Form {
        self.form
    }

    /// Panels of outputs, the last of them possibly filled up.
    pub fn count(self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// Inputs, filled up to whole blocks.
    pub(super) fn inputs(self) -> usize {
        self.inputs.next_multiple_of(self.form.block())
    }

    /// All blocks of a panel.
    pub(super) fn panel(self, panel: usize) -> &'a [i32] {
        let words = self.form.weight_words([PANEL, self.inputs]);
        &self.words[panel * words..(panel + 1) * words]
    }

    /// Writes the weights of `output` from input `from` on into `out`.
    pub fn widen(self, output: usize, from: usize, out: &mut [f32]) {
        let (block, words) = (self.form.block(), self.form.block_words());
        let panel = self.panel(output / PANEL);
        for (input, out) in (from..).zip(out) {
            let weights = &panel[input / block * words..][..words];
            *out = self.form.weight(weights, output % PANEL, input % block);
        }
    }
}
