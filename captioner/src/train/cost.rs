//! What a training will cost, before it begins: arithmetic and memory from the shapes alone.

use super::lora::LoraConfig;
use super::model::Model;
use crate::config::T5Config;

/// The cost of a step and of what stays in memory beside the frozen weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Floating-point operations of a step: forward, computed again, and back.
    pub step_flop: f64,
    /// Bytes of factors, gradients and AdamW's means.
    pub factors_bytes: f64,
    /// Bytes of the rows of a batch on their way, at most.
    pub rows_bytes: f64,
}

/// Rows of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Of the encoder, those of a batch.
    pub encoder: f64,
    /// Of the decoder.
    pub decoder: f64,
    /// Batches of a step.
    pub batches: f64,
}

/// Multiply-adds of T5's frozen layers, by the formulas of its shapes; 2 operations each, once forward, once again where a block finds
/// no room among `room` bytes, and once back. The factors' products go forward likewise, and back with three for each of theirs.
pub fn estimate(model: &Model, text: &T5Config, lora: &LoraConfig, rows: Rows, room: f64) -> Cost {
    let (d, inner, wide) = (text.d_model as f64, text.inner_dim() as f64, text.d_ff as f64);
    let feed_forward = d * wide * if text.is_gated() { 3.0 } else { 2.0 };
    let (encoder, decoder) = (text.num_layers as f64, text.num_decoder_layers() as f64);
    let in_encoder = encoder * (4.0 * d * inner + feed_forward) + decoder * 2.0 * d * inner;
    let in_decoder = decoder * (6.0 * d * inner + feed_forward);
    let frozen = rows.encoder * in_encoder + rows.decoder * in_decoder;
    let head = rows.decoder * d * text.vocab_size as f64;
    let factors: f64 = model
        .modules()
        .iter()
        .map(|module| {
            let of_encoder = module.name.contains(".encoder.")
                || module.name.ends_with("EncDecAttention.k")
                || module.name.ends_with("EncDecAttention.v");
            let rows = if of_encoder { rows.encoder } else { rows.decoder };
            rows * (lora.r * (module.inputs + module.outputs)) as f64
        })
        .sum();
    let numbers: f64 =
        model.modules().iter().map(|m| (lora.r * (m.inputs + m.outputs)) as f64).sum();
    // What a block makes beside its result: norms, projections, mixed values, the wide layer.
    let wides = wide * if text.is_gated() { 2.0 } else { 1.0 };
    let of_encoder = rows.encoder * encoder * (3.0 * d + 4.0 * inner + wides);
    let of_decoder = rows.decoder * decoder * (5.0 * d + 6.0 * inner + wides);
    let across = rows.encoder * decoder * 2.0 * inner;
    let whole = 4.0 * (of_encoder + of_decoder + across);
    let kept = whole.min(room);
    let again = 1.0 - kept / whole;
    let blocks = rows.encoder * encoder + rows.decoder * decoder;
    // One block on the way back: norm, projections, their gradients, the wide layer three times.
    let one = rows.encoder.max(rows.decoder) * (8.0 * d + 8.0 * inner + 5.0 * wide);
    let logits = rows.decoder.min(256.0) * text.vocab_size as f64;
    Cost {
        step_flop: rows.batches
            * 2.0
            * ((2.0 + again) * frozen + 2.0 * head + (4.0 + again) * factors),
        factors_bytes: 16.0 * numbers,
        rows_bytes: kept
            + 4.0 * (blocks * d + one + logits + 3.0 * (rows.encoder + rows.decoder) * d),
    }
}
