//! What the decoder remembers between steps.
//!
//! Self-attention keys and values are written into tensors allocated once for the longest sequence; cross-attention keys
//! and values are projected once per prompt and shared by all its rows (beams). Rows can be reordered, duplicated and
//! dropped, which is all that beam search and finished captions need.

use candle_core::Tensor;

use crate::error::Result;
use crate::layers::Mask;

/// Decoder state for some sequences of each prompt, all of equal length.
pub struct Cache {
    pub(super) layers: Vec<LayerCache>,
    pub(super) mask: Option<Mask>,
    /// Sequences of each prompt, none of them 0.
    pub(super) rows: Vec<usize>,
    pub(super) length: usize,
    pub(super) max_length: usize,
}

/// One block's part: self [rows, heads, max_length, d_kv], cross [prompts, heads, source, d_kv].
pub(super) struct LayerCache {
    pub self_keys: Tensor,
    pub self_values: Tensor,
    pub cross_keys: Tensor,
    pub cross_values: Tensor,
}

impl Cache {
    /// Tokens seen so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Row `i` becomes what row `rows[i]` was; all within their prompt (beams changing places).
    ///
    /// # Errors
    /// A row that is not there.
    pub fn reorder(&mut self, rows: &[u32]) -> Result<()> {
        for layer in &mut self.layers {
            layer.self_keys = select_filled(&layer.self_keys, rows, self.length)?;
            layer.self_values = select_filled(&layer.self_values, rows, self.length)?;
        }
        Ok(())
    }

    /// Keeps only these rows, in this ascending order; a prompt without rows is gone.
    ///
    /// # Errors
    /// A row that is not there.
    pub fn keep_rows(&mut self, rows: &[u32]) -> Result<()> {
        self.reorder(rows)?;
        let mut end = 0;
        let mut left = rows.iter().map(|row| *row as usize).peekable();
        let counts: Vec<usize> = (self.rows.iter())
            .map(|count| {
                end += count;
                std::iter::from_fn(|| left.next_if(|row| *row < end)).count()
            })
            .collect();
        let kept: Vec<u32> =
            (0..).zip(&counts).filter(|(_, count)| **count > 0).map(|(prompt, _)| prompt).collect();
        let gone = kept.len() < self.rows.len();
        self.rows = counts.into_iter().filter(|count| *count > 0).collect();
        let Some(first) = self.layers.first().filter(|_| gone) else {
            return Ok(());
        };
        let ids = Tensor::new(kept.as_slice(), first.cross_keys.device())?;
        for layer in &mut self.layers {
            layer.cross_keys = layer.cross_keys.index_select(&ids, 0)?;
            layer.cross_values = layer.cross_values.index_select(&ids, 0)?;
        }
        self.mask = self.mask.as_ref().map(|m| m.index_select(&ids, 0)).transpose()?;
        Ok(())
    }
}

/// The chosen rows of [rows, heads, max, d], copying only the `length` positions that are filled.
fn select_filled(x: &Tensor, rows: &[u32], length: usize) -> Result<Tensor> {
    let (_, heads, max, dim) = x.dims4()?;
    let ids = Tensor::new(rows, x.device())?;
    let out = Tensor::zeros((rows.len(), heads, max, dim), x.dtype(), x.device())?;
    if length > 0 {
        let filled = x.narrow(2, 0, length)?.contiguous()?.index_select(&ids, 0)?;
        out.slice_set(&filled, 2, 0)?;
    }
    Ok(out)
}
