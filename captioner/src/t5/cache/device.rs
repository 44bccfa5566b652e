//! The cache on a device. Keys and values stay where they were written; which of them a row has is a list on the host, and what
//! leaves, joins or changes places is that list.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::{Beginning, full};
use crate::error::{Error, Result};
use crate::layers::{Memory, NOWHERE, Reader};

pub struct DeviceCache {
    blocks: Vec<Block>,
    prompts: Vec<Prompt>,
    /// Position bias by distance, the farthest first: [heads, longest].
    bias: Tensor,
    /// Places of the rows' own tokens that are taken, and all of them.
    taken: usize,
    room: usize,
    /// Reads the logits.
    pub reader: Reader,
}

/// What a block remembers: of the rows' own tokens, and of the prompts.
struct Block {
    own: Memory,
    seen: Memory,
}

/// Places of a prompt, and of each of its rows.
struct Prompt {
    seen: Vec<u32>,
    rows: Vec<Vec<u32>>,
}

/// Where a step looks: [rows, keys] of their own, and of their prompts.
pub struct Places {
    own: Tensor,
    seen: Tensor,
}

impl DeviceCache {
    pub fn new(beginning: Beginning) -> Result<Self> {
        let Beginning { prompts, sources, seen, mask, bias, rows_per_prompt, longest, .. } =
            beginning;
        let hidden: Option<Vec<Vec<f32>>> = mask.map(|mask| mask.to_vec2()).transpose()?;
        let is_hidden = |prompt: usize, source: usize| {
            hidden.as_ref().is_some_and(|hidden| hidden[prompt][source] < 0.0)
        };
        let place = |prompt: usize, source: usize| match is_hidden(prompt, source) {
            true => NOWHERE,
            false => (prompt * sources + source) as u32,
        };
        let prompt = |at: usize| Prompt {
            seen: (0..sources).map(|source| place(at, source)).collect(),
            rows: vec![Vec::new(); rows_per_prompt],
        };
        let room = prompts * rows_per_prompt * longest;
        let blocks = seen.into_iter().map(|[keys, values]| {
            let zeros = || Tensor::zeros((room, keys.dim(1)?), keys.dtype(), keys.device());
            Ok(Block {
                own: Memory { keys: zeros()?, values: zeros()? },
                seen: Memory { keys, values },
            })
        });
        Ok(Self {
            blocks: blocks.collect::<candle_core::Result<_>>()?,
            prompts: (0..prompts).map(prompt).collect(),
            bias,
            taken: 0,
            room,
            reader: Reader::default(),
        })
    }

    /// Adds another's prompts. What nobody looks at any more is left behind.
    pub fn join(&mut self, mut other: Self) -> Result<()> {
        if self.prompts.is_empty() {
            let reader = std::mem::take(&mut self.reader);
            *self = Self { reader, ..other };
            return Ok(());
        }
        let seen = numbered([&mut self.prompts, &mut other.prompts], |prompt| {
            std::slice::from_mut(&mut prompt.seen)
        });
        let own =
            numbered([&mut self.prompts, &mut other.prompts], |prompt| prompt.rows.as_mut_slice());
        self.prompts.extend(other.prompts);
        let rows: usize = self.prompts.iter().map(|prompt| prompt.rows.len()).sum();
        self.taken = own.iter().map(Vec::len).sum();
        self.room = self.taken + rows * self.bias.dim(1)?;
        for (block, other) in self.blocks.iter_mut().zip(&other.blocks) {
            block.seen = gathered([&block.seen, &other.seen], &seen, 0)?;
            block.own = gathered([&block.own, &other.own], &own, self.room - self.taken)?;
        }
        Ok(())
    }

    pub fn go_on(&mut self, rows: &[Vec<usize>]) {
        for (prompt, places) in self.prompts.iter_mut().zip(rows) {
            prompt.rows = places.iter().map(|place| prompt.rows[*place].clone()).collect();
        }
        self.prompts.retain(|prompt| !prompt.rows.is_empty());
    }

    /// A place for the newest token of every row.
    pub fn begin_step(&mut self, rows: usize) -> Result<Places> {
        let expected: usize = self.prompts.iter().map(|prompt| prompt.rows.len()).sum();
        if rows != expected || rows == 0 {
            let reason = format!("{rows} tokens for the {expected} rows of a batch");
            return Err(Error::Setting(reason));
        }
        let longest = self.bias.dim(1)?;
        let mut all: Vec<&mut Vec<u32>> =
            self.prompts.iter_mut().flat_map(|prompt| &mut prompt.rows).collect();
        if self.taken + rows > self.room || all.iter().any(|row| row.len() == longest) {
            return Err(full(longest));
        }
        all.iter_mut().zip(self.taken as u32..).for_each(|(row, place)| row.push(place));
        self.taken += rows;
        let prompts = || self.prompts.iter();
        let own: Vec<&[u32]> = prompts().flat_map(|p| p.rows.iter().map(|row| &row[..])).collect();
        let seen: Vec<&[u32]> =
            prompts().flat_map(|p| std::iter::repeat_n(&p.seen[..], p.rows.len())).collect();
        let device = self.bias.device();
        Ok(Places { own: table(&own, device)?, seen: table(&seen, device)? })
    }

    /// What the newest token [rows, heads·d_kv] finds among those of its row, itself included.
    pub fn own(&self, block: usize, [q, k, v]: [&Tensor; 3], places: &Places) -> Result<Tensor> {
        let heads = self.bias.dim(0)?;
        self.blocks[block].own.look_up(q, Some([k, v]), &places.own, Some(&self.bias), heads)
    }

    /// What queries [rows, heads·d_kv] find in their prompts.
    pub fn prompt(&self, block: usize, queries: &Tensor, places: &Places) -> Result<Tensor> {
        self.blocks[block].seen.look_up(queries, None, &places.seen, None, self.bias.dim(0)?)
    }
}

/// Rows of different lengths as a table, each at its end.
fn table(rows: &[&[u32]], device: &Device) -> Result<Tensor> {
    let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let padded = |row: &&[u32]| {
        let nowhere = std::iter::repeat_n(NOWHERE, longest - row.len());
        nowhere.chain(row.iter().copied()).collect::<Vec<u32>>()
    };
    let all: Vec<u32> = rows.iter().flat_map(padded).collect();
    Ok(Tensor::from_vec(all, (rows.len(), longest), device)?)
}

/// Numbers the places that prompts of two caches have, one after the other; answers those of each that are in use, in that order.
fn numbered(
    prompts: [&mut [Prompt]; 2],
    lists: impl Fn(&mut Prompt) -> &mut [Vec<u32>],
) -> [Vec<u32>; 2] {
    let mut next = 0;
    prompts.map(|prompts| {
        let (mut numbers, mut used) = (HashMap::new(), Vec::new());
        let places = prompts.iter_mut().flat_map(|prompt| lists(prompt).iter_mut().flatten());
        for place in places.filter(|place| **place != NOWHERE) {
            *place = *numbers.entry(*place).or_insert_with(|| {
                used.push(*place);
                next += 1;
                next - 1
            });
        }
        used
    })
}

/// Places of two memories one after the other, and room for more.
fn gathered(memories: [&Memory; 2], used: &[Vec<u32>; 2], room: usize) -> Result<Memory> {
    let gather = |tensors: [&Tensor; 2]| -> Result<Tensor> {
        let [first, _] = tensors;
        let mut all = Vec::new();
        for (tensor, used) in tensors.into_iter().zip(used).filter(|(_, used)| !used.is_empty()) {
            let used = Tensor::new(&used[..], tensor.device())?;
            all.push(tensor.contiguous()?.index_select(&used, 0)?);
        }
        if room > 0 {
            all.push(Tensor::zeros((room, first.dim(1)?), first.dtype(), first.device())?);
        }
        Ok(Tensor::cat(&all, 0)?)
    };
    Ok(Memory {
        keys: gather(memories.map(|memory| &memory.keys))?,
        values: gather(memories.map(|memory| &memory.values))?,
    })
}
