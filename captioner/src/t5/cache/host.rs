//! The cache in host memory: every row has memory of its own, in which the keys of a head lie together, and its values. So rows
//! leave, join and change places without being copied, and may be of different lengths.

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

/// Keys and values, [heads, room, d_kv], of which so many tokens are there.
#[derive(Clone)]
struct Memory {
    keys: Vec<f32>,
    values: Vec<f32>,
    room: usize,
    tokens: usize,
}

impl Memory {
    /// Room for so many tokens of so many numbers.
    fn new(room: usize, width: usize) -> Self {
        let [keys, values] = [0, 1].map(|_| vec![0f32; room * width]);
        Self { keys, values, room, tokens: 0 }
    }

    /// One more token: its key and its value, [heads, d_kv].
    fn push(&mut self, key: &[f32], value: &[f32], heads: usize) {
        let (width, at) = (key.len() / heads, self.tokens);
        for (memory, newest) in [(&mut self.keys, key), (&mut self.values, value)] {
            let of_head = memory.chunks_mut(self.room * width);
            for (memory, newest) in of_head.zip(newest.chunks(width)) {
                memory[at * width..(at + 1) * width].copy_from_slice(newest);
            }
        }
        self.tokens += 1;
    }

    /// Keys and values of a head of so many columns.
    fn of_head(&self, head: usize, width: usize) -> [Strided<'_>; 2] {
        let from = head * self.room * width;
        [&self.keys, &self.values].map(|all| Strided { values: &all[from..], stride: width })
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
        let (heads, (count, source, width)) = (bias.dim(0)?, prompts[0][0].dims3()?);
        let rows = || {
            let row = || Row(prompts.iter().map(|_| Memory::new(longest, width)).collect());
            (0..rows_per_prompt).map(|_| row()).collect()
        };
        let own = (0..count).map(|at| {
            let seen = prompts.iter().map(|[keys, values]| {
                let (keys, values) = (keys.narrow(0, at, 1)?, values.narrow(0, at, 1)?);
                let mut memory = Memory::new(source, width);
                host::values(&keys, |keys| {
                    host::values(&values, |values| {
                        let tokens = keys.chunks(width).zip(values.chunks(width));
                        tokens.for_each(|(key, value)| memory.push(key, value, heads));
                    })
                })??;
                Ok(memory)
            });
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
        let (heads, width) = (self.bias.len() / self.longest, keys.dim(1)?);
        let rows = self.prompts.iter_mut().flat_map(|prompt| &mut prompt.rows);
        host::values(keys, |keys| {
            host::values(values, |values| {
                for (row, (key, value)) in rows.zip(keys.chunks(width).zip(values.chunks(width))) {
                    let memory = &mut row.0[block];
                    if memory.tokens == self.longest {
                        return Err(full(self.longest));
                    }
                    memory.push(key, value, heads);
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
                looks[*row].at(own.clone(), width / heads, bias, scratch)
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
        let keys = self.memory.tokens;
        let mut context = vec![0f32; heads.len() * width];
        for (head, output) in heads.zip(context.chunks_mut(width)) {
            let [key, value] = self.memory.of_head(head, width);
            Level::current().look_up(Lookup {
                query: &self.query[head * width..(head + 1) * width],
                key,
                value,
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
