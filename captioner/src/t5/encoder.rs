//! The encoder stack: embedded prompt (image vectors and text) to hidden states.

use candle_core::{DType, Tensor};

use super::attention::Attention;
use super::feed_forward::FeedForward;
use super::position::PositionBias;
use crate::config::T5Config;
use crate::error::Result;
use crate::layers::{Mask, RmsNorm};
use crate::weights::{Room, Scope};

/// `num_layers` blocks of self-attention and feed-forward, both pre-norm.
pub struct Encoder {
    pub(crate) blocks: Vec<Block>,
    pub(crate) position: PositionBias,
    pub(crate) final_layer_norm: RmsNorm,
}

pub(crate) struct Block {
    pub(crate) layer_norm: RmsNorm,
    pub(crate) attention: Attention,
    pub(crate) feed_forward: FeedForward,
}

/// What lies between the parts of a block in host memory.
#[derive(Default)]
pub(super) struct Between {
    /// The block's input after a norm.
    pub normed: Vec<f32>,
    /// Queries, keys and values.
    pub projected: [Vec<f32>; 3],
    /// What attention makes of them.
    pub mixed: Vec<f32>,
    /// The wide layer and its gate.
    pub wide: [Vec<f32>; 2],
    pub room: Room,
}

impl Encoder {
    /// From `language_model.encoder.*`.
    ///
    /// # Errors
    /// Tensors that are missing or misshapen.
    pub fn load(scope: &Scope, config: &T5Config) -> Result<Self> {
        let blocks = scope.pp("block");
        Ok(Self {
            position: PositionBias::load(
                &blocks.pp(0).pp("layer").pp(0).pp("SelfAttention"),
                config,
                true,
            )?,
            blocks: (0..config.num_layers)
                .map(|n| {
                    let layer = blocks.pp(n).pp("layer");
                    Ok(Block {
                        layer_norm: RmsNorm::load(
                            &layer.pp(0).pp("layer_norm"),
                            config.d_model,
                            config.layer_norm_epsilon,
                        )?,
                        attention: Attention::load(&layer.pp(0).pp("SelfAttention"), config)?,
                        feed_forward: FeedForward::load(&layer.pp(1), config)?,
                    })
                })
                .collect::<Result<_>>()?,
            final_layer_norm: RmsNorm::load(
                &scope.pp("final_layer_norm"),
                config.d_model,
                config.layer_norm_epsilon,
            )?,
        })
    }

    /// embedded [batch, length, d_model] → the same shape; `mask` hides the padding of shorter prompts.
    ///
    /// # Errors
    /// Another shape.
    pub fn forward(&self, embedded: &Tensor, mask: Option<&Mask>) -> Result<Tensor> {
        let length = embedded.dim(1)?;
        let bias = self.position.forward(0, length, length)?;
        let x = match embedded.device().is_cpu() {
            true => self.through_blocks(embedded, &bias, mask)?,
            false => {
                let (mut x, bias) = (embedded.copy()?, bias.to_dtype(DType::F32)?.contiguous()?);
                for block in &self.blocks {
                    let normed = block.layer_norm.forward(&x)?;
                    x = block.attention.forward(&normed, x, &bias, mask)?;
                    x = block.feed_forward.forward(x)?;
                }
                x
            }
        };
        self.final_layer_norm.forward(&x)
    }

    /// All blocks in host memory, in place and with nothing allocated between them.
    fn through_blocks(&self, x: &Tensor, bias: &Tensor, mask: Option<&Mask>) -> Result<Tensor> {
        let (_, length, _) = x.dims3()?;
        let mut values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let bias: Vec<f32> = bias.flatten_all()?.to_vec1()?;
        let mask: Option<Vec<f32>> = mask.map(|mask| mask.flatten_all()?.to_vec1()).transpose()?;
        let mut between = Between::default();
        for block in &self.blocks {
            let added = [Some(&bias[..]), mask.as_deref()];
            block.attention.on_host(&block.layer_norm, length, added, &mut values, &mut between)?;
            block.feed_forward.on_host(&mut values, &mut between)?;
        }
        Ok(Tensor::from_vec(values, x.shape(), x.device())?)
    }
}
