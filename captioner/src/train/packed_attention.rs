//! softmax(q·kᵀ + bias)·v and its gradient, on rows packed without padding: every stretch of queries looks at its own stretch of
//! keys, and one task does one stretch. Scores are computed again on the way back rather than kept.

use std::ops::Range;

use fgd_kernels::Level;
use rayon::prelude::*;

use super::dropout::Dropout;
use super::multiply::{View, multiply};

/// Queries and the keys that they look at, as rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Rows of the queries.
    pub queries: Range<usize>,
    /// Rows of the keys and values.
    pub keys: Range<usize>,
}

/// T5's position bias for stretches up to `longest` rows: [heads, longest, longest].
pub struct Bias {
    /// The numbers.
    pub values: Vec<f32>,
    /// Rows of the longest stretch.
    pub longest: usize,
}

/// Who looks at what.
#[derive(Clone, Copy)]
pub struct Looking<'a> {
    /// Stretches whose queries and whose keys follow one another without a gap.
    pub stretches: &'a [Stretch],
    /// Added to the scores.
    pub bias: Option<&'a Bias>,
    /// A query sees no later key.
    pub causal: bool,
    /// Heads, each an equal part of a row.
    pub heads: usize,
    /// Width of a row.
    pub width: usize,
    /// T5's dropout of the weights, its site, and what names the queries' rows.
    pub dropout: (&'a Dropout, u64, &'a [u64]),
}

/// The rows of one stretch in one projection.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    count: usize,
    looking: Looking<'a>,
}

impl<'a> Rows<'a> {
    fn of(values: &'a [f32], range: &Range<usize>, looking: Looking<'a>) -> Self {
        let values = &values[range.start * looking.width..range.end * looking.width];
        Self { values, count: range.len(), looking }
    }

    /// The columns of one head.
    fn head(&self, head: usize) -> View<'a> {
        let (width, dim) = (self.looking.width, self.looking.width / self.looking.heads);
        View::strided(&self.values[head * dim..], self.count, dim, width)
    }
}

/// The weights of one head: softmaxed scores, and what dropout leaves of them.
#[derive(Default)]
struct Weights {
    softmax: Vec<f32>,
    dropped: Vec<f32>,
}

impl Weights {
    fn compute(&mut self, looking: Looking, at: &Stretch, head: usize, q: Rows, k: Rows) {
        let (queries, keys) = (q.count, k.count);
        self.softmax.resize(queries * keys, 0.0);
        multiply(1.0, q.head(head), k.head(head).t(), &mut self.softmax, keys, false);
        let level = Level::current();
        for (i, row) in self.softmax.chunks_mut(keys).enumerate() {
            let seen = if looking.causal { i + 1 } else { keys };
            if let Some(bias) = looking.bias {
                let bias = &bias.values[(head * bias.longest + i) * bias.longest..][..seen];
                row.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
            }
            level.softmax(&mut row[..seen]);
            row[seen..].fill(0.0);
        }
        self.dropped.clone_from(&self.softmax);
        drop_some(looking, at, head, &mut self.dropped, keys);
    }
}

fn drop_some(looking: Looking, at: &Stretch, head: usize, weights: &mut [f32], keys: usize) {
    let (dropout, site, names) = looking.dropout;
    for (row, key) in weights.chunks_mut(keys).zip(&names[at.queries.clone()]) {
        dropout.row(site << 16 | head as u64, *key, row);
    }
}

/// Cuts rows into the stretches that `range` picks.
fn cut<'a>(
    mut values: &'a mut [f32],
    looking: Looking,
    range: impl Fn(&Stretch) -> &Range<usize>,
) -> Vec<&'a mut [f32]> {
    let mut at = 0;
    let mut parts = Vec::with_capacity(looking.stretches.len());
    for stretch in looking.stretches {
        let range = range(stretch);
        assert_eq!(range.start, at, "stretches follow one another");
        at = range.end;
        let (part, rest) = values.split_at_mut(range.len() * looking.width);
        parts.push(part);
        values = rest;
    }
    parts
}

/// The mixed values of all queries [queries, width].
pub fn attend(looking: Looking, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; q.len()];
    let dim = looking.width / looking.heads;
    let parts = cut(&mut out, looking, |at| &at.queries);
    parts.into_par_iter().zip(looking.stretches).for_each_init(
        Weights::default,
        |weights, (out, at)| {
            let q = Rows::of(q, &at.queries, looking);
            let [k, v] = [k, v].map(|x| Rows::of(x, &at.keys, looking));
            for head in 0..looking.heads {
                weights.compute(looking, at, head, q, k);
                let mixed = &mut out[head * dim..];
                let dropped = View::dense(&weights.dropped, k.count);
                multiply(1.0, dropped, v.head(head), mixed, looking.width, false);
            }
        },
    );
    out
}

/// The gradients of q, k and v for that of the mixed values.
pub fn attend_back(
    looking: Looking,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    dmixed: &[f32],
) -> [Vec<f32>; 3] {
    let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
    let (width, dim) = (looking.width, looking.width / looking.heads);
    let parts = (
        cut(&mut dq, looking, |at| &at.queries),
        cut(&mut dk, looking, |at| &at.keys),
        cut(&mut dv, looking, |at| &at.keys),
    );
    parts.into_par_iter().zip(looking.stretches).for_each_init(
        || (Weights::default(), Vec::new()),
        |(weights, scores), ((dq, dk, dv), at)| {
            let [q, dmixed] = [q, dmixed].map(|x| Rows::of(x, &at.queries, looking));
            let [k, v] = [k, v].map(|x| Rows::of(x, &at.keys, looking));
            scores.resize(q.count * k.count, 0.0);
            for head in 0..looking.heads {
                let column = head * dim;
                weights.compute(looking, at, head, q, k);
                let dropped = View::dense(&weights.dropped, k.count);
                let up = dmixed.head(head);
                multiply(1.0, dropped.t(), up, &mut dv[column..], width, false);
                multiply(1.0, up, v.head(head).t(), scores, k.count, false);
                drop_some(looking, at, head, scores, k.count);
                let rows = weights.softmax.chunks(k.count).zip(scores.chunks_mut(k.count));
                rows.for_each(|(p, dp)| Level::current().softmax_gradient(p, dp));
                let scores = View::dense(scores, k.count);
                multiply(1.0, scores, k.head(head), &mut dq[column..], width, false);
                multiply(1.0, scores.t(), q.head(head), &mut dk[column..], width, false);
            }
        },
    );
    [dq, dk, dv]
}
