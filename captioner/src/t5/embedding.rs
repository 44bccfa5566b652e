//! The token embedding. A lookup touches a few rows of a 131 MB table, so only those are widened.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::weights::{HostMatrix, Matrix, Scope};

/// Rows of `weight` [vocabulary, d_model] by token id.
pub struct Embedding {
    weight: Table,
}

enum Table {
    Host(HostMatrix),
    Device(Tensor),
}

impl Embedding {
    /// From `shared.weight`; on the host as on disk, in any precision.
    pub fn load(scope: &Scope, vocab: usize, width: usize) -> Result<Self> {
        let size = [vocab, width];
        let weight = match scope.table(size)? {
            Some(table) => Table::Host(table),
            None => match scope.matrix(&size)? {
                Matrix::Device(weight) => Table::Device(weight),
                Matrix::Host(_) => unreachable!("a device keeps tensors"),
            },
        };
        Ok(Self { weight })
    }

    /// Vectors [ids, d_model].
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let vocabulary = match &self.weight {
            Table::Host(weight) => weight.rows(),
            Table::Device(weight) => weight.dim(0)?,
        };
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
            return Err(Error::Setting(format!(
                "token id {id} is beyond the vocabulary of {vocabulary}; tokenizer.json or config.json does not belong to \
                 this checkpoint"
            )));
        }
        match &self.weight {
            Table::Host(weight) => {
                let cols = weight.cols();
                let mut out = vec![0f32; ids.len() * cols];
                for (id, out) in ids.iter().zip(out.chunks_mut(cols)) {
                    weight.widen(*id as usize, 0, out);
                }
                Ok(Tensor::from_vec(out, (ids.len(), cols), &Device::Cpu)?)
            }
            Table::Device(weight) => {
                let ids = Tensor::new(ids, weight.device())?;
                Ok(weight.index_select(&ids, 0)?)
            }
        }
    }
}
