//! Token vectors to one vector per caption: mean or first token, then unit length where the encoder says so.

use super::spec::Pooling;
use super::{Chunk, Spec};

/// Pools every caption of `chunk`. `tokens` holds one row of `stride` floats per token, of which the first
/// [`Spec::dim`] count; `embeddings` is [captions × dim]. Sums are in f64 and in the order of the tokens.
pub(super) fn pool(
    spec: &Spec,
    chunk: &Chunk,
    tokens: &[f32],
    stride: usize,
    embeddings: &mut [f32],
) {
    let mut rest = tokens;
    let mut sums = vec![0f64; spec.dim];
    for (caption, embedding) in chunk.captions().zip(embeddings.chunks_exact_mut(spec.dim)) {
        let (rows, after) = rest.split_at(caption.len() * stride);
        rest = after;
        let count = match spec.pooling {
            Pooling::Mean => caption.len(),
            Pooling::Cls => 1,
        };
        sums.fill(0.0);
        for row in rows.chunks_exact(stride).take(count) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        let mut scale = 1.0 / count as f64;
        if spec.normalize {
            let square: f64 = sums.iter().map(|sum| (sum * scale).powi(2)).sum();
            // The floor of torch.nn.functional.normalize.
            scale /= square.sqrt().max(1e-12);
        }
        for (value, sum) in embedding.iter_mut().zip(&sums) {
            *value = (sum * scale) as f32;
        }
    }
}
