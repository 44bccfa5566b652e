//! T5's attention with its norm and residual, forward and back; projections may have factors.

use super::dropout::Dropout;
use super::layer::{Layer, Pass};
use super::lora::Gradients;
use super::multiply::add;
use super::norm::Norm;
use super::packed_attention::{Bias, Looking, Stretch, attend, attend_back};
use crate::error::Result;

/// x + o(attend(q(n), k(s), v(s))), n = norm(x); s is n, or in cross-attention the encoder's result.
pub struct Attention {
    pub norm: Norm,
    pub q: Layer,
    pub k: Layer,
    pub v: Layer,
    pub o: Layer,
    pub heads: usize,
    /// Its place in the network, for dropout.
    pub site: u64,
}

/// Rows and what names them for dropout.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub values: &'a [f32],
    pub keys: &'a [u64],
}

/// Which rows see which.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    pub stretches: &'a [Stretch],
    pub bias: Option<&'a Bias>,
    pub causal: bool,
}

/// Who looks, and at what; at itself where no source is given.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub x: Rows<'a>,
    pub source: Option<Rows<'a>>,
    pub sight: Sight<'a>,
}

/// What the way back needs of the way there.
pub struct Kept {
    normed: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    mixed: Vec<f32>,
}

impl Kept {
    /// How many numbers it holds.
    pub fn size(&self) -> usize {
        [&self.normed, &self.q, &self.k, &self.v, &self.mixed].map(Vec::len).iter().sum()
    }
}

impl Attention {
    /// Up to the mixed values.
    pub fn mix(&self, pass: Pass, Scene { x, source, sight }: Scene) -> Result<Kept> {
        let normed = self.norm.forward(x.values);
        let s = source.unwrap_or(Rows { values: &normed, keys: x.keys });
        let q = self.q.forward(pass, &normed, x.keys)?;
        let k = self.k.forward(pass, s.values, s.keys)?;
        let v = self.v.forward(pass, s.values, s.keys)?;
        let mixed = attend(self.looking(pass.hidden, x, sight, q.len()), &q, &k, &v);
        Ok(Kept { normed, q, k, v, mixed })
    }

    /// From the mixed values to the result.
    pub fn finish(&self, pass: Pass, x: Rows, kept: &Kept) -> Result<Vec<f32>> {
        let mut y = self.o.forward(pass, &kept.mixed, x.keys)?;
        pass.hidden.rows(self.site, x.keys, &mut y);
        add(&mut y, x.values);
        Ok(y)
    }

    /// `dy` becomes the gradient of x; that of a source is added to `dsource`.
    pub fn backward(
        &self,
        pass: Pass,
        Scene { x, source, sight }: Scene,
        kept: &Kept,
        dy: &mut [f32],
        dsource: &mut [f32],
        gradients: &mut Gradients,
    ) -> Result<()> {
        let dout = pass.hidden.of(self.site, x.keys, dy);
        let dmixed = self.o.backward(pass, &kept.mixed, x.keys, &dout, gradients)?;
        drop(dout);
        let looking = self.looking(pass.hidden, x, sight, kept.q.len());
        let [dq, dk, dv] = attend_back(looking, &kept.q, &kept.k, &kept.v, &dmixed);
        drop(dmixed);
        let mut dnormed = self.q.backward(pass, &kept.normed, x.keys, &dq, gradients)?;
        let own = Rows { values: &kept.normed, keys: x.keys };
        let (s, ds) = match source {
            Some(source) => (source, dsource),
            None => (own, &mut dnormed[..]),
        };
        for (layer, gradient) in [(&self.k, dk), (&self.v, dv)] {
            add(ds, &layer.backward(pass, s.values, s.keys, &gradient, gradients)?);
        }
        self.norm.backward(x.values, &dnormed, dy);
        Ok(())
    }

    fn looking<'a>(
        &self,
        hidden: &'a Dropout,
        x: Rows<'a>,
        sight: Sight<'a>,
        len: usize,
    ) -> Looking<'a> {
        Looking {
            stretches: sight.stretches,
            bias: sight.bias,
            causal: sight.causal,
            heads: self.heads,
            width: len / x.keys.len(),
            dropout: (hidden, self.site, x.keys),
        }
    }
}
