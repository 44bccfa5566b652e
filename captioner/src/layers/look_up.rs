//! Attention of one query in each row, among keys and values that lie anywhere in a memory: that of a decoder's step on a device.
//! A table names their places, so rows leave, change places and share what they have without a number being moved.

use candle_core::Tensor;

use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::gpu;

/// In a table: no key.
pub const NOWHERE: u32 = u32::MAX;

/// Keys and values [places, heads·dim], in memory of their own or as columns of one.
pub struct Memory {
    /// A key at each place.
    pub keys: Tensor,
    /// A value at each place.
    pub values: Tensor,
}

impl Memory {
    /// softmax(q·kᵀ + bias)·v for queries [rows, heads·dim] → [rows, heads·dim]. `table` [rows, keys] names the places of a row's keys.
    /// The newest keys and values, one of each row, are first written to the places that end its row of the table, which must follow one
    /// another; rows without one are the last, and nobody's. `bias` [heads, longest] is by distance, the farthest first.
    pub fn look_up(
        &self,
        queries: &Tensor,
        newest: Option<[&Tensor; 2]>,
        table: &Tensor,
        bias: Option<&Tensor>,
        heads: usize,
    ) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if queries.device().is_cuda() {
            let memory = [&self.keys, &self.values];
            return gpu::look_up(queries, newest, memory, table, bias, heads);
        }
        // The kernel's twin, for the tests of what stands on it.
        let (table, width) = (table.to_vec2::<u32>()?, queries.dim(1)?);
        let dim = width / heads;
        if let (Some([key, value]), Some(place)) =
            (newest, table.first().and_then(|row| row.last()))
        {
            let there = table.iter().filter(|row| row.last() != Some(&NOWHERE)).count();
            for (memory, newest) in [(&self.keys, key), (&self.values, value)] {
                memory.slice_set(&newest.narrow(0, 0, there)?.contiguous()?, 0, *place as usize)?;
            }
        }
        let [keys, values] = [self.keys.to_vec2::<f32>()?, self.values.to_vec2::<f32>()?];
        let bias = bias.map(|bias| bias.to_vec2::<f32>()).transpose()?;
        let mut out = Vec::with_capacity(table.len() * width);
        for (query, places) in queries.to_vec2::<f32>()?.iter().zip(&table) {
            for head in 0..heads {
                let of_head = head * dim..(head + 1) * dim;
                let score = |(at, place): (usize, &u32)| {
                    let key = &keys[*place as usize][of_head.clone()];
                    let score: f32 =
                        query[of_head.clone()].iter().zip(key).map(|(q, k)| q * k).sum();
                    let nearness = bias
                        .as_ref()
                        .map_or(0.0, |bias| bias[head][bias[head].len() - places.len() + at]);
                    (score + nearness, &values[*place as usize][of_head.clone()])
                };
                let there = places.iter().enumerate().filter(|(_, place)| **place != NOWHERE);
                let seen: Vec<(f32, &[f32])> = there.map(score).collect();
                let most = seen.iter().fold(f32::NEG_INFINITY, |most, (score, _)| most.max(*score));
                let total: f32 = seen.iter().map(|(score, _)| (score - most).exp()).sum();
                let weighed = |d| {
                    let all = seen.iter().map(|(score, value)| (score - most).exp() * value[d]);
                    all.sum::<f32>() / if seen.is_empty() { 1.0 } else { total }
                };
                out.extend((0..dim).map(weighed));
            }
        }
        Ok(Tensor::from_vec(out, (table.len(), width), queries.device())?)
    }
}
