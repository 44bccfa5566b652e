//! The cache in host memory: every row has memory of its own, in which the keys of a head lie together, and its values. So rows
//! leave, join and change places without being copied, and may be of different lengths.

use std::ops::Range;

use candle_core::Tensor;
use fgd_kernels::{Form, Level, Lookup, Scratch};

use super::{Beginning, full};
use crate::error::Result;
use crate::layers::host;
use crate::t5::step::Room;

pub struct HostCache {
    prompts: Vec<Prompt>,
    /// Position bias by distance, the farthest first: [heads, longest].
    bias: Vec<f32>,
    longest: usize,
    /// What steps work in.
    room: Room,
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

/// Keys and values, [heads, room] vectors of `width` numbers each as `form` rounds them, of which so many tokens are there.
#[derive(Clone)]
struct Memory {
    keys: Vec<i32>,
    values: Vec<i32>,
    shape: Shape,
    tokens: usize,
}

/// How a head's keys lie, and its values.
#[derive(Clone, Copy)]
struct Shape {
    form: Form,
    /// Numbers of a key.
    width: usize,
    /// Most tokens.
    room: usize,
}

impl Shape {
    /// Words of all keys of a head.
    fn words(self) -> usize {
        self.room * self.form.input_words(self.width)
    }
}

impl Memory {
    /// Room for tokens of so many heads.
    fn new(shape: Shape, heads: usize) -> Self {
        let [keys, values] = [0, 1].map(|_| vec![0; heads * shape.words()]);
        Self { keys, values, shape, tokens: 0 }
    }

    /// Divides it into ranges of heads, which lie side by side. One more token is theirs to write.
    fn divide<'a>(&'a mut self, heads: &'a [Range<usize>]) -> impl Iterator<Item = Part<'a>> {
        let (shape, tokens) = (self.shape, self.tokens);
        self.tokens += 1;
        let (mut keys, mut values) = (&mut *self.keys, &mut *self.values);
        heads.iter().map(move |heads| {
            let split = |all: &mut &'a mut [i32]| {
                all.split_off_mut(..heads.len() * shape.words()).unwrap_or_default()
            };
            Part { keys: split(&mut keys), values: split(&mut values), shape, tokens }
        })
    }
}

/// Some heads of a row's memory.
pub struct Part<'a> {
    keys: &'a mut [i32],
    values: &'a mut [i32],
    shape: Shape,
    tokens: usize,
}

impl Part<'_> {
    /// One more token: its key and its value, [heads, d_kv].
    fn push(&mut self, key: &[f32], value: &[f32]) {
        let Shape { form, width, .. } = self.shape;
        let words = form.input_words(width);
        for (memory, newest) in [(&mut *self.keys, key), (&mut *self.values, value)] {
            let of_head = memory.chunks_mut(self.shape.words());
            for (memory, newest) in of_head.zip(newest.chunks(width)) {
                let place = &mut memory[self.tokens * words..][..words];
                form.round(Level::current(), newest, place);
            }
        }
        self.tokens += 1;
    }
}

/// Position bias by distance of all heads, the farthest first.
#[derive(Clone, Copy)]
pub struct Bias<'a> {
    of_heads: &'a [f32],
    longest: usize,
}

impl Bias<'_> {
    /// That of the last so many keys.
    fn of(&self, head: usize, keys: usize) -> &[f32] {
        let end = (head + 1) * self.longest;
        &self.of_heads[end - keys..end]
    }
}

impl HostCache {
    pub fn new(beginning: Beginning) -> Result<Self> {
        let Beginning { prompts, sources, seen, mask, bias, rows_per_prompt, longest, form } =
            beginning;
        let masks: Option<Vec<Vec<f32>>> = mask.map(|mask| mask.to_vec2()).transpose()?;
        let (heads, width) = (bias.dim(0)?, seen[0][0].dim(1)?);
        let whole = 0..heads;
        let memory = |room| Memory::new(Shape { form, width: width / heads, room }, heads);
        let rows = || {
            let row = || Row(seen.iter().map(|_| memory(longest)).collect());
            (0..rows_per_prompt).map(|_| row()).collect()
        };
        let own = (0..prompts).map(|at| {
            let seen = seen.iter().map(|[keys, values]| {
                let of_prompt = |all: &Tensor| all.narrow(0, at * sources, sources);
                let (keys, values) = (of_prompt(keys)?, of_prompt(values)?);
                let mut memory = memory(sources);
                host::values(&keys, |keys| {
                    host::values(&values, |values| {
                        for (key, value) in keys.chunks(width).zip(values.chunks(width)) {
                            let all = std::slice::from_ref(&whole);
                            let parts = memory.divide(all);
                            parts.for_each(|mut part| part.push(key, value));
                        }
                    })
                })??;
                Ok(memory)
            });
            let mask = masks.as_ref().map(|masks| masks[at].clone());
            Ok(Prompt { seen: seen.collect::<Result<_>>()?, mask, rows: rows() })
        });
        let prompts = own.collect::<Result<_>>()?;
        let bias = bias.flatten_all()?.to_vec1()?;
        Ok(Self { prompts, bias, longest, room: Room::default() })
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

    /// Rows of all prompts.
    pub fn rows(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.rows.len()).sum()
    }

    pub fn take_room(&mut self) -> Room {
        std::mem::take(&mut self.room)
    }

    pub fn give_room(&mut self, room: Room) {
        self.room = room;
    }

    /// For each range of heads what a block remembers of every row, with room for one more token; and the position bias.
    pub fn own<'a>(
        &'a mut self,
        block: usize,
        heads: &'a [Range<usize>],
    ) -> Result<(Vec<Vec<Part<'a>>>, Bias<'a>)> {
        let mut parts: Vec<Vec<Part>> = heads.iter().map(|_| Vec::new()).collect();
        for row in self.prompts.iter_mut().flat_map(|prompt| &mut prompt.rows) {
            let memory = &mut row.0[block];
            if memory.tokens == self.longest {
                return Err(full(self.longest));
            }
            let of_row = memory.divide(heads);
            parts.iter_mut().zip(of_row).for_each(|(parts, of_row)| parts.push(of_row));
        }
        Ok((parts, Bias { of_heads: &self.bias, longest: self.longest }))
    }
}

/// What some heads have looked up.
#[derive(Default)]
pub struct Heads {
    context: Vec<f32>,
    scratch: Scratch,
}

impl Heads {
    /// [rows × columns of whole panels]
    pub fn context(&self) -> &[f32] {
        &self.context
    }

    /// Looks up rows' queries in their memories, to which their keys and values are added: each [rows × columns of whole panels].
    pub fn look_at_own(
        &mut self,
        heads: Range<usize>,
        [queries, keys, values]: [&[f32]; 3],
        rows: Vec<Part>,
        bias: Bias,
    ) {
        self.context.resize(queries.len(), 0.0);
        if heads.is_empty() {
            return;
        }
        let stride = queries.len() / rows.len();
        for (row, mut part) in rows.into_iter().enumerate() {
            let Shape { form, width, .. } = part.shape;
            let newest = row * stride..row * stride + heads.len() * width;
            part.push(&keys[newest.clone()], &values[newest]);
            for (at, head) in heads.clone().enumerate() {
                let column = row * stride + at * width;
                let from = at * part.shape.words();
                Level::current().look_up(Lookup {
                    query: &queries[column..column + width],
                    form,
                    key: &part.keys[from..],
                    value: &part.values[from..],
                    next: part.shape.words(),
                    keys: part.tokens,
                    bias: Some(bias.of(head, part.tokens)),
                    mask: None,
                    output: &mut self.context[column..column + width],
                    scratch: &mut self.scratch,
                });
            }
        }
    }

    /// Looks up rows' queries [rows × columns of whole panels] in what a block remembers of their prompts.
    pub fn look_at_prompts(
        &mut self,
        heads: Range<usize>,
        queries: &[f32],
        cache: &HostCache,
        block: usize,
    ) {
        self.context.resize(queries.len(), 0.0);
        let (stride, mut first) = (queries.len() / cache.rows(), 0);
        for prompt in &cache.prompts {
            let memory = &prompt.seen[block];
            let Shape { form, width, .. } = memory.shape;
            for (at, head) in heads.clone().enumerate() {
                let from = head * memory.shape.words();
                // All rows of a prompt look at the same.
                for row in first..first + prompt.rows.len() {
                    let column = row * stride + at * width;
                    Level::current().look_up(Lookup {
                        query: &queries[column..column + width],
                        form,
                        key: &memory.keys[from..],
                        value: &memory.values[from..],
                        next: memory.shape.words(),
                        keys: memory.tokens,
                        bias: None,
                        mask: prompt.mask.as_deref(),
                        output: &mut self.context[column..column + width],
                        scratch: &mut self.scratch,
                    });
                }
            }
            first += prompt.rows.len();
        }
    }
}
