//! T5's multi-head attention: no bias vectors, no 1/√d (it is folded into the initialisation), inner width heads·d_kv.

use candle_core::{D, Tensor};

use super::encoder::Between;
use crate::config::T5Config;
use crate::error::{Error, Result};
use crate::layers::{Linear, Mask, RmsNorm, attention, self_attention};
use crate::weights::Scope;

/// The four projections of `SelfAttention` or `EncDecAttention`.
pub struct Attention {
    pub(crate) q: Linear,
    pub(crate) k: Linear,
    pub(crate) v: Linear,
    pub(crate) o: Linear,
    pub(crate) heads: usize,
    /// Queries, keys and values, and the latter two, as one layer; on a device.
    stacked: Option<[Linear; 2]>,
}

impl Attention {
    /// From `….{q,k,v,o}.weight`.
    pub fn load(scope: &Scope, config: &T5Config) -> Result<Self> {
        let (model, inner) = (config.d_model, config.inner_dim());
        let projection = |name: &str| Linear::load_unbiased(&scope.pp(name), model, inner);
        let (mut q, mut k, mut v) = (projection("q")?, projection("k")?, projection("v")?);
        let stacked = Linear::stacked([&mut q, &mut k, &mut v])?;
        let stacked = stacked.map(|all| Ok::<_, Error>([all.part(inner..3 * inner)?, all]));
        Ok(Self {
            q,
            k,
            v,
            o: Linear::load_unbiased(&scope.pp("o"), inner, model)?,
            heads: config.num_heads,
            stacked: stacked.transpose()?,
        })
    }

    /// Queries, keys and values of the same rows [.., d_model], each [.., heads·d_kv]; on a device columns of one tensor.
    pub fn projections(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        match &self.stacked {
            Some([_, all]) => columns(&all.forward(x)?),
            None => Linear::forward_all([&self.q, &self.k, &self.v], x),
        }
    }

    /// Keys and values, likewise.
    pub fn keys_values(&self, x: &Tensor) -> Result<[Tensor; 2]> {
        match &self.stacked {
            Some([keys_values, _]) => columns(&keys_values.forward(x)?),
            None => Linear::forward_all([&self.k, &self.v], x),
        }
    }

    /// All of self-attention for `normed` [batch, length, d_model], projected back and added to `x`, on a device.
    pub fn forward(
        &self,
        normed: &Tensor,
        x: Tensor,
        bias: &Tensor,
        mask: Option<&Mask>,
    ) -> Result<Tensor> {
        let [q, k, v] = self.projections(normed)?;
        let (all, arithmetic) = ([&q, &k, &v], self.q.arithmetic());
        let mixed = attention(all, self.heads, 1.0, Some(bias), mask, arithmetic)?;
        self.o.forward_onto(&mixed, x)
    }

    /// The same of norm(x) in host memory, in place. `added` to the scores are the bias and the mask.
    ///
    /// # Errors
    /// A layer on a device.
    pub(super) fn on_host(
        &self,
        norm: &RmsNorm,
        length: usize,
        added: [Option<&[f32]>; 2],
        x: &mut [f32],
        between: &mut Between,
    ) -> Result<()> {
        let Between { normed, projected, mixed, room, .. } = between;
        let (model, inner) = (self.o.outputs(), self.q.outputs());
        let rows = x.len() / model;
        normed.resize(x.len(), 0.0);
        norm.write_all(x, normed);
        let all = projected.each_mut().map(|values| {
            values.resize(rows * inner, 0.0);
            &mut values[..]
        });
        Linear::write_all([&self.q, &self.k, &self.v], normed, room, all)?;
        mixed.resize(rows * inner, 0.0);
        let (all, sizes) = (projected.each_ref(), [length, self.heads, inner / self.heads]);
        let arithmetic = self.q.arithmetic();
        self_attention(all.map(|x| &x[..]), inner, sizes, 1.0, added, arithmetic, mixed);
        self.o.add(mixed, room, x)
    }
}

/// The results of layers that are one, beside each other.
fn columns<const N: usize>(all: &Tensor) -> Result<[Tensor; N]> {
    let width = all.dim(D::Minus1)? / N;
    let columns = (0..N).map(|at| all.narrow(D::Minus1, at * width, width));
    let columns: Vec<Tensor> = columns.collect::<candle_core::Result<_>>()?;
    Ok(std::array::from_fn(|at| columns[at].clone()))
}
