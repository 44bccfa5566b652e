//! A step of the decoder in host memory. Every layer's outputs are divided into shares, and what a thread makes of a share goes as far
//! as it can before others are waited for: queries, keys and values of some heads become their context, gates meet what they gate.
//! Between them lie only what needs whole rows: sums, norms, and rounding for the next product.

use std::ops::Range;

use candle_core::Tensor;
use fgd_kernels::{Activation, Form, Level, PANEL, PanelProduct, Panels};
use rayon::prelude::*;

use super::cache::{Heads, HostCache};
use super::decoder::{Block, Decoder};
use crate::error::{Error, Result};
use crate::layers::{RmsNorm, host};

/// Shares of each thread: the others take some of them where one is held up.
const SHARES: usize = 2;

/// What a step works in, kept from one to the next.
#[derive(Default)]
pub struct Room {
    rows: usize,
    /// [rows × d_model]
    x: Vec<f32>,
    /// What the next products multiply, [rows × anything], and rounded for them.
    values: Vec<f32>,
    inputs: Vec<(Form, Vec<i32>)>,
    shares: Vec<Share>,
}

/// What of every layer one task computes.
#[derive(Default)]
struct Share {
    heads: Range<usize>,
    /// Panels of the heads' columns, of d_model, of the feed-forward layer, of the vocabulary.
    inner: Range<usize>,
    model: Range<usize>,
    wide: Range<usize>,
    words: Range<usize>,
    /// Results [rows × outputs of the panels]: queries, keys and values, or others.
    products: [Vec<f32>; 3],
    attention: Heads,
}

/// Part number `part` of `parts` nearly equal ones, in whole units.
fn part(total: usize, unit: usize, part: usize, parts: usize) -> Range<usize> {
    let begin = |part: usize| (total.div_ceil(unit) * part / parts * unit).min(total);
    begin(part)..begin(part + 1)
}

impl Decoder {
    /// [`Decoder::step`] in host memory.
    pub(super) fn step_on_host(
        &self,
        embedded: &Tensor,
        cache: &mut HostCache,
    ) -> Result<Vec<Vec<f32>>> {
        let (rows, expected) = (embedded.dim(0)?, cache.rows());
        if rows != expected || rows == 0 {
            let reason = format!("{rows} tokens for the {expected} rows of a batch");
            return Err(Error::Setting(reason));
        }
        let mut room = cache.take_room();
        let logits = self.through(embedded, cache, &mut room);
        cache.give_room(room);
        logits
    }

    fn through(
        &self,
        embedded: &Tensor,
        cache: &mut HostCache,
        room: &mut Room,
    ) -> Result<Vec<Vec<f32>>> {
        let head = self.lm_head.panels()?;
        room.begin(self, head, embedded)?;
        for (at, block) in self.blocks.iter().enumerate() {
            let own = &block.self_attention;
            let [q, k, v, o] = [&own.q, &own.k, &own.v, &own.o].map(|layer| layer.panels());
            let all = [q?, k?, v?];
            room.normalise(&block.self_norm, None, &all);
            room.attend_to_own(at, all, cache)?;
            room.add(o?);
            let [q, o] = [&block.cross_attention.q, &block.cross_attention.o].map(|l| l.panels());
            let q = q?;
            room.normalise(&block.cross_norm, None, &[q]);
            room.attend_to_prompt(at, q, cache);
            room.add(o?);
            room.feed_forward(block)?;
        }
        room.normalise(&self.final_layer_norm, self.logit_scale, &[head]);
        let Room { rows, shares, inputs, .. } = room;
        each(shares, |share| share.multiply(0, inputs, head, share.words.clone(), None));
        let [vocabulary, _] = head.sizes();
        let mut logits = vec![vec![0f32; vocabulary]; *rows];
        let to = logits.par_iter_mut().map(Vec::as_mut_slice);
        gather(shares, |share| (&share.words, &share.products[0]), to, vocabulary);
        Ok(logits)
    }
}

impl Room {
    /// The rows of the newest tokens, and who computes what.
    fn begin(&mut self, decoder: &Decoder, head: Panels, embedded: &Tensor) -> Result<()> {
        let (rows, d_model) = embedded.dims2()?;
        self.rows = rows;
        host::values(embedded, |x| {
            self.x.clear();
            self.x.extend_from_slice(x);
        })?;
        let Some(block) = decoder.blocks.first() else {
            return Ok(());
        };
        let heads = block.self_attention.heads;
        let ([inner, _], [wide, _]) =
            (block.self_attention.q.panels()?.sizes(), block.feed_forward.wi.panels()?.sizes());
        let width = inner / heads;
        // Products begin at panels.
        let unit = (1..=PANEL).find(|heads| (heads * width).is_multiple_of(PANEL)).unwrap_or(PANEL);
        let parts = SHARES * rayon::current_num_threads();
        self.shares.resize_with(parts, Share::default);
        for (at, share) in self.shares.iter_mut().enumerate() {
            let panels = |outputs: usize| part(outputs.div_ceil(PANEL), 1, at, parts);
            share.heads = part(heads, unit, at, parts);
            share.inner =
                share.heads.start * width / PANEL..(share.heads.end * width).div_ceil(PANEL);
            share.model = panels(d_model);
            share.wide = panels(wide);
            share.words = panels(head.sizes()[0]);
        }
        Ok(())
    }

    /// The inputs of layers: x, normalised and scaled.
    fn normalise(&mut self, norm: &RmsNorm, scale: Option<f64>, layers: &[Panels]) {
        let width = self.x.len() / self.rows;
        self.values.resize(self.x.len(), 0.0);
        let rows = self.values.par_chunks_mut(width).zip(self.x.par_chunks(width));
        rows.with_max_len(1).for_each(|(to, x)| {
            norm.write(x, to);
            if let Some(scale) = scale {
                to.iter_mut().for_each(|to| *to *= scale as f32);
            }
        });
        self.round(layers);
    }

    /// Rounds the values for layers.
    fn round(&mut self, layers: &[Panels]) {
        let width = self.values.len() / self.rows;
        self.inputs.retain(|(form, _)| layers.iter().any(|w| w.form() == *form));
        for layer in layers {
            let form = layer.form();
            if !self.inputs.iter().any(|(other, _)| *other == form) {
                self.inputs.push((form, Vec::new()));
            }
        }
        for (form, words) in &mut self.inputs {
            let each = form.input_words(width);
            words.resize(self.rows * each, 0);
            let rows = words.par_chunks_mut(each).zip(self.values.par_chunks(width));
            rows.with_max_len(1).for_each(|(to, x)| form.round(Level::current(), x, to));
        }
    }

    /// The rows' attention to their own tokens, the newest among them, as the values.
    fn attend_to_own(
        &mut self,
        block: usize,
        layers: [Panels; 3],
        cache: &mut HostCache,
    ) -> Result<()> {
        let heads: Vec<Range<usize>> =
            self.shares.iter().map(|share| share.heads.clone()).collect();
        let (parts, bias) = cache.own(block, &heads)?;
        let inputs = &self.inputs;
        (self.shares.par_iter_mut().zip(parts)).with_max_len(1).for_each(|(share, rows)| {
            for (at, layer) in layers.into_iter().enumerate() {
                share.multiply(at, inputs, layer, share.inner.clone(), None);
            }
            let Share { attention, heads, products, .. } = share;
            attention.look_at_own(
                heads.clone(),
                products.each_ref().map(Vec::as_slice),
                rows,
                bias,
            );
        });
        self.gather_contexts(layers[0]);
        Ok(())
    }

    /// The rows' attention to their prompts, as the values.
    fn attend_to_prompt(&mut self, block: usize, layer: Panels, cache: &HostCache) {
        let inputs = &self.inputs;
        each(&mut self.shares, |share| {
            share.multiply(0, inputs, layer, share.inner.clone(), None);
            share.attention.look_at_prompts(share.heads.clone(), &share.products[0], cache, block);
        });
        self.gather_contexts(layer);
    }

    fn gather_contexts(&mut self, queries: Panels) {
        let [inner, _] = queries.sizes();
        self.values.resize(self.rows * inner, 0.0);
        gather(
            &self.shares,
            |share| (&share.inner, share.attention.context()),
            self.values.par_chunks_mut(inner),
            inner,
        );
    }

    /// x becomes x + layer(values).
    fn add(&mut self, layer: Panels) {
        self.round(&[layer]);
        let inputs = &self.inputs;
        each(&mut self.shares, |share| {
            share.multiply(0, inputs, layer, share.model.clone(), None);
        });
        let (width, shares) = (self.x.len() / self.rows, &self.shares);
        self.x.par_chunks_mut(width).enumerate().with_max_len(1).for_each(|(row, x)| {
            for share in shares {
                let (columns, sums) = columns(&share.model, &share.products[0], row, width);
                x[columns].iter_mut().zip(sums).for_each(|(x, sum)| *x += sum);
            }
        });
    }

    /// The feed-forward layer, added to x.
    fn feed_forward(&mut self, block: &Block) -> Result<()> {
        let layer = &block.feed_forward;
        let (wi, gate) = (layer.wi.panels()?, layer.gate.as_ref().map(|g| g.panels()).transpose()?);
        let layers: Vec<Panels> = [Some(wi), gate].into_iter().flatten().collect();
        self.normalise(&layer.layer_norm, None, &layers);
        let inputs = &self.inputs;
        each(&mut self.shares, |share| {
            share.multiply(0, inputs, wi, share.wide.clone(), Some(layer.activation));
            if let Some(gate) = gate {
                share.multiply(1, inputs, gate, share.wide.clone(), None);
                let [hidden, gates, _] = &mut share.products;
                hidden.iter_mut().zip(gates).for_each(|(hidden, gate)| *hidden *= *gate);
            }
        });
        let [wide, _] = wi.sizes();
        self.values.resize(self.rows * wide, 0.0);
        gather(
            &self.shares,
            |share| (&share.wide, &share.products[0]),
            self.values.par_chunks_mut(wide),
            wide,
        );
        self.add(layer.wo.panels()?);
        Ok(())
    }
}

impl Share {
    /// Some panels' products of all rows, as result number `at`.
    fn multiply(
        &mut self,
        at: usize,
        inputs: &[(Form, Vec<i32>)],
        weights: Panels,
        panels: Range<usize>,
        activation: Option<Activation>,
    ) {
        let Some((_, input)) = inputs.iter().find(|(form, _)| *form == weights.form()) else {
            unreachable!("inputs are rounded for the layers that follow");
        };
        let [_, inner] = weights.sizes();
        let rows = input.len() / weights.form().input_words(inner);
        let output = &mut self.products[at];
        output.resize(rows * panels.len() * PANEL, 0.0);
        Level::current().panel_product(PanelProduct {
            input,
            weights,
            panels,
            inner: 0..inner,
            bias: &[],
            activation,
            output,
        });
    }
}

/// Every share, in parallel.
fn each(shares: &mut [Share], work: impl Fn(&mut Share) + Sync + Send) {
    shares.par_iter_mut().with_max_len(1).for_each(work);
}

/// Results of all shares as rows of `width`.
fn gather<'a>(
    shares: &'a [Share],
    result: impl Fn(&'a Share) -> (&'a Range<usize>, &'a [f32]) + Sync,
    rows: impl IndexedParallelIterator<Item = &'a mut [f32]>,
    width: usize,
) {
    rows.enumerate().with_max_len(1).for_each(|(row, to)| {
        for share in shares {
            let (panels, values) = result(share);
            let (columns, values) = columns(panels, values, row, width);
            to[columns].copy_from_slice(values);
        }
    });
}

/// Where the outputs of some panels are in rows of `width`, and a row of them.
fn columns<'a>(
    panels: &Range<usize>,
    values: &'a [f32],
    row: usize,
    width: usize,
) -> (Range<usize>, &'a [f32]) {
    let columns = panels.start * PANEL..width.min(panels.end * PANEL);
    let from = row * panels.len() * PANEL;
    (columns.clone(), &values[from..from + columns.len()])
}
