//! The packed engine: the tokens of many captions in one matrix without padding, taken from word embeddings to unit
//! vectors by one thread while they stay in its cache.
//!
//! ```text
//! x   = LayerNorm(words + token type + positions)              rows × dim
//! qkv = x·Wqkv + b; per caption: context = softmax(QKᵀ/√d)·V   rows × 3·heads·width
//! x   = LayerNorm(x + context·Wo + b)
//! x   = LayerNorm(x + gelu(x·W₁ + b)·W₂ + b)                   in blocks of the intermediate width
//! ```

mod arithmetic;
mod divided;
mod model;

use std::sync::Mutex;

use fgd_kernels::{Attention, Buffer, DEPTH, Finish, Level, Product, Scratch, round_up};

use crate::chunk::{Block, Chunk};
use crate::{EncoderError, Engine, Spec, pooling};
use arithmetic::{Arithmetic, Float, Int12};
use model::{Layer, Model};

/// Token rows in a chunk, which goes through one layer after the other: enough that the weights of a layer are worth
/// fetching from memory.
const CHUNK_ROWS: usize = 1008;

/// Token rows that go through a layer together: few enough that activations stay in the second-level cache, enough that
/// the weights are worth fetching from the third.
const BLOCK_ROWS: usize = 252;

/// Columns of the intermediate layer that are computed at once: few enough that they stay in cache, and what one block
/// of 12-bit inputs takes.
const WIDTH: usize = DEPTH;

/// A BERT on packed weights.
pub(super) struct Packed<A: Arithmetic> {
    spec: Spec,
    model: Model<A::Values>,
    arithmetic: A,
    /// Runs all that is not a product of weights.
    level: Level,
    label: String,
    /// Working memory of threads that are not encoding at the moment.
    idle: Mutex<Vec<Work<A::Scratch>>>,
}

/// Working memory of one thread.
#[derive(Default)]
struct Work<S> {
    x: Buffer,
    sum: Buffer,
    qkv: Buffer,
    hidden: Buffer,
    attention: Scratch,
    product: S,
}

impl<S> Work<S> {
    /// Makes room for a block of `rows` rows.
    fn reserve(&mut self, rows: usize, dim: usize, qkv: usize) {
        self.sum.reserve(rows * dim);
        self.hidden.reserve(rows * WIDTH);
        self.qkv.reserve(rows * qkv);
    }
}

impl Packed<Float> {
    /// Packs the weights in f32 for the kernels of this process.
    pub fn float(spec: &Spec) -> Result<Packed<Float>, EncoderError> {
        let level = Level::current();
        Packed::load(spec, level, Float(level))
    }
}

impl Packed<Int12> {
    /// Packs the weights in 12 bits for the kernels of this process.
    pub fn int12(spec: &Spec) -> Result<Packed<Int12>, EncoderError> {
        let level = Level::current();
        Packed::load(spec, level, Int12(level))
    }
}

impl<A: Arithmetic> Packed<A> {
    fn load(spec: &Spec, level: Level, arithmetic: A) -> Result<Packed<A>, EncoderError> {
        Ok(Packed {
            spec: spec.clone(),
            model: Model::load(spec, &arithmetic)?,
            level,
            label: arithmetic.label(),
            arithmetic,
            idle: Mutex::default(),
        })
    }

    /// 1/√(true columns of a head)
    fn scale(&self) -> f32 {
        1.0 / ((self.spec.dim / self.spec.heads) as f32).sqrt()
    }

    /// Word, token type and position embeddings.
    fn look_up(&self, chunk: &Chunk, mut x: &mut [f32], sum: &mut Buffer) {
        let dim = self.spec.dim;
        let stride = round_up(dim);
        for caption in chunk.captions() {
            let (rows, after) = x.split_at_mut(caption.len() * stride);
            x = after;
            sum.reserve(rows.len());
            let sums = &mut sum[..rows.len()];
            for (position, (id, row)) in
                caption.iter().zip(sums.chunks_exact_mut(stride)).enumerate()
            {
                let word = &self.model.words[*id as usize * dim..][..dim];
                let place = &self.model.positions[position * dim..][..dim];
                row[dim..].fill(0.0);
                for (i, value) in row[..dim].iter_mut().enumerate() {
                    *value = word[i] + self.model.token_type[i] + place[i];
                }
            }
            self.level.layer_norm(&self.model.embedding_norm, stride, sums, rows);
        }
    }

    /// Takes the captions of lengths `captions`, whose token vectors are the rows of `x`, through attention.
    fn attend(
        &self,
        layer: &Layer<A::Values>,
        captions: impl Iterator<Item = usize>,
        x: &mut [f32],
        work: &mut Work<A::Scratch>,
    ) {
        let dim = round_up(self.spec.dim);
        let rows = x.len() / dim;
        let stride = layer.qkv.shape.outputs;
        let product = Product {
            input: x,
            input_stride: dim,
            rows,
            weights: &layer.qkv,
            columns: 0..stride,
            inner: 0..dim,
            output: &mut work.qkv,
            output_stride: stride,
            proceed: false,
            finish: Finish::Bias,
        };
        self.arithmetic.product(product, &mut work.product);
        let mut rest = &mut work.qkv[..rows * stride];
        for tokens in captions {
            let (qkv, after) = rest.split_at_mut(tokens * stride);
            self.level.attention(Attention {
                qkv,
                tokens,
                heads: self.spec.heads,
                width: self.model.head_width,
                scale: self.scale(),
                scratch: &mut work.attention,
            });
            rest = after;
        }
        let product = Product {
            input: &work.qkv,
            input_stride: stride,
            rows,
            weights: &layer.attention_output,
            columns: 0..dim,
            inner: 0..stride / 3,
            output: &mut work.sum,
            output_stride: dim,
            proceed: false,
            finish: Finish::Residual(x),
        };
        self.arithmetic.product(product, &mut work.product);
        self.level.layer_norm(&layer.attention_norm, dim, &work.sum[..rows * dim], x);
    }

    /// Takes the token vectors in the rows of `x` through the two linear layers.
    fn feed_forward(&self, layer: &Layer<A::Values>, x: &mut [f32], work: &mut Work<A::Scratch>) {
        let dim = round_up(self.spec.dim);
        let rows = x.len() / dim;
        let wide = layer.intermediate.shape.outputs;
        for first in (0..wide).step_by(WIDTH) {
            let columns = first..(first + WIDTH).min(wide);
            let product = Product {
                input: x,
                input_stride: dim,
                rows,
                weights: &layer.intermediate,
                columns: columns.clone(),
                inner: 0..dim,
                output: &mut work.hidden,
                output_stride: WIDTH,
                proceed: false,
                finish: Finish::Activate(self.spec.activation),
            };
            self.arithmetic.product(product, &mut work.product);
            let last = columns.end == wide;
            let product = Product {
                input: &work.hidden,
                input_stride: WIDTH,
                rows,
                weights: &layer.output,
                columns: 0..dim,
                inner: columns,
                output: &mut work.sum,
                output_stride: dim,
                proceed: first > 0,
                finish: match last {
                    true => Finish::Residual(x),
                    false => Finish::Keep,
                },
            };
            self.arithmetic.product(product, &mut work.product);
        }
        self.level.layer_norm(&layer.output_norm, dim, &work.sum[..rows * dim], x);
    }
}

impl<A: Arithmetic> Engine for Packed<A> {
    fn label(&self) -> &str {
        &self.label
    }

    fn chunk_rows(&self) -> usize {
        CHUNK_ROWS
    }

    fn embed(&self, chunk: &Chunk, embeddings: &mut [f32]) -> Result<(), EncoderError> {
        let (rows, dim) = (chunk.rows(), round_up(self.spec.dim));
        let mut work = self.idle.lock().ok().and_then(|mut idle| idle.pop()).unwrap_or_default();
        // Taken out so that a block of it and the rest of the working memory can be lent at once.
        let mut x = std::mem::take(&mut work.x);
        x.reserve(rows * dim);
        self.look_up(chunk, &mut x[..rows * dim], &mut work.sum);
        let blocks: Vec<Block> = chunk.blocks(BLOCK_ROWS).collect();
        for block in &blocks {
            work.reserve(block.rows.len(), dim, 3 * self.spec.heads * self.model.head_width);
        }
        for layer in &self.model.layers {
            for block in &blocks {
                let x = &mut x[block.rows.start * dim..block.rows.end * dim];
                self.attend(layer, chunk.lengths(block.captions.clone()), x, &mut work);
                self.feed_forward(layer, x, &mut work);
            }
        }
        pooling::pool(&self.spec, chunk, &x[..rows * dim], dim, embeddings);
        work.x = x;
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(work);
        }
        Ok(())
    }

    fn embed_alone(&self, chunk: &Chunk, embeddings: &mut [f32]) -> Result<(), EncoderError> {
        let shares = self.shares(rayon::current_num_threads());
        if shares.len() < 2 {
            return self.embed(chunk, embeddings);
        }
        let dim = round_up(self.spec.dim);
        let x = self.divided(chunk, &shares);
        pooling::pool(&self.spec, chunk, &x[..chunk.rows() * dim], dim, embeddings);
        Ok(())
    }
}
