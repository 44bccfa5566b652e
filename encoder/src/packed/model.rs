//! A BERT whose weights are packed for one instruction set. Heads are padded to whole vectors inside the weights, so
//! that no kernel meets a partial vector.

use fgd_kernels::{Buffer, Matrix, Norm, round_up};

use super::arithmetic::Arithmetic;
use crate::weights::{self, Linear, Weights};
use crate::{EncoderError, Spec};

/// One transformer layer.
pub(super) struct Layer<V> {
    /// Queries, keys, values of all heads side by side.
    pub qkv: Matrix<V>,
    pub attention_output: Matrix<V>,
    pub attention_norm: Norm,
    pub intermediate: Matrix<V>,
    pub output: Matrix<V>,
    pub output_norm: Norm,
}

/// The whole model.
pub(super) struct Model<V> {
    pub words: Vec<f32>,
    pub positions: Vec<f32>,
    /// Token type 0; captions have no second part.
    pub token_type: Vec<f32>,
    pub embedding_norm: Norm,
    pub layers: Vec<Layer<V>>,
    /// Columns per head, padded.
    pub head_width: usize,
}

impl<V: Send> Model<V> {
    /// Reads the weights and packs them layer by layer.
    pub fn load<A: Arithmetic<Values = V>>(
        spec: &Spec,
        arithmetic: &A,
    ) -> Result<Model<V>, EncoderError> {
        let heads = Heads {
            count: spec.heads,
            width: spec.dim / spec.heads,
            padded: round_up(spec.dim / spec.heads),
        };
        let norm = |norm: weights::Norm| Norm {
            scale: Buffer::padded(&norm.scale, round_up(spec.dim)),
            shift: Buffer::padded(&norm.shift, round_up(spec.dim)),
            width: spec.dim,
            epsilon: spec.layer_norm_eps as f32,
        };
        let weights = Weights::read(spec, |layer| Layer {
            qkv: heads.side_by_side([&layer.query, &layer.key, &layer.value], arithmetic),
            attention_output: heads.join(&layer.attention_output, arithmetic),
            attention_norm: norm(layer.attention_norm),
            intermediate: plain(&layer.intermediate, arithmetic),
            output: plain(&layer.output, arithmetic),
            output_norm: norm(layer.output_norm),
        })?;
        let mut token_type = weights.token_types;
        token_type.truncate(spec.dim);
        Ok(Model {
            words: weights.words,
            positions: weights.positions,
            token_type,
            embedding_norm: norm(weights.embedding_norm),
            layers: weights.layers,
            head_width: heads.padded,
        })
    }
}

fn get(linear: &Linear, output: Option<usize>, input: Option<usize>) -> f32 {
    match (output, input) {
        (Some(output), Some(input)) if output < linear.outputs && input < linear.inputs => {
            linear.weight[output * linear.inputs + input]
        }
        _ => 0.0,
    }
}

fn plain<A: Arithmetic>(linear: &Linear, arithmetic: &A) -> Matrix<A::Values> {
    arithmetic.pack(
        [linear.outputs, linear.inputs],
        |output, input| get(linear, Some(output), Some(input)),
        |output| linear.bias.get(output).copied().unwrap_or(0.0),
    )
}

/// Where the columns of each head go when every head is padded to whole vectors.
struct Heads {
    count: usize,
    width: usize,
    padded: usize,
}

impl Heads {
    /// The true column behind a padded one.
    fn source(&self, column: usize) -> Option<usize> {
        let (head, within) = (column / self.padded, column % self.padded);
        (within < self.width).then_some(head * self.width + within)
    }

    fn side_by_side<A: Arithmetic>(
        &self,
        parts: [&Linear; 3],
        arithmetic: &A,
    ) -> Matrix<A::Values> {
        let all = self.count * self.padded;
        arithmetic.pack(
            [3 * all, parts[0].inputs],
            |output, input| get(parts[output / all], self.source(output % all), Some(input)),
            |output| {
                self.source(output % all).map_or(0.0, |source| parts[output / all].bias[source])
            },
        )
    }

    fn join<A: Arithmetic>(&self, linear: &Linear, arithmetic: &A) -> Matrix<A::Values> {
        arithmetic.pack(
            [linear.outputs, self.count * self.padded],
            |output, input| get(linear, Some(output), self.source(input)),
            |output| linear.bias.get(output).copied().unwrap_or(0.0),
        )
    }
}
