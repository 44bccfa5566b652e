//! T5's feed-forward layer: gated (v1.1, `wo(act(wi_0 x) · wi_1 x)`) or plain.

use candle_core::Tensor;
use fgd_kernels::Activation;

use super::encoder::Between;
use crate::config::T5Config;
use crate::error::Result;
use crate::layers::{Linear, RmsNorm};
use crate::weights::Scope;

/// Norm, projection up, activation, projection down, added to what went in.
pub struct FeedForward {
    pub(crate) layer_norm: RmsNorm,
    pub(crate) wi: Linear,
    pub(crate) gate: Option<Linear>,
    pub(crate) wo: Linear,
    pub(crate) activation: Activation,
}

impl FeedForward {
    /// From a block's last `layer.N`.
    pub fn load(scope: &Scope, config: &T5Config) -> Result<Self> {
        let (model, wide) = (config.d_model, config.d_ff);
        let dense = scope.pp("DenseReluDense");
        let (wi, gate) = if config.is_gated() {
            let gate = Linear::load_unbiased(&dense.pp("wi_1"), model, wide)?;
            (Linear::load_unbiased(&dense.pp("wi_0"), model, wide)?, Some(gate))
        } else {
            (Linear::load_unbiased(&dense.pp("wi"), model, wide)?, None)
        };
        Ok(Self {
            layer_norm: RmsNorm::load(&scope.pp("layer_norm"), model, config.layer_norm_epsilon)?,
            wi,
            gate,
            wo: Linear::load_unbiased(&dense.pp("wo"), wide, model)?,
            activation: config.activation()?,
        })
    }

    /// [.., d_model] → [.., d_model].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normed = self.layer_norm.forward(x)?;
        let hidden = match &self.gate {
            Some(gate) => self.wi.forward_gated(&normed, self.activation, gate)?,
            None => self.wi.forward_activated(&normed, self.activation)?,
        };
        self.wo.forward_added(&hidden, x)
    }

    /// The same in host memory, in place.
    ///
    /// # Errors
    /// A layer on a device.
    pub(super) fn on_host(&self, x: &mut [f32], between: &mut Between) -> Result<()> {
        let Between { normed, wide: [wide, gated], room, .. } = between;
        normed.resize(x.len(), 0.0);
        self.layer_norm.write_all(x, normed);
        let count = x.len() / self.wo.outputs() * self.wi.outputs();
        wide.resize(count, 0.0);
        match &self.gate {
            Some(gate) => {
                gated.resize(count, 0.0);
                self.wi.write_gated(normed, Some(self.activation), gate, room, [gated, wide])?;
            }
            None => self.wi.write(normed, Some(self.activation), room, wide)?,
        }
        self.wo.add(wide, room, x)
    }
}
