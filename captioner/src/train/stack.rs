//! T5's encoder and decoder as training sees them: going forward every block keeps its input only, going back it is computed
//! again from there (Chen et al. 2016, arXiv:1604.06174).

use super::attention::{self, Attention, Rows, Scene, Sight};
use super::feed_forward::{self, FeedForward};
use super::layer::Pass;
use super::lora::Gradients;
use super::norm::Norm;
use crate::error::Result;

/// Self-attention, in the decoder cross-attention, and feed-forward.
pub struct Block {
    pub attention: Attention,
    pub cross: Option<Attention>,
    pub feed_forward: FeedForward,
}

pub struct Stack {
    pub blocks: Vec<Block>,
    pub final_norm: Norm,
    /// Its place in the network, for dropout; it has two.
    pub site: u64,
}

/// What the rows of a stack see.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Names of the rows.
    pub keys: &'a [u64],
    /// Among themselves.
    pub own: Sight<'a>,
    /// Of the encoder's result, in the decoder.
    pub cross: Option<(Rows<'a>, Sight<'a>)>,
}

impl<'a> Surroundings<'a> {
    /// The rows `values` look at themselves.
    fn among(&self, values: &'a [f32]) -> Scene<'a> {
        Scene { x: Rows { values, keys: self.keys }, source: None, sight: self.own }
    }

    /// The rows `values` look at the encoder's result.
    fn across(&self, values: &'a [f32]) -> Option<Scene<'a>> {
        let (source, sight) = self.cross?;
        Some(Scene { x: Rows { values, keys: self.keys }, source: Some(source), sight })
    }
}

/// What going forward keeps: the input of every block, and of the last norm.
pub struct Trace {
    inputs: Vec<Vec<f32>>,
    last: Vec<f32>,
}

/// What a block keeps while it is gone back through.
struct Kept {
    attention: attention::Kept,
    attended: Vec<f32>,
    cross: Option<(attention::Kept, Vec<f32>)>,
    feed_forward: feed_forward::Kept,
}

impl Block {
    fn keep(&self, pass: Pass, x: &[f32], around: Surroundings) -> Result<Kept> {
        let rows = |values| Rows { values, keys: around.keys };
        let kept = self.attention.mix(pass, around.among(x))?;
        let attended = self.attention.finish(pass, rows(x), &kept)?;
        let cross = match self.cross.as_ref().zip(around.across(&attended)) {
            Some((cross, scene)) => {
                let kept = cross.mix(pass, scene)?;
                let crossed = cross.finish(pass, rows(&attended), &kept)?;
                Some((kept, crossed))
            }
            None => None,
        };
        let before = cross.as_ref().map_or(&attended, |(_, crossed)| crossed);
        let feed_forward = self.feed_forward.widen(pass, rows(before))?;
        Ok(Kept { attention: kept, attended, cross, feed_forward })
    }

    fn forward(&self, pass: Pass, x: &[f32], around: Surroundings) -> Result<Vec<f32>> {
        let kept = self.keep(pass, x, around)?;
        let before = kept.cross.as_ref().map_or(&kept.attended, |(_, crossed)| crossed);
        let rows = Rows { values: before, keys: around.keys };
        self.feed_forward.finish(pass, rows, &kept.feed_forward)
    }

    fn backward(
        &self,
        pass: Pass,
        x: &[f32],
        around: Surroundings,
        dy: &mut [f32],
        dsource: &mut [f32],
        gradients: &mut Gradients,
    ) -> Result<()> {
        let kept = self.keep(pass, x, around)?;
        let rows = |values| Rows { values, keys: around.keys };
        let before = kept.cross.as_ref().map_or(&kept.attended, |(_, crossed)| crossed);
        self.feed_forward.backward(pass, rows(before), &kept.feed_forward, dy, gradients)?;
        if let (Some(cross), Some((kept_cross, _)), Some(scene)) =
            (&self.cross, &kept.cross, around.across(&kept.attended))
        {
            cross.backward(pass, scene, kept_cross, dy, dsource, gradients)?;
        }
        self.attention.backward(pass, around.among(x), &kept.attention, dy, &mut [], gradients)
    }
}

impl Stack {
    /// x [rows, d_model] → the normed result and what the way back needs.
    pub fn forward(
        &self,
        pass: Pass,
        mut x: Vec<f32>,
        around: Surroundings,
    ) -> Result<(Vec<f32>, Trace)> {
        pass.hidden.rows(self.site, around.keys, &mut x);
        let mut inputs = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let y = block.forward(pass, &x, around)?;
            inputs.push(std::mem::replace(&mut x, y));
        }
        let mut y = self.final_norm.forward(&x);
        pass.hidden.rows(self.site + 1, around.keys, &mut y);
        Ok((y, Trace { inputs, last: x }))
    }

    /// The gradient of x for that of the result; that of the encoder's result is added to `dsource`.
    pub fn backward(
        &self,
        pass: Pass,
        trace: Trace,
        around: Surroundings,
        mut dy: Vec<f32>,
        dsource: &mut [f32],
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        pass.hidden.rows(self.site + 1, around.keys, &mut dy);
        let mut dx = vec![0.0; dy.len()];
        self.final_norm.backward(&trace.last, &dy, &mut dx);
        drop(dy);
        // Every input is let go of as soon as its block is done.
        for (block, x) in self.blocks.iter().zip(trace.inputs).rev() {
            block.backward(pass, &x, around, &mut dx, dsource, gradients)?;
        }
        pass.hidden.rows(self.site, around.keys, &mut dx);
        Ok(dx)
    }
}
