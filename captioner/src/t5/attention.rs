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

    /// Queries [batch, heads, length, d_kv].
    pub fn queries(&self, x: &Tensor) -> Result<Tensor> {
        heads(&self.q.forward(x)?, self.heads)
    }

    /// Queries, keys and values of the same rows, each [batch, heads, length, d_kv].
    pub fn projections(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        let all = Linear::forward_all([&self.q, &self.k, &self.v], x)?;
        Ok([heads(&all[0], self.heads)?, heads(&all[1], self.heads)?, heads(&all[2], self.heads)?])
    }

    /// Keys and values, each [batch, heads, length, d_kv].
    pub fn keys_values(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let all = Linear::forward_all([&self.k, &self.v], x)?;
        Ok((heads(&all[0], self.heads)?, heads(&all[1], self.heads)?))
    }

    /// Attends, projects back and adds that to `x` [batch, queries, d_model].
    pub fn attend(
        &self,
        x: &Tensor,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        bias: Option<&Tensor>,
        mask: Option<&Mask>,
    ) -> Result<Tensor> {
        self.o.forward_added(&attention(q, k, v, 1.0, bias, mask)?, x)
    }
}
