//! T5's encoder and decoder as training sees them: going forward every block keeps its input, going back it is computed again from
//! there (Chen et al. 2016, arXiv:1604.06174), but for the blocks that there was room to keep whole. The bits are the same.

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

/// What going forward keeps: the input of every block, the block itself where there was room, and the input of the last norm.
pub struct Trace {
    blocks: Vec<(Vec<f32>, Option<Kept>)>,
    last: Vec<f32>,
}

/// What a block needs to be gone back through.
struct Kept {
    attention: attention::Kept,
    attended: Vec<f32>,
    cross: Option<(attention::Kept, Vec<f32>)>,
    feed_forward: feed_forward::Kept,
}

impl Kept {
    /// How many numbers it holds.
    fn size(&self) -> usize {
        let cross = self.cross.as_ref().map_or(0, |(kept, crossed)| kept.size() + crossed.len());
        self.attention.size() + self.attended.len() + cross + self.feed_forward.size()
    }
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

    fn forward(&self, pass: Pass, x: &[f32], around: Surroundings) -> Result<(Vec<f32>, Kept)> {
        let kept = self.keep(pass, x, around)?;
        let before = kept.cross.as_ref().map_or(&kept.attended, |(_, crossed)| crossed);
        let rows = Rows { values: before, keys: around.keys };
        let y = self.feed_forward.finish(pass, rows, &kept.feed_forward)?;
        Ok((y, kept))
    }

    fn backward(
        &self,
        pass: Pass,
        (x, kept): (&[f32], Option<Kept>),
        around: Surroundings,
        dy: &mut [f32],
        dsource: &mut [f32],
        gradients: &mut Gradients,
    ) -> Result<()> {
        let kept = kept.map_or_else(|| self.keep(pass, x, around), Ok)?;
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
    /// x [rows, d_model] → the normed result and what the way back needs; whole blocks are kept as far as they fit into `room`, in numbers.
    pub fn forward(
        &self,
        pass: Pass,
        mut x: Vec<f32>,
        around: Surroundings,
        room: &mut usize,
    ) -> Result<(Vec<f32>, Trace)> {
        pass.hidden.rows(self.site, around.keys, &mut x);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let (y, kept) = block.forward(pass, &x, around)?;
            let left = room.checked_sub(kept.size());
            *room = left.unwrap_or(*room);
            blocks.push((std::mem::replace(&mut x, y), left.map(|_| kept)));
        }
        let mut y = self.final_norm.forward(&x);
        pass.hidden.rows(self.site + 1, around.keys, &mut y);
        Ok((y, Trace { blocks, last: x }))
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
        for (block, (x, kept)) in self.blocks.iter().zip(trace.blocks).rev() {
            block.backward(pass, (&x, kept), around, &mut dx, dsource, gradients)?;
        }
        pass.hidden.rows(self.site, around.keys, &mut dx);
        Ok(dx)
    }
}
