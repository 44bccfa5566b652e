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
    /// `wi` and its gate as one layer; on a device.
    stacked: Option<Linear>,
}

impl FeedForward {
    /// From a block's last `layer.N`.
    pub fn load(scope: &Scope, config: &T5Config) -> Result<Self> {
        let (model, wide) = (config.d_model, config.d_ff);
        let dense = scope.pp("DenseReluDense");
        let up = |name: &str| Linear::load_unbiased(&dense.pp(name), model, wide);
        let (wi, gate, stacked) = match config.is_gated() {
            true => {
                let (mut wi, mut gate) = (up("wi_0")?, up("wi_1")?);
                let stacked = Linear::stacked([&mut wi, &mut gate])?;
                (wi, Some(gate), stacked)
            }
            false => (up("wi")?, None, None),
        };
        Ok(Self {
            layer_norm: RmsNorm::load(&scope.pp("layer_norm"), model, config.layer_norm_epsilon)?,
            wi,
            gate,
            wo: Linear::load_unbiased(&dense.pp("wo"), wide, model)?,
            activation: config.activation()?,
            stacked,
        })
    }

    /// [.., d_model] → [.., d_model], on a device; the memory of `x` may be taken.
    pub fn forward(&self, x: Tensor) -> Result<Tensor> {
        let normed = self.layer_norm.forward(&x)?;
        let hidden = match (&self.stacked, &self.gate) {
            (Some(both), _) => both.forward_halves(&normed, self.activation)?,
            (None, gate) => {
                let hidden = self.wi.forward_activated(&normed, self.activation)?;
                // Weights in host memory are not stacked: a device's twin in the tests.
                match gate {
                    Some(gate) => (hidden * gate.forward(&normed)?)?,
                    None => hidden,
                }
            }
        };
        self.wo.forward_onto(&hidden, x)
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
