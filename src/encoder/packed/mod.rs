//! The packed engine: the tokens of many captions in one matrix without padding, taken from word embeddings to unit
//! vectors by one thread while they stay in its cache.
//!
//! ```text
//! x   = LayerNorm(words + token type + positions)              rows × dim
//! qkv = x·Wqkv + b; per caption: context = softmax(QKᵀ/√d)·V   rows × 3·heads·width
//! x   = LayerNorm(x + context·Wo + b)
//! x   = LayerNorm(x + gelu(x·W₁ + b)·W₂ + b)                   in blocks of the intermediate width
//! ```

mod activation;
mod arithmetic;
mod attention;
mod int8;
mod kernels;
mod lanes;
mod matrix;
mod model;
mod norm;
mod product;
mod select;

use std::sync::Mutex;

use crate::encoder::{Chunk, EncoderError, Engine, Spec, pooling};
use arithmetic::{Arithmetic, Float, Int8};
use attention::{Attention, Scratch};
use int8::IntegerKernels;
use model::{Layer, Model};

pub(crate) use kernels::{Kernels, portable};
pub(crate) use lanes::LANES;
pub(crate) use matrix::{Buffer, Matrix, Shape, round_up};
pub(crate) use product::{DEPTH, Finish, Product};
pub(crate) use select::kernels as select_kernels;

/// Token rows in a chunk: enough that a panel of weights is worth fetching, few enough that activations stay in cache.
const CHUNK_ROWS: usize = 252;

/// Columns of the intermediate layer that are computed at once: what one pass of the next product takes.
const BLOCK: usize = product::DEPTH;

/// A BERT on packed weights.
pub(super) struct Packed<A: Arithmetic> {
    spec: Spec,
    model: Model<A::Values>,
    arithmetic: A,
    /// Kernels for all that is not a product of weights.
    kernels: &'static Kernels,
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

impl Packed<Float> {
    /// Packs the weights in f32 for the best kernels of this CPU.
    pub fn float(spec: &Spec) -> Result<Packed<Float>, EncoderError> {
        let kernels = select_kernels()?;
        Packed::load(spec, kernels, Float(kernels))
    }
}

impl Packed<Int8> {
    /// Packs the weights in 8 bits for the best kernels of this CPU.
    pub fn int8(spec: &Spec) -> Result<Packed<Int8>, EncoderError> {
        Packed::load(spec, select_kernels()?, Int8(integer_kernels()?))
    }
}

/// The integer kernels beside the f32 kernels in use.
pub(crate) fn integer_kernels() -> Result<&'static IntegerKernels, EncoderError> {
    Ok(int8::beside(select_kernels()?.name))
}

impl<A: Arithmetic> Packed<A> {
    fn load(
        spec: &Spec,
        kernels: &'static Kernels,
        arithmetic: A,
    ) -> Result<Packed<A>, EncoderError> {
        Ok(Packed {
            spec: spec.clone(),
            model: Model::load(spec, &arithmetic)?,
            kernels,
            label: arithmetic.label(),
            arithmetic,
            idle: Mutex::default(),
        })
    }

    /// Word, token type and position embeddings.
    fn look_up(&self, chunk: &Chunk, x: &mut [f32]) {
        let dim = self.spec.dim;
        let mut rows = x.chunks_exact_mut(round_up(dim));
        for caption in chunk.captions() {
            for (position, id) in caption.iter().enumerate() {
                let row = rows.next().expect("a row for every token");
                let word = &self.model.words[*id as usize * dim..][..dim];
                let place = &self.model.positions[position * dim..][..dim];
                row[dim..].fill(0.0);
                for (i, value) in row[..dim].iter_mut().enumerate() {
                    *value = word[i] + self.model.token_type[i] + place[i];
                }
            }
        }
        self.kernels.layer_norm(&self.model.embedding_norm, x);
    }

    fn attend(&self, layer: &Layer<A::Values>, chunk: &Chunk, work: &mut Work<A::Scratch>) {
        let (rows, dim) = (chunk.rows(), round_up(self.spec.dim));
        let stride = layer.qkv.shape.outputs;
        let product = Product {
            input: &work.x,
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
        for caption in chunk.captions() {
            let (qkv, after) = rest.split_at_mut(caption.len() * stride);
            self.kernels.attention(Attention {
                qkv,
                tokens: caption.len(),
                heads: self.spec.heads,
                width: self.model.head_width,
                scale: 1.0 / ((self.spec.dim / self.spec.heads) as f32).sqrt(),
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
            finish: Finish::Residual(&work.x),
        };
        self.arithmetic.product(product, &mut work.product);
        std::mem::swap(&mut work.x, &mut work.sum);
        self.kernels
            .layer_norm(&layer.attention_norm, &mut work.x[..rows * dim]);
    }

    fn feed_forward(&self, layer: &Layer<A::Values>, rows: usize, work: &mut Work<A::Scratch>) {
        let dim = round_up(self.spec.dim);
        let wide = layer.intermediate.shape.outputs;
        for first in (0..wide).step_by(BLOCK) {
            let block = first..(first + BLOCK).min(wide);
            let product = Product {
                input: &work.x,
                input_stride: dim,
                rows,
                weights: &layer.intermediate,
                columns: block.clone(),
                inner: 0..dim,
                output: &mut work.hidden,
                output_stride: BLOCK,
                proceed: false,
                finish: Finish::Activate(self.spec.activation),
            };
            self.arithmetic.product(product, &mut work.product);
            let last = block.end == wide;
            let product = Product {
                input: &work.hidden,
                input_stride: BLOCK,
                rows,
                weights: &layer.output,
                columns: 0..dim,
                inner: block,
                output: &mut work.sum,
                output_stride: dim,
                proceed: first > 0,
                finish: match last {
                    true => Finish::Residual(&work.x),
                    false => Finish::Keep,
                },
            };
            self.arithmetic.product(product, &mut work.product);
        }
        std::mem::swap(&mut work.x, &mut work.sum);
        self.kernels
            .layer_norm(&layer.output_norm, &mut work.x[..rows * dim]);
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
        let mut work = self
            .idle
            .lock()
            .ok()
            .and_then(|mut idle| idle.pop())
            .unwrap_or_default();
        work.x.reserve(rows * dim);
        work.sum.reserve(rows * dim);
        work.hidden.reserve(rows * BLOCK);
        work.qkv
            .reserve(rows * 3 * self.spec.heads * self.model.head_width);
        self.look_up(chunk, &mut work.x[..rows * dim]);
        for layer in &self.model.layers {
            self.attend(layer, chunk, &mut work);
            self.feed_forward(layer, rows, &mut work);
        }
        pooling::pool(&self.spec, chunk, &work.x[..rows * dim], dim, embeddings);
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(work);
        }
        Ok(())
    }
}
