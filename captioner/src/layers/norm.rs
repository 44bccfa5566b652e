//! Normalisation layers; statistics in f32 whatever the activations are in.

use candle_core::Tensor;

use crate::error::Result;
use crate::weights::Scope;

/// (x − mean) / √(var + ε) · weight + bias.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// `weight` and `bias`, both `[size]`.
    pub fn load(scope: &Scope, size: usize, eps: f64) -> Result<Self> {
        Ok(Self {
            weight: scope.tensor("weight", &[size])?,
            bias: scope.tensor("bias", &[size])?,
            eps: eps as f32,
        })
    }

    /// Over the last dimension.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(candle_nn::ops::layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.eps)?)
    }
}

/// x / √(mean(x²) + ε) · weight: T5's norm, without mean and bias (<https://arxiv.org/abs/1910.07467>).
pub struct RmsNorm {
    pub(crate) weight: Tensor,
    pub(crate) eps: f32,
}

impl RmsNorm {
    /// `weight` `[size]`.
    pub fn load(scope: &Scope, size: usize, eps: f64) -> Result<Self> {
        Ok(Self { weight: scope.tensor("weight", &[size])?, eps: eps as f32 })
    }

    /// Over the last dimension.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.eps)?)
    }
}
