//! y = x·Wᵀ + b.

use candle_core::{DType, Device, Tensor};
use fgd_kernels::Activation;

use super::activation::activated;
use super::host;
use crate::error::Result;
use crate::weights::{After, Arithmetic, Matrix, Scope, With, product};

/// A dense layer; the weight may be kept in any form of [`crate::weights`].
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
    host_bias: Vec<f32>,
    arithmetic: Arithmetic,
}

impl Linear {
    /// `weight` `[outputs, inputs]` and `bias` `[outputs]`.
    pub fn load(scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        Self::load_shaped(scope, &[outputs, inputs], true)
    }

    /// `weight` [outputs, inputs] alone.
    pub fn load_unbiased(scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        Self::load_shaped(scope, &[outputs, inputs], false)
    }

    /// A weight of any shape, read as `[shape[0], product of the rest]`.
    pub fn load_shaped(scope: &Scope, shape: &[usize], with_bias: bool) -> Result<Self> {
        let weight = scope.matrix(shape)?;
        let bias = if with_bias { Some(scope.tensor("bias", &shape[..1])?) } else { None };
        let host_bias = match (&weight, &bias) {
            (Matrix::Host(_), Some(bias)) => bias.to_dtype(DType::F32)?.to_vec1()?,
            _ => Vec::new(),
        };
        Ok(Self { weight, bias, host_bias, arithmetic: scope.precision().arithmetic() })
    }

    /// A layer around an existing matrix, computed as those of `scope`.
    pub fn from_matrix(weight: Matrix, scope: &Scope) -> Self {
        let arithmetic = scope.precision().arithmetic();
        Self { weight, bias: None, host_bias: Vec::new(), arithmetic }
    }

    /// The weight, and what products with it are made of on a CPU.
    pub(crate) fn weight(&self) -> (&Matrix, Arithmetic) {
        (&self.weight, self.arithmetic)
    }

    /// x [.., inputs] → [.., outputs].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None, None)
    }

    /// The activation of [`Self::forward`], in the same pass over the result.
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.apply(x, Some(activation), None)
    }

    /// [`Self::forward`] + `residual`, in the same pass over the result.
    pub fn forward_added(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.apply(x, None, Some(With::Sum(residual)))
    }

    /// [`Self::forward_activated`] · `gate`, in the same pass over the result.
    pub fn forward_gated(
        &self,
        x: &Tensor,
        activation: Activation,
        gate: &Tensor,
    ) -> Result<Tensor> {
        self.apply(x, Some(activation), Some(With::Product(gate)))
    }

    fn apply(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        with: Option<With<&Tensor>>,
    ) -> Result<Tensor> {
        match &self.weight {
            Matrix::Host(weight) => {
                let mut shape = x.dims().to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = weight.rows();
                }
                let bias = &self.host_bias;
                let y = |with: Option<With<&[f32]>>| {
                    let after = After { bias, activation, with };
                    host::values(x, |x| product(x, weight, self.arithmetic, after))
                };
                let y = match with {
                    Some(With::Sum(other)) => host::values(other, |v| y(Some(With::Sum(v))))??,
                    Some(With::Product(other)) => {
                        host::values(other, |v| y(Some(With::Product(v))))??
                    }
                    None => y(None)?,
                };
                Ok(Tensor::from_vec(y, shape, &Device::Cpu)?)
            }
            Matrix::Device(weight) => {
                let mut y = x.broadcast_matmul(&weight.t()?)?;
                if let Some(bias) = &self.bias {
                    y = y.broadcast_add(bias)?;
                }
                if let Some(activation) = activation {
                    y = activated(activation, &y)?;
                }
                Ok(match with {
                    Some(With::Sum(other)) => (y + other)?,
                    Some(With::Product(other)) => (y * other)?,
                    None => y,
                })
            }
        }
    }
}
