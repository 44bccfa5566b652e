//! y = x·Wᵀ + b.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use fgd_kernels::{Activation, Level};

use super::activation::activated;
use crate::error::Result;
use crate::weights::{HostMatrix, Matrix, Scope, product};

/// A dense layer; the weight may be kept in any form of [`crate::weights`].
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
    host_bias: Vec<f32>,
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
        Ok(Self { weight, bias, host_bias })
    }

    /// A layer around an existing matrix.
    pub fn from_matrix(weight: Matrix) -> Self {
        Self { weight, bias: None, host_bias: Vec::new() }
    }

    /// The weight, where it is on the host.
    pub(crate) fn host_weight(&self) -> Option<&Arc<HostMatrix>> {
        match &self.weight {
            Matrix::Host(weight) => Some(weight),
            Matrix::Device(_) => None,
        }
    }

    /// x [.., inputs] → [.., outputs].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None)
    }

    /// The activation of [`Self::forward`], in the same pass over the result.
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.apply(x, Some(activation))
    }

    fn apply(&self, x: &Tensor, activation: Option<Activation>) -> Result<Tensor> {
        match &self.weight {
            Matrix::Host(weight) => {
                let mut shape = x.dims().to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = weight.rows();
                }
                let epilogue = |row: &mut [f32]| {
                    row.iter_mut().zip(&self.host_bias).for_each(|(y, b)| *y += b);
                    if let Some(activation) = activation {
                        Level::current().activate(activation, row);
                    }
                };
                let y = on_host(x, |x| product(x, weight, epilogue))?;
                Ok(Tensor::from_vec(y, shape, &Device::Cpu)?)
            }
            Matrix::Device(weight) => {
                let mut y = x.broadcast_matmul(&weight.t()?)?;
                if let Some(bias) = &self.bias {
                    y = y.broadcast_add(bias)?;
                }
                match activation {
                    Some(activation) => Ok(activated(activation, &y)?),
                    None => Ok(y),
                }
            }
        }
    }
}

/// Runs `f` on the values of an f32 host tensor, in row-major order.
fn on_host<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let values = match &*storage {
        candle_core::Storage::Cpu(cpu) => cpu.as_slice::<f32>()?,
        _ => {
            return Err(
                candle_core::Error::Msg("a host layer was given a device tensor".into()).into()
            );
        }
    };
    let start = layout.start_offset();
    Ok(f(&values[start..start + x.elem_count()]))
}
