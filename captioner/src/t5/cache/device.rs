//! The cache on a device, in candle's operations: rows of equal length, whose keys and values are written into tensors allocated
//! once for the longest sequence.

use candle_core::Tensor;

use super::{Beginning, full};
use crate::error::Result;
use crate::layers::{Mask, attention, heads};
use crate::weights::Arithmetic;

/// The device's own numbers; where this stands in for the host's cache in tests, nothing is rounded.
const EXACT: Arithmetic = Arithmetic::Exact;

pub struct DeviceCache {
    blocks: Vec<Block>,
    mask: Option<Mask>,
    bias: Tensor,
    /// Sequences of each prompt, none of them 0.
    rows: Vec<usize>,
    length: usize,
}

/// Own [rows, heads, longest, d_kv], those of the prompts [prompts, heads, source, d_kv].
struct Block {
    own_keys: Tensor,
    own_values: Tensor,
    prompt_keys: Tensor,
    prompt_values: Tensor,
}

impl DeviceCache {
    pub fn new(beginning: Beginning) -> Result<Self> {
        let Beginning { prompts, mask, bias, rows_per_prompt, longest, .. } = beginning;
        let count = bias.dim(0)?;
        let blocks = prompts.iter().map(|[keys, values]| {
            let [keys, values] = [heads(keys, count)?, heads(values, count)?];
            let (prompts, _, _, dim) = keys.dims4()?;
            let shape = (prompts * rows_per_prompt, count, longest, dim);
            Ok(Block {
                own_keys: Tensor::zeros(shape, keys.dtype(), keys.device())?,
                own_values: Tensor::zeros(shape, keys.dtype(), keys.device())?,
                prompt_keys: keys.contiguous()?,
                prompt_values: values.contiguous()?,
            })
        });
        let rows = vec![rows_per_prompt; prompts[0][0].dim(0)?];
        let blocks = blocks.collect::<Result<_>>()?;
        Ok(Self { blocks, mask: mask.cloned(), bias, rows, length: 0 })
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        let mut first = 0;
        let mut kept: Vec<u32> = Vec::new();
        for (count, places) in self.rows.iter().zip(rows) {
            kept.extend(places.iter().map(|place| (first + place) as u32));
            first += count;
        }
        let open: Vec<u32> =
            (0..).zip(rows).filter(|(_, r)| !r.is_empty()).map(|(p, _)| p).collect();
        let moved = kept.len() < first || kept.iter().zip(0..).any(|(from, to)| *from != to);
        let left = open.len() < self.rows.len();
        self.rows = rows.iter().map(Vec::len).filter(|count| *count > 0).collect();
        if self.rows.is_empty() {
            self.blocks.clear();
            return Ok(());
        }
        let device = self.bias.device();
        let (kept, open) = (Tensor::new(&kept[..], device)?, Tensor::new(&open[..], device)?);
        for block in &mut self.blocks {
            if moved {
                block.own_keys = filled(&block.own_keys, &kept, self.length)?;
                block.own_values = filled(&block.own_values, &kept, self.length)?;
            }
            if left {
                block.prompt_keys = block.prompt_keys.index_select(&open, 0)?;
                block.prompt_values = block.prompt_values.index_select(&open, 0)?;
            }
        }
        if left {
            self.mask = self.mask.as_ref().map(|m| m.index_select(&open, 0)).transpose()?;
        }
        Ok(())
    }

    pub fn own(&mut self, block: usize, newest: [&Tensor; 3]) -> Result<Tensor> {
        let (count, _, longest) = self.bias.dims3()?;
        if block == 0 && self.length == longest {
            return Err(full(longest));
        }
        self.length += usize::from(block == 0);
        let length = self.length;
        let as_heads = |x: &Tensor| heads(&x.unsqueeze(1)?, count);
        let [q, k, v] = [as_heads(newest[0])?, as_heads(newest[1])?, as_heads(newest[2])?];
        let own = &self.blocks[block];
        own.own_keys.slice_set(&k.contiguous()?, 2, length - 1)?;
        own.own_values.slice_set(&v.contiguous()?, 2, length - 1)?;
        let bias = self.bias.narrow(2, longest - length, length)?.contiguous()?;
        let (keys, values) =
            (own.own_keys.narrow(2, 0, length)?, own.own_values.narrow(2, 0, length)?);
        Ok(attention([&q, &keys, &values], 1.0, Some(&bias), None, EXACT)?.squeeze(1)?)
    }

    /// The rows of one prompt are so many queries to the same keys, so these are never repeated per row.
    pub fn prompt(&self, block: usize, queries: &Tensor) -> Result<Tensor> {
        let (rows, width) = queries.dims2()?;
        let (count, Block { prompt_keys, prompt_values, .. }) =
            (self.bias.dim(0)?, &self.blocks[block]);
        let each = self.rows[0];
        if self.rows.iter().all(|rows| *rows == each) {
            let q = heads(&queries.reshape((rows / each, each, width))?, count)?;
            let all = [&q, prompt_keys, prompt_values];
            let mixed = attention(all, 1.0, None, self.mask.as_ref(), EXACT)?;
            return Ok(mixed.reshape((rows, width))?);
        }
        let mut first = 0;
        let mut mixed = Vec::with_capacity(self.rows.len());
        for (prompt, rows) in self.rows.iter().enumerate() {
            let one = |x: &Tensor| x.narrow(0, prompt, 1);
            let q = heads(&queries.narrow(0, first, *rows)?.unsqueeze(0)?, count)?;
            let mask = self.mask.as_ref().map(one).transpose()?;
            let (keys, values) = (one(prompt_keys)?, one(prompt_values)?);
            let one = attention([&q, &keys, &values], 1.0, None, mask.as_ref(), EXACT)?;
            mixed.push(one.squeeze(0)?);
            first += rows;
        }
        Ok(Tensor::cat(&mixed, 0)?)
    }
}

/// The chosen rows of [rows, heads, longest, d], copying only the `length` positions that are filled.
fn filled(x: &Tensor, rows: &Tensor, length: usize) -> Result<Tensor> {
    let (_, heads, longest, dim) = x.dims4()?;
    let out = Tensor::zeros((rows.elem_count(), heads, longest, dim), x.dtype(), x.device())?;
    if length > 0 {
        out.slice_set(&x.narrow(2, 0, length)?.contiguous()?.index_select(rows, 0)?, 2, 0)?;
    }
    Ok(out)
}
