//! A frozen linear layer and its LoRA factors (<https://arxiv.org/abs/2106.09685>): y = W·x + s·B·A·dropout(x).
//!
//! Going back, only the factors have gradients: dx = Wᵀ·dy + s·Aᵀ·Bᵀ·dy through the mask, dB = s·dy·uᵀ with u = A·dropout(x),
//! dA = s·Bᵀ·dy·dropout(x)ᵀ. None of W is ever made.

use super::dropout::Dropout;
use super::frozen::Frozen;
use super::lora::{Gradients, Lora};
use super::multiply::{View, add, add_product, product_of};
use crate::error::Result;

/// What all layers of a pass share.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// The factors.
    pub lora: &'a Lora,
    /// Dropout before the factors.
    pub dropout: &'a Dropout,
    /// T5's own dropout.
    pub hidden: &'a Dropout,
}

/// W, and which of the trained modules it is.
pub struct Layer {
    weight: Frozen,
    module: Option<usize>,
}

impl Layer {
    /// `module` is the place among the modules that are trained.
    pub fn new(weight: Frozen, module: Option<usize>) -> Self {
        Self { weight, module }
    }

    /// x [rows, inputs] → [rows, outputs]; `keys` names the rows for dropout.
    ///
    /// # Errors
    /// A device that fails.
    pub fn forward(&self, pass: Pass, x: &[f32], keys: &[u64]) -> Result<Vec<f32>> {
        let mut y = self.weight.forward(x)?;
        if let Some(module) = self.module {
            let (a, b, scale) = self.factors(pass, module);
            let x = pass.dropout.of(module as u64, keys, x);
            let u = product_of(1.0, View::dense(&x, self.weight.inputs()), a.t());
            add_product(scale, View::dense(&u, pass.lora.rank()), b.t(), &mut y);
        }
        Ok(y)
    }

    /// The gradient of x [rows, inputs] for `dy` [rows, outputs]; those of the factors are added to `gradients`.
    ///
    /// # Errors
    /// A device that fails.
    pub fn backward(
        &self,
        pass: Pass,
        x: &[f32],
        keys: &[u64],
        dy: &[f32],
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let mut dx = self.weight.back(dy)?;
        if let Some(module) = self.module {
            let (a, b, scale) = self.factors(pass, module);
            let (inputs, outputs) = (self.weight.inputs(), self.weight.outputs());
            let rank = pass.lora.rank();
            let dropped = pass.dropout.of(module as u64, keys, x);
            let (x, dy) = (View::dense(&dropped, inputs), View::dense(dy, outputs));
            let u = product_of(1.0, x, a.t());
            let du = product_of(scale, dy, b);
            let (u, du) = (View::dense(&u, rank), View::dense(&du, rank));
            let [da, db] = gradients.of(module);
            add_product(1.0, du.t(), x, da);
            add_product(scale, dy.t(), u, db);
            let mut through = product_of(1.0, du, a);
            pass.dropout.rows(module as u64, keys, &mut through);
            add(&mut dx, &through);
        }
        Ok(dx)
    }

    fn factors<'a>(&self, pass: Pass<'a>, module: usize) -> (View<'a>, View<'a>, f32) {
        let [a, b] = pass.lora.factors(module);
        let a = View::dense(a, self.weight.inputs());
        (a, View::dense(b, pass.lora.rank()), pass.lora.scale())
    }
}
