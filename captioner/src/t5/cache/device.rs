//! The cache on a device. Keys and values stay where they were written; which of them a row has is a list on the host, and what
//! leaves or changes places is that list.

use candle_core::{DType, Device, Tensor};

use super::{Beginning, full};
use crate::error::{Error, Result};
use crate::layers::{Memory, NOWHERE, Reader, Replay};

pub struct DeviceCache {
    memory: Blocks,
    prompts: Vec<Prompt>,
    /// Places of the rows' own tokens that are taken, and all of them.
    taken: usize,
    room: usize,
    /// What the next step is computed in, if there was one.
    desk: Option<Desk>,
    reader: Reader,
}

/// What the decoder's blocks remember.
pub struct Blocks {
    blocks: Vec<Block>,
    /// Position bias by distance, the farthest first: [heads, longest].
    bias: Tensor,
}

/// The tensors of a step, the same for all steps of so many rows, so that one can be recorded.
struct Desk {
    /// Rows, of which the last ones may be nobody's.
    rows: usize,
    embedded: Tensor,
    places: Places,
    logits: Tensor,
    replay: Replay,
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
struct Places {
    own: Tensor,
    seen: Tensor,
}

/// What the blocks of a step look at.
pub struct View<'a> {
    memory: &'a Blocks,
    places: &'a Places,
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
            memory: Blocks { blocks: blocks.collect::<candle_core::Result<_>>()?, bias },
            prompts: (0..prompts).map(prompt).collect(),
            taken: 0,
            room,
            desk: None,
            reader: Reader::default(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    /// Becomes another, which reads in the memory of this one.
    pub fn begin_again(&mut self, other: Self) {
        let reader = std::mem::take(&mut self.reader);
        *self = Self { reader, ..other };
    }

    pub fn go_on(&mut self, rows: &[Vec<usize>]) {
        for (prompt, places) in self.prompts.iter_mut().zip(rows) {
            prompt.rows = places.iter().map(|place| prompt.rows[*place].clone()).collect();
        }
        self.prompts.retain(|prompt| !prompt.rows.is_empty());
    }

    /// A step of every row's newest token: `compute` makes the logits of embedded rows in what it is given, which is the same tensors
    /// from one step to the next as long as about as many rows are left.
    pub fn step(
        &mut self,
        embedded: &Tensor,
        vocabulary: usize,
        compute: impl Fn(&Tensor, View, &Tensor) -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        let rows = embedded.dim(0)?;
        self.take_places(rows)?;
        let mut desk = match self.desk.take() {
            Some(desk) if (rows..=2 * rows).contains(&desk.rows) => desk,
            _ => self.desk(embedded, vocabulary)?,
        };
        desk.embedded.slice_set(&embedded.contiguous()?, 0, 0)?;
        let [own, seen] = self.tables(desk.rows)?;
        desk.places.own.slice_set(&own, 0, 0)?;
        desk.places.seen.slice_set(&seen, 0, 0)?;
        let (memory, places) = (&self.memory, &desk.places);
        desk.replay
            .run(embedded, || compute(&desk.embedded, View { memory, places }, &desk.logits))?;
        let logits = self.reader.rows(&desk.logits.narrow(0, 0, rows)?)?;
        self.desk = Some(desk);
        Ok(logits)
    }

    /// A place for the newest token of every row.
    fn take_places(&mut self, rows: usize) -> Result<()> {
        let longest = self.memory.bias.dim(1)?;
        let all = self.prompts.iter_mut().flat_map(|prompt| &mut prompt.rows);
        let mut all: Vec<&mut Vec<u32>> = all.collect();
        if rows != all.len() || rows == 0 {
            let reason = format!("{rows} tokens for the {} rows of a batch", all.len());
            return Err(Error::Setting(reason));
        }
        if self.taken + rows > self.room || all.iter().any(|row| row.len() == longest) {
            return Err(full(longest));
        }
        all.iter_mut().zip(self.taken as u32..).for_each(|(row, place)| row.push(place));
        self.taken += rows;
        Ok(())
    }

    fn desk(&self, embedded: &Tensor, vocabulary: usize) -> Result<Desk> {
        let (rows, width) = embedded.dims2()?;
        let device = embedded.device();
        let [own, seen] = self.tables(rows)?;
        Ok(Desk {
            rows,
            embedded: Tensor::zeros((rows, width), embedded.dtype(), device)?,
            places: Places { own, seen },
            logits: Tensor::zeros((rows, vocabulary), DType::F32, device)?,
            replay: Replay::default(),
        })
    }

    /// The places of so many rows, at the end of rows of a table that is as wide for every step; rows that are nobody's have none.
    fn tables(&self, rows: usize) -> Result<[Tensor; 2]> {
        let sources = self.prompts.iter().map(|prompt| prompt.seen.len()).max().unwrap_or(0);
        let own = self.prompts.iter().flat_map(|p| p.rows.iter().map(Vec::as_slice));
        let seen = self.prompts.iter();
        let seen = seen.flat_map(|p| std::iter::repeat_n(p.seen.as_slice(), p.rows.len()));
        let (longest, device) = (self.memory.bias.dim(1)?, self.memory.bias.device());
        Ok([table(own, [rows, longest], device)?, table(seen, [rows, sources], device)?])
    }
}

impl View<'_> {
    /// What the newest token [rows, heads·d_kv] finds among those of its row, itself included.
    pub fn own(&self, block: usize, [q, k, v]: [&Tensor; 3]) -> Result<Tensor> {
        let Blocks { blocks, bias } = self.memory;
        let (places, heads) = (&self.places.own, bias.dim(0)?);
        blocks[block].own.look_up(q, Some([k, v]), places, Some(bias), heads)
    }

    /// What queries [rows, heads·d_kv] find in their prompts.
    pub fn prompt(&self, block: usize, queries: &Tensor) -> Result<Tensor> {
        let Blocks { blocks, bias } = self.memory;
        blocks[block].seen.look_up(queries, None, &self.places.seen, None, bias.dim(0)?)
    }
}

/// Lists of different lengths as a table, each at the end of a row.
fn table<'a>(
    lists: impl Iterator<Item = &'a [u32]>,
    [rows, width]: [usize; 2],
    device: &Device,
) -> Result<Tensor> {
    let mut all = vec![NOWHERE; rows * width];
    for (row, list) in all.chunks_mut(width.max(1)).zip(lists) {
        row[width - list.len()..].copy_from_slice(list);
    }
    Ok(Tensor::from_vec(all, (rows, width), device)?)
}
