//! The cache in host memory: every row has memory of its own, in which keys and values lie as the projections write them. So
//! rows leave, join and change places without being copied, and may be of different lengths.

use std::ops::Range;

use candle_core::{Device, Tensor};
use fgd_kernels::{Level, Lookup, Scratch, Strided};
use rayon::prelude::*;

use super::{Beginning, full};
use crate::error::Result;
use crate::layers::host;

/// Tasks for each thread.
const TASKS: usize = 4;

pub struct HostCache {
    prompts: Vec<Prompt>,
    /// Position bias by distance, the farthest first: [heads, longest].
    bias: Vec<f32>,
    longest: usize,
}

struct Prompt {
    /// What each block's rows see of it.
    seen: Vec<Memory>,
    mask: Option<Vec<f32>>,
    rows: Vec<Row>,
}

/// What each block remembers of a sequence.
#[derive(Clone)]
struct Row(Vec<Memory>);

/// Keys and values, [tokens, heads·d_kv].
struct Memory {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Clone for Memory {
    /// With as much room.
    fn clone(&self) -> Self {
        let [keys, values] = [&self.keys, &self.values].map(|from| {
            let mut copy = Vec::with_capacity(from.capacity());
            copy.extend_from_slice(from);
            copy
        });
        Self { keys, values }
    }
}

/// A row's query, and what it is to look at.
struct Look<'a> {
    query: &'a [f32],
    memory: &'a Memory,
    mask: Option<&'a [f32]>,
}

impl HostCache {
    pub fn new(beginning: Beginning) -> Result<Self> {
        let Beginning { prompts, mask, bias, rows_per_prompt, longest } = beginning;
        let masks: Option<Vec<Vec<f32>>> = mask.map(|mask| mask.to_vec2()).transpose()?;
        let (count, _, width) = prompts[0][0].dims3()?;
        let rows = || {
            let room = || Vec::with_capacity(longest * width);
            let memory = |_: &_| Memory { keys: room(), values: room() };
            (0..rows_per_prompt).map(|_| Row(prompts.iter().map(memory).collect())).collect()
        };
        let own = (0..count).map(|at| {
            let part = |x: &Tensor| host::values(&x.narrow(0, at, 1)?, <[f32]>::to_vec);
            let seen = prompts
                .iter()
                .map(|[keys, values]| Ok(Memory { keys: part(keys)?, values: part(values)? }));
            let mask = masks.as_ref().map(|masks| masks[at].clone());
            Ok(Prompt { seen: seen.collect::<Result<_>>()?, mask, rows: rows() })
        });
        let own = own.collect::<Result<_>>()?;
        Ok(Self { prompts: own, bias: bias.flatten_all()?.to_vec1()?, longest })
    }

    pub fn join(&mut self, other: Self) {
        self.prompts.extend(other.prompts);
    }

    pub fn go_on(&mut self, rows: &[Vec<usize>]) {
        for (prompt, places) in self.prompts.iter_mut().zip(rows) {
            let mut before: Vec<Option<Row>> = prompt.rows.drain(..).map(Some).collect();
            let rows = places.iter().enumerate().filter_map(|(at, place)| {
                match places[at + 1..].contains(place) {
                    true => before[*place].clone(),
                    false => before[*place].take(),
                }
            });
            prompt.rows = rows.collect();
        }
        self.prompts.retain(|prompt| !prompt.rows.is_empty());
    }

    pub fn own(&mut self, block: usize, [queries, keys, values]: [&Tensor; 3]) -> Result<Tensor> {
        let width = keys.dim(1)?;
        let rows = self.prompts.iter_mut().flat_map(|prompt| &mut prompt.rows);
        host::values(keys, |keys| {
            host::values(values, |values| {
                for (row, (key, value)) in rows.zip(keys.chunks(width).zip(values.chunks(width))) {
                    let memory = &mut row.0[block];
                    if memory.keys.len() == self.longest * width {
                        return Err(full(self.longest));
                    }
                    memory.keys.extend_from_slice(key);
                    memory.values.extend_from_slice(value);
                }
                Ok(())
            })
        })???;
        let rows = self.prompts.iter().flat_map(|prompt| &prompt.rows);
        let memories = rows.map(|row| (&row.0[block], None));
        self.look_up(queries, memories, Some(&self.bias))
    }

    pub fn prompt(&self, block: usize, queries: &Tensor) -> Result<Tensor> {
        let memories = self.prompts.iter().flat_map(|prompt| {
            let seen = (&prompt.seen[block], prompt.mask.as_deref());
            prompt.rows.iter().map(move |_| seen)
        });
        self.look_up(queries, memories, None)
    }

    /// Each row's queries [rows, heads·d_kv] to its memory.
    fn look_up<'a>(
        &self,
        queries: &Tensor,
        memories: impl Iterator<Item = (&'a Memory, Option<&'a [f32]>)>,
        bias: Option<&[f32]>,
    ) -> Result<Tensor> {
        let (rows, width) = queries.dims2()?;
        let heads = self.bias.len() / self.longest;
        let bias = |head: usize, keys: usize| {
            let end = (head + 1) * self.longest;
            bias.map(|bias| &bias[end - keys..end])
        };
        let context = host::values(queries, |queries| {
            let looks: Vec<Look> = queries
                .chunks(width)
                .zip(memories)
                .map(|(query, (memory, mask))| Look { query, memory, mask })
                .collect();
            let each = (rows * heads).div_ceil(TASKS * rayon::current_num_threads());
            let each = each.clamp(1, heads);
            // Rows of one prompt follow one another, which look at the same.
            let tasks: Vec<(usize, Range<usize>)> = (0..heads)
                .step_by(each)
                .flat_map(|from| (0..rows).map(move |row| (row, from..heads.min(from + each))))
                .collect();
            let looked = |scratch: &mut Scratch, (row, own): &(usize, Range<usize>)| {
                looks[*row].at(own.clone(), width / heads, &bias, scratch)
            };
            let blocks: Vec<Vec<f32>> =
                tasks.par_iter().map_init(Scratch::default, looked).collect();
            let mut context = vec![0f32; rows * width];
            for ((row, own), block) in tasks.iter().zip(blocks) {
                let at = row * width + own.start * (width / heads);
                context[at..at + block.len()].copy_from_slice(&block);
            }
            context
        })?;
        Ok(Tensor::from_vec(context, (rows, width), &Device::Cpu)?)
    }
}

impl Look<'_> {
    /// The context of some heads of so many columns.
    fn at<'b>(
        &self,
        heads: Range<usize>,
        width: usize,
        bias: impl Fn(usize, usize) -> Option<&'b [f32]>,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let stride = self.query.len();
        let keys = self.memory.keys.len() / stride;
        let mut context = vec![0f32; heads.len() * width];
        for (head, output) in heads.zip(context.chunks_mut(width)) {
            let from = head * width;
            Level::current().look_up(Lookup {
                query: &self.query[from..from + width],
                key: Strided { values: &self.memory.keys[from..], stride },
                value: Strided { values: &self.memory.values[from..], stride },
                keys,
                bias: bias(head, keys),
                mask: self.mask,
                output,
                scratch,
            });
        }
        context
    }
}
