//! T5's multi-head attention: no bias vectors, no 1/√d (it is folded into the initialisation), inner width heads·d_kv.

use candle_core::Tensor;

use crate::config::T5Config;
use crate::error::Result;
use crate::layers::{Linear, Mask, attention, heads};
use crate::weights::Scope;

/// The four projections of `SelfAttention` or `EncDecAttention`.
pub struct Attention {
    pub(crate) q: Linear,
    pub(crate) k: Linear,
    pub(crate) v: Linear,
    pub(crate) o: Linear,
    pub(crate) heads: usize,
}

impl Attention {
    /// From `….{q,k,v,o}.weight`.
    pub fn load(scope: &Scope, config: &T5Config) -> Result<Self> {
        let (model, inner) = (config.d_model, config.inner_dim());
        Ok(Self {
            q: Linear::load_unbiased(&scope.pp("q"), model, inner)?,
            k: Linear::load_unbiased(&scope.pp("k"), model, inner)?,
            v: Linear::load_unbiased(&scope.pp("v"), model, inner)?,
            o: Linear::load_unbiased(&scope.pp("o"), inner, model)?,
            heads: config.num_heads,
        })
    }

    /// Queries, keys and values of the same rows [.., d_model], each [.., heads·d_kv].
    pub fn projections(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        Linear::forward_all([&self.q, &self.k, &self.v], x)
    }

    /// Keys and values, likewise.
    pub fn keys_values(&self, x: &Tensor) -> Result<[Tensor; 2]> {
        Linear::forward_all([&self.k, &self.v], x)
    }

    /// All of self-attention for `normed` [batch, length, d_model], projected back and added to `x`.
    pub fn forward(
        &self,
        normed: &Tensor,
        x: &Tensor,
        bias: &Tensor,
        mask: Option<&Mask>,
    ) -> Result<Tensor> {
        let [q, k, v] = self.projections(normed)?;
        let [q, k, v] = [heads(&q, self.heads)?, heads(&k, self.heads)?, heads(&v, self.heads)?];
        self.o.forward_added(&attention(&q, &k, &v, 1.0, Some(bias), mask)?, x)
    }
}
