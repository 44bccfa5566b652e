//! x · Wᵀ, with x rounded as the form of W's panels wants it and W as it lies.
//!
//! With few rows, each task streams some panels from memory. With many, each has some of the rows: the inputs are cut into slabs
//! of some columns of all rows, so that what a pass reads lies together (as rows of many widths lie in the same few sets of a
//! cache), and results are gathered in blocks before they go where they belong.

use std::ops::Range;

use fgd_kernels::{Form, Level, PANEL, PanelProduct, Panels};
use rayon::prelude::*;

use super::{After, With};

/// Rows of x from which on a task has some of them and all outputs: below, weights are worth reading by one thread only.
const MANY: usize = 128;

/// Rows of x that one task multiplies at most: a pass over them stays in the second-level cache.
pub const CHUNK_ROWS: usize = 264;

/// Rows of x for which a pass takes all inputs: W is then read from front to back.
const FEW: usize = 12;

/// Panels that a task finishes before it goes on to the next ones: their results stay in the second-level cache.
const PANELS: usize = 6;

/// Tasks for each thread, where these have outputs of their own.
const TASKS: usize = 4;

/// x [m, k] · wᵀ of each of some matrices, and what comes `after` → [m, n]. The inputs are rounded in `words`.
pub fn products<const N: usize>(
    x: &[f32],
    all: [Panels; N],
    after: [After; N],
    words: &mut Vec<i32>,
    out: [&mut [f32]; N],
) {
    let alike = |w: &Panels| w.form() == all[0].form() && w.sizes()[1] == all[0].sizes()[1];
    if !all.iter().all(alike) {
        for ((w, after), out) in all.into_iter().zip(after).zip(out) {
            products(x, [w], [after], words, [out]);
        }
        return;
    }
    let inputs = Inputs::new(x, all[0], words);
    if inputs.rows < MANY {
        return of_few(&inputs, all, after, out);
    }
    for ((w, after), out) in all.into_iter().zip(after).zip(out) {
        of_many(&inputs, w, after, out);
    }
}

/// The rows, shared out among the threads.
fn of_many(inputs: &Inputs, w: Panels, after: After, out: &mut [f32]) {
    let [n, _] = w.sizes();
    let tasks = inputs.rows.div_ceil(CHUNK_ROWS).next_multiple_of(rayon::current_num_threads());
    let chunk = inputs.rows.div_ceil(tasks);
    out.par_chunks_mut(chunk * n).enumerate().for_each(|(index, out)| {
        let rows = index * chunk..index * chunk + out.len() / n;
        let mut block = vec![0f32; rows.len() * PANELS * PANEL];
        for first in (0..w.count()).step_by(PANELS) {
            let panels = first..w.count().min(first + PANELS);
            let block = &mut block[..rows.len() * panels.len() * PANEL];
            inputs.multiply(rows.clone(), 0, w, panels.clone(), after, block);
            place(block, panels, n, after, out, rows.start);
        }
    });
}

/// The panels of all matrices, shared out among the threads.
fn of_few<const N: usize>(
    inputs: &Inputs,
    all: [Panels; N],
    after: [After; N],
    out: [&mut [f32]; N],
) {
    let count: usize = all.iter().map(|w| w.count()).sum();
    let each = count.div_ceil(TASKS * rayon::current_num_threads());
    let tasks: Vec<(usize, Range<usize>)> = (all.iter().enumerate())
        .flat_map(|(at, w)| {
            let end = w.count();
            (0..end).step_by(each).map(move |from| (at, from..end.min(from + each)))
        })
        .collect();
    let multiplied = |(at, panels): &(usize, Range<usize>)| {
        let mut block = vec![0f32; inputs.rows * panels.len() * PANEL];
        inputs.multiply(0..inputs.rows, 0, all[*at], panels.clone(), after[*at], &mut block);
        block
    };
    let blocks: Vec<Vec<f32>> = tasks.par_iter().map(multiplied).collect();
    for ((at, panels), block) in tasks.into_iter().zip(&blocks) {
        place(block, panels, all[at].sizes()[0], after[at], out[at], 0);
    }
}

/// Rows of a block of some panels to their place in rows of the result [.., n], of which the first one is `row`, with what is
/// added from elsewhere.
pub fn place(
    block: &[f32],
    panels: Range<usize>,
    n: usize,
    after: After,
    out: &mut [f32],
    row: usize,
) {
    let columns = panels.start * PANEL..n.min(panels.end * PANEL);
    let blocks = block.chunks(panels.len() * PANEL);
    for (row, (out, block)) in (row..).zip(out.chunks_mut(n).zip(blocks)) {
        let out = &mut out[columns.clone()];
        if let Some(With::Before) = after.with {
            out.iter_mut().zip(block).for_each(|(out, y)| *out += y);
            continue;
        }
        out.copy_from_slice(&block[..columns.len()]);
        after.join(out, row * n + columns.start);
    }
}

/// x, rounded: slab after slab, in each of them row after row.
pub struct Inputs<'a> {
    words: &'a [i32],
    pub rows: usize,
    /// Inputs of a slab.
    pass: usize,
}

impl<'a> Inputs<'a> {
    fn new(x: &[f32], w: Panels, room: &'a mut Vec<i32>) -> Self {
        let ([_, k], form) = (w.sizes(), w.form());
        let pass = if x.len() / k <= FEW { k } else { form.pass() };
        Self::in_slabs(x, k, form, pass, room)
    }

    /// x [rows, k] in slabs of `pass` inputs, rounded in `room`.
    pub fn in_slabs(x: &[f32], k: usize, form: Form, pass: usize, room: &'a mut Vec<i32>) -> Self {
        let rows = x.len() / k;
        let needed = rows * form.input_words(k);
        room.resize(room.len().max(needed), 0);
        let words = &mut room[..needed];
        words.par_chunks_mut(rows * form.input_words(pass)).enumerate().for_each(
            |(slab, words)| {
                let inner = slab * pass..k.min((slab + 1) * pass);
                let width = form.input_words(inner.len());
                for (x, words) in x.chunks(k).zip(words.chunks_mut(width)) {
                    form.round(Level::current(), &x[inner.clone()], words);
                }
            },
        );
        Self { words, rows, pass }
    }

    /// Some panels of some rows, finished but for what is added from elsewhere. The first input of `w` is that at `first`, where a slab
    /// begins.
    pub fn multiply(
        &self,
        rows: Range<usize>,
        first: usize,
        w: Panels,
        panels: Range<usize>,
        after: After,
        output: &mut [f32],
    ) {
        let ([_, k], form) = (w.sizes(), w.form());
        for from in (0..k).step_by(self.pass) {
            let inner = from..k.min(from + self.pass);
            let slab = self.rows * form.input_words(first + from);
            let width = form.input_words(inner.len());
            Level::current().panel_product(PanelProduct {
                input: &self.words[slab + rows.start * width..slab + rows.end * width],
                weights: w,
                panels: panels.clone(),
                inner,
                bias: after.bias.get(panels.start * PANEL..).unwrap_or_default(),
                activation: after.activation,
                output,
            });
        }
    }
}
