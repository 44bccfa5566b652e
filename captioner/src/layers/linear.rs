//! y = x·Wᵀ + b.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use fgd_kernels::{Activation, Panels};

use super::{device, host};
use crate::error::Result;
use crate::weights::{
    After, Arithmetic, Matrix, PanelMatrix, Room, Scope, With, product, products, products_into,
};

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

    /// What products on a CPU are made of.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// Layers without bias of the same inputs as one, whose weight is theirs, on a device: fewer and larger products. `None` in host
    /// memory, where products of several layers are one pass anyway.
    pub fn stacked<const N: usize>(layers: [&mut Self; N]) -> Result<Option<Self>> {
        let weights = layers.iter().filter_map(|layer| match &layer.weight {
            Matrix::Device(weight) => Some(weight),
            Matrix::Host(_) => None,
        });
        let weights: Vec<&Tensor> = weights.collect();
        if weights.len() < N {
            return Ok(None);
        }
        let (all, arithmetic) = (Tensor::cat(&weights, 0)?, layers[0].arithmetic);
        let mut begin = 0;
        for layer in layers {
            if let Matrix::Device(weight) = &mut layer.weight {
                let rows = weight.dim(0)?;
                *weight = all.narrow(0, begin, rows)?;
                begin += rows;
            }
        }
        let weight = Matrix::Device(all);
        Ok(Some(Self { weight, bias: None, host_bias: Vec::new(), arithmetic }))
    }

    /// Some of the outputs of a layer without bias on a device, as a layer.
    ///
    /// # Errors
    /// Outputs that are not there.
    pub fn part(&self, outputs: std::ops::Range<usize>) -> Result<Self> {
        let weight = match &self.weight {
            Matrix::Device(weight) => weight.narrow(0, outputs.start, outputs.len())?,
            Matrix::Host(_) => return Err(host::no_device()),
        };
        let (weight, arithmetic) = (Matrix::Device(weight), self.arithmetic);
        Ok(Self { weight, bias: None, host_bias: Vec::new(), arithmetic })
    }

    /// The weight, where it is on the host.
    fn host_weight(&self) -> Option<&Arc<PanelMatrix>> {
        match &self.weight {
            Matrix::Host(weight) => Some(weight),
            Matrix::Device(_) => None,
        }
    }

    /// The weight as the kernels read it; the layer has no bias.
    ///
    /// # Errors
    /// A layer on a device.
    pub(crate) fn panels(&self) -> Result<Panels<'_>> {
        let weight = self.host_weight().ok_or_else(host::no_host)?;
        Ok(weight.panels(self.arithmetic))
    }

    /// x [.., inputs] → [.., outputs].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None, None)
    }

    /// Outputs of a layer in host memory; 0 elsewhere.
    pub fn outputs(&self) -> usize {
        self.host_weight().map_or(0, |weight| weight.rows())
    }

    /// [`Self::forward`] of rows in host memory, into memory that is there; the activation, if any, in the same pass.
    ///
    /// # Errors
    /// A layer on a device.
    pub fn write(
        &self,
        x: &[f32],
        activation: Option<Activation>,
        room: &mut Room,
        out: &mut [f32],
    ) -> Result<()> {
        Self::on_host([self], x, [self.after(activation, None)], room, [out])
    }

    /// Likewise, added to what is there.
    ///
    /// # Errors
    /// A layer on a device.
    pub fn add(&self, x: &[f32], room: &mut Room, out: &mut [f32]) -> Result<()> {
        Self::on_host([self], x, [self.after(None, Some(With::Before))], room, [out])
    }

    /// [`Self::write`] of each of some layers, whose inputs are rounded once.
    ///
    /// # Errors
    /// A layer on a device.
    pub fn write_all<const N: usize>(
        all: [&Self; N],
        x: &[f32],
        room: &mut Room,
        out: [&mut [f32]; N],
    ) -> Result<()> {
        Self::on_host(all, x, all.map(|layer| layer.after(None, None)), room, out)
    }

    /// [`Self::write`] · gate(x), element by element; the gate's values are left in `between`.
    ///
    /// # Errors
    /// A layer on a device.
    pub fn write_gated(
        &self,
        x: &[f32],
        activation: Option<Activation>,
        gate: &Self,
        room: &mut Room,
        [between, out]: [&mut [f32]; 2],
    ) -> Result<()> {
        gate.write(x, None, room, between)?;
        let after = self.after(activation, Some(With::Product(between)));
        Self::on_host([self], x, [after], room, [out])
    }

    fn after<'a>(&'a self, activation: Option<Activation>, with: Option<With<'a>>) -> After<'a> {
        After { bias: &self.host_bias, activation, with }
    }

    fn on_host<const N: usize>(
        all: [&Self; N],
        x: &[f32],
        after: [After; N],
        room: &mut Room,
        out: [&mut [f32]; N],
    ) -> Result<()> {
        let weights: Vec<&PanelMatrix> =
            all.iter().filter_map(|layer| Some(&**layer.host_weight()?)).collect();
        let weights = <[&PanelMatrix; N]>::try_from(weights).map_err(|_| host::no_host())?;
        products_into(x, weights, all[0].arithmetic, after, room, out);
        Ok(())
    }

    /// The activation of [`Self::forward`], in the same pass over the result.
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.apply(x, Some(activation), None)
    }

    /// [`Self::forward`] + `residual`, in the same pass over the result.
    pub fn forward_added(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.apply(x, None, Some(residual))
    }

    /// [`Self::forward`] + `sum`, whose memory may be taken: it must be nobody else's.
    pub fn forward_onto(&self, x: &Tensor, sum: Tensor) -> Result<Tensor> {
        match (&self.weight, &self.bias) {
            (Matrix::Device(weight), None) => device::add_product(x, weight, sum),
            _ => self.forward_added(x, &sum),
        }
    }

    /// [`Self::forward`] of rows [rows, inputs], written to an f32 tensor that is there; the layer has no bias.
    pub fn write_to(&self, x: &Tensor, to: &Tensor) -> Result<()> {
        match &self.weight {
            Matrix::Device(weight) => device::write_product(x, weight, to),
            Matrix::Host(_) => Ok(to.slice_set(&self.forward(x)?, 0, 0)?),
        }
    }

    /// activation(left) · right of this layer's outputs [.., left | right], on a device.
    pub fn forward_halves(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        device::gate(&self.forward(x)?, activation)
    }

    /// [`Self::forward`] of each of some layers, in one pass where x has few rows.
    pub fn forward_all<const N: usize>(all: [&Self; N], x: &Tensor) -> Result<[Tensor; N]> {
        let after = all.map(|layer| After { bias: &layer.host_bias, ..After::default() });
        let on_host: Vec<&PanelMatrix> =
            all.iter().filter_map(|l| Some(&**l.host_weight()?)).collect();
        let Ok(weights) = <[&PanelMatrix; N]>::try_from(on_host) else {
            let y: Vec<Tensor> = all.iter().map(|layer| layer.forward(x)).collect::<Result<_>>()?;
            return Ok(std::array::from_fn(|at| y[at].clone()));
        };
        let y = host::values(x, |x| products(x, weights, all[0].arithmetic, after))?;
        let y = all.iter().zip(y).map(|(layer, y)| layer.shaped(x, y));
        let y: Vec<Tensor> = y.collect::<Result<_>>()?;
        Ok(std::array::from_fn(|at| y[at].clone()))
    }

    /// Rows of outputs as the tensor that belongs to `x`.
    fn shaped(&self, x: &Tensor, y: Vec<f32>) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        if let (Some(last), Matrix::Host(weight)) = (shape.last_mut(), &self.weight) {
            *last = weight.rows();
        }
        Ok(Tensor::from_vec(y, shape, &Device::Cpu)?)
    }

    fn apply(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        added: Option<&Tensor>,
    ) -> Result<Tensor> {
        let weight = match &self.weight {
            Matrix::Host(weight) => weight,
            Matrix::Device(weight) => {
                return device::product(x, weight, self.bias.as_ref(), activation, added);
            }
        };
        let y = |with: Option<With>| {
            let after = self.after(activation, with);
            host::values(x, |x| product(x, weight, self.arithmetic, after))
        };
        let y = match added {
            Some(added) => host::values(added, |added| y(Some(With::Sum(added))))??,
            None => y(None)?,
        };
        self.shaped(x, y)
    }
}
