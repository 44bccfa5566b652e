//! Activations as configurations name them, and of tensors on a device.

use candle_core::Tensor;
use fgd_kernels::Activation;
use serde::{Deserialize, Serialize};

/// An activation by its name in transformers.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Named(pub Activation);

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Activation::named(&name).map(Named).ok_or_else(|| {
            format!("unknown activation `{name}`, expected one of `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu`")
        })
    }
}

impl From<Named> for String {
    fn from(Named(activation): Named) -> Self {
        match activation {
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_new",
            Activation::Relu => "relu",
        }
        .into()
    }
}

/// `activation(x)` in candle's operations; on the host the kernels do it.
pub fn activated(activation: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
    }
}
