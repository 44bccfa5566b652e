//! The arguments of both aggregates: ids, and embeddings as bytes.

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::{as_binary_array, as_string_array};
use datafusion::error::Result;
use fgd_metrics::paired::Pairs;
use ndarray::Array2;

use super::refused;

const FLOAT: usize = size_of::<f32>();

/// Images of a batch.
pub struct Batch {
    /// Their ids.
    pub ids: Vec<String>,
    candidates: Array2<f32>,
    references: Array2<f32>,
    image_of: Vec<usize>,
}

impl Batch {
    /// Reads the columns id, candidate and references; `None` of no rows.
    pub fn read(values: &[ArrayRef]) -> Result<Option<Self>> {
        let [ids, candidates, references] = values else {
            return Err(refused("images have an id and two columns of embeddings"));
        };
        if ids.is_empty() {
            return Ok(None);
        }
        let ids = cast(ids, &DataType::Utf8)?;
        let ids = as_string_array(&ids)?.iter().flatten().map(str::to_owned).collect();
        let candidates = as_binary_array(candidates)?;
        let wide = candidates.iter().next().flatten().map_or(0, <[u8]>::len);
        let (candidates, image_of) = rows(candidates, wide)?;
        // One of each.
        if image_of.iter().enumerate().any(|(row, &image)| row != image) {
            return Err(missing());
        }
        let (references, image_of) = rows(as_binary_array(references)?, wide)?;
        Ok(Some(Self { ids, candidates, references, image_of }))
    }

    /// As pairs.
    pub fn pairs(&self) -> Pairs<'_> {
        let (candidates, references) = (self.candidates.view(), self.references.view());
        Pairs { candidates, references, image_of: &self.image_of }
    }
}

/// Embeddings `[n, d]` from cells that hold some of `wide` bytes each, and the cell of each.
fn rows(cells: &BinaryArray, wide: usize) -> Result<(Array2<f32>, Vec<usize>)> {
    let mut values = Vec::with_capacity(cells.value_data().len() / FLOAT);
    let mut cell_of = Vec::with_capacity(cells.len());
    for (at, cell) in cells.iter().enumerate() {
        let is_whole =
            |cell: &&[u8]| wide > 0 && !cell.is_empty() && cell.len().is_multiple_of(wide);
        let cell = cell.filter(is_whole).ok_or_else(missing)?;
        let (parts, _) = cell.as_chunks();
        values.extend(parts.iter().map(|&part| f32::from_le_bytes(part)));
        cell_of.extend(std::iter::repeat_n(at, cell.len() / wide));
    }
    let rows = Array2::from_shape_vec((cell_of.len(), wide / FLOAT), values).map_err(refused)?;
    Ok((rows, cell_of))
}

fn missing() -> datafusion::error::DataFusionError {
    refused("an embedding is missing, or of another dimension")
}
