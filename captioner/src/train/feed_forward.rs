//! T5's feed-forward layer with its norm and residual, forward and back: x + wo(act(wi(n)) · gate(n)), n = norm(x).

use fgd_kernels::{Activation, Level};
use rayon::prelude::*;

use super::attention::Rows;
use super::layer::{Layer, Pass};
use super::lora::Gradients;
use super::multiply::add;
use super::norm::Norm;
use crate::error::Result;

/// Values of one task.
const PIECE: usize = 1 << 13;

pub struct FeedForward {
    pub norm: Norm,
    pub wi: Layer,
    pub gate: Option<Layer>,
    pub wo: Layer,
    pub activation: Activation,
    /// Its place in the network, for dropout; it has two.
    pub site: u64,
}

/// What the way back needs of the way there.
pub struct Kept {
    normed: Vec<f32>,
    inner: Vec<f32>,
    gate: Option<Vec<f32>>,
}

impl Kept {
    /// How many numbers it holds.
    pub fn size(&self) -> usize {
        self.normed.len() + self.inner.len() + self.gate.as_ref().map_or(0, Vec::len)
    }
}

impl FeedForward {
    /// Up to what the activation is taken of.
    pub fn widen(&self, pass: Pass, x: Rows) -> Result<Kept> {
        let normed = self.norm.forward(x.values);
        let inner = self.wi.forward(pass, &normed, x.keys)?;
        let gate =
            self.gate.as_ref().map(|gate| gate.forward(pass, &normed, x.keys)).transpose()?;
        Ok(Kept { normed, inner, gate })
    }

    /// From there to the result.
    pub fn finish(&self, pass: Pass, x: Rows, kept: &Kept) -> Result<Vec<f32>> {
        let mut y = self.wo.forward(pass, &self.hidden(pass, x.keys, kept), x.keys)?;
        pass.hidden.rows(self.site, x.keys, &mut y);
        add(&mut y, x.values);
        Ok(y)
    }

    /// act(inner)·gate, after dropout.
    fn hidden(&self, pass: Pass, keys: &[u64], kept: &Kept) -> Vec<f32> {
        let mut hidden = self.activated(kept);
        if let Some(gate) = &kept.gate {
            times(&mut hidden, gate);
        }
        pass.hidden.rows(self.site + 1, keys, &mut hidden);
        hidden
    }

    fn activated(&self, kept: &Kept) -> Vec<f32> {
        let mut activated = kept.inner.clone();
        activated
            .par_chunks_mut(PIECE)
            .for_each(|piece| Level::current().activate(self.activation, piece));
        activated
    }

    /// `dy` becomes the gradient of x.
    pub fn backward(
        &self,
        pass: Pass,
        x: Rows,
        kept: &Kept,
        dy: &mut [f32],
        gradients: &mut Gradients,
    ) -> Result<()> {
        let dout = pass.hidden.of(self.site, x.keys, dy);
        let hidden = self.hidden(pass, x.keys, kept);
        let mut dinner = self.wo.backward(pass, &hidden, x.keys, &dout, gradients)?;
        drop((hidden, dout));
        pass.hidden.rows(self.site + 1, x.keys, &mut dinner);
        let mut dnormed = match (&self.gate, &kept.gate) {
            (Some(layer), Some(gate)) => {
                let mut dgate = self.activated(kept);
                times(&mut dgate, &dinner);
                times(&mut dinner, gate);
                layer.backward(pass, &kept.normed, x.keys, &dgate, gradients)?
            }
            _ => vec![0.0; kept.normed.len()],
        };
        dinner
            .par_chunks_mut(PIECE)
            .zip(kept.inner.par_chunks(PIECE))
            .for_each(|(dy, x)| Level::current().activation_gradient(self.activation, x, dy));
        let through = self.wi.backward(pass, &kept.normed, x.keys, &dinner, gradients)?;
        add(&mut dnormed, &through);
        self.norm.backward(x.values, &dnormed, dy);
        Ok(())
    }
}

/// to ·= from
fn times(to: &mut [f32], from: &[f32]) {
    to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE)).for_each(|(to, from)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to *= from);
    });
}
