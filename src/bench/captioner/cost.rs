//! What an image costs at least in each part of BLIP-2: operations of the matrix products and of attention, and the bytes
//! of weights that a query reads once. Norms, activations and softmax are not counted.

use fgd_captioner::config::{Config, QFormerConfig, T5Config, VisionConfig};
use fgd_captioner::{Captioner, Precision};
use fgd_kernels::Level;

use crate::bench::target::Cost;

/// Bytes per weight in 8 bits: blocks of 128 with one scale of four bytes.
const Q8_BYTES: f64 = 132.0 / 128.0;

/// The costs of a checkpoint with a prompt of a certain length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    vision: Part,
    qformer: Part,
    encoder: Part,
    decoder: Decoder,
    /// Whether inputs are rounded too, so that products are not of f32.
    rounded: bool,
}

/// Multiply-adds per image, and weights.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    multiply_adds: f64,
    bytes: f64,
}

/// What a step of the decoder costs.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Decoder {
    /// Weights, each multiplied once per row.
    weights: f64,
    bytes: f64,
    /// Multiply-adds of attention per row, to the prompt and to each token so far.
    to_prompt: f64,
    to_token: f64,
}

impl Costs {
    /// Counts for a loaded captioner. `bytes` is what a weight takes in memory, if not in 8 bits.
    pub fn new(captioner: &Captioner, prompt: usize, bytes: f64) -> Self {
        let (bytes, rounded) = match captioner.options().precision {
            Precision::Q8 => (Q8_BYTES, true),
            Precision::Bf16 => (bytes, Level::current().has_bf16()),
            Precision::F32 => (bytes, false),
        };
        Self { rounded, ..Self::of(captioner.config(), prompt, bytes) }
    }

    fn of(config: &Config, prompt: usize, bytes: f64) -> Self {
        let (vision, queries, text) =
            (&config.vision_config, &config.qformer_config, &config.text_config);
        let length = (config.num_query_tokens + prompt) as f64;
        Self {
            vision: vision_part(vision, bytes),
            qformer: qformer_part(queries, vision, config.num_query_tokens as f64, bytes),
            encoder: encoder_part(config, length, bytes),
            decoder: decoder_part(text, length, bytes),
            rounded: false,
        }
    }

    /// The vision tower on so many images.
    pub fn vision(&self, images: u64) -> Cost {
        self.cost(&self.vision, images)
    }

    /// The Q-Former on so many images.
    pub fn qformer(&self, images: u64) -> Cost {
        self.cost(&self.qformer, images)
    }

    /// The projection, the encoder and the decoder's keys and values of its output, for so many images.
    pub fn encoder(&self, images: u64) -> Cost {
        self.cost(&self.encoder, images)
    }

    /// A step of the decoder that makes token number `token`, from 1, in each of `rows` rows.
    pub fn step(&self, rows: usize, token: usize) -> Cost {
        let decoder = &self.decoder;
        let per_row = decoder.weights + decoder.to_prompt + token as f64 * decoder.to_token;
        Cost { flop: 2.0 * rows as f64 * per_row, bytes: decoder.bytes, rounded: self.rounded }
    }

    fn cost(&self, part: &Part, images: u64) -> Cost {
        Cost {
            flop: 2.0 * part.multiply_adds * images as f64,
            bytes: part.bytes,
            rounded: self.rounded,
        }
    }
}

fn vision_part(c: &VisionConfig, bytes: f64) -> Part {
    let (width, inner) = (c.hidden_size as f64, c.intermediate_size as f64);
    let patches = ((c.image_size / c.patch_size) as f64).powi(2);
    let tokens = patches + 1.0;
    let layers = c.num_hidden_layers as f64;
    let layer = 4.0 * width * width + 2.0 * width * inner;
    let patch = 3.0 * (c.patch_size as f64).powi(2) * width;
    Part {
        multiply_adds: layers * (tokens * layer + 2.0 * tokens * tokens * width) + patches * patch,
        bytes: bytes * (layers * layer + patch),
    }
}

fn qformer_part(c: &QFormerConfig, vision: &VisionConfig, queries: f64, bytes: f64) -> Part {
    let (width, inner) = (c.hidden_size as f64, c.intermediate_size as f64);
    let tokens = ((vision.image_size / vision.patch_size) as f64).powi(2) + 1.0;
    let layers = c.num_hidden_layers as f64;
    let crossing = c.num_hidden_layers.div_ceil(c.cross_attention_frequency) as f64;
    let layer = 4.0 * width * width + 2.0 * width * inner;
    let from_queries = 2.0 * width * width;
    let from_image = 2.0 * vision.hidden_size as f64 * width;
    Part {
        multiply_adds: layers * (queries * layer + 2.0 * queries * queries * width)
            + crossing
                * (queries * from_queries + tokens * from_image + 2.0 * queries * tokens * width),
        bytes: bytes * (layers * layer + crossing * (from_queries + from_image)),
    }
}

/// Matrices of a feed-forward layer of T5: two or, gated, three.
fn feed_forward(c: &T5Config) -> f64 {
    let matrices = if c.is_gated() { 3.0 } else { 2.0 };
    matrices * (c.d_model * c.d_ff) as f64
}

fn encoder_part(config: &Config, length: f64, bytes: f64) -> Part {
    let c = &config.text_config;
    let (width, inner) = (c.d_model as f64, c.inner_dim() as f64);
    let layers = c.num_layers as f64;
    let layer = 4.0 * width * inner + feed_forward(c);
    let projection = config.qformer_config.hidden_size as f64 * width;
    let keys_values = c.num_decoder_layers() as f64 * 2.0 * width * inner;
    Part {
        multiply_adds: layers * (length * layer + 2.0 * length * length * inner)
            + config.num_query_tokens as f64 * projection
            + length * keys_values,
        bytes: bytes * (layers * layer + projection + keys_values),
    }
}

fn decoder_part(c: &T5Config, length: f64, bytes: f64) -> Decoder {
    let (width, inner) = (c.d_model as f64, c.inner_dim() as f64);
    let layers = c.num_decoder_layers() as f64;
    // Queries, keys, values and output to itself; queries and output to the prompt.
    let weights = layers * (6.0 * width * inner + feed_forward(c)) + width * c.vocab_size as f64;
    Decoder {
        weights,
        bytes: bytes * weights,
        to_prompt: layers * 2.0 * length * inner,
        to_token: layers * 2.0 * inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BLIP-2 flan-t5-xl, the text part as published.
    fn flan_t5_xl() -> Config {
        serde_json::from_value(serde_json::json!({
            "model_type": "blip-2",
            "text_config": {
                "model_type": "t5", "d_model": 2048, "d_kv": 64, "d_ff": 5120, "num_layers": 24,
                "num_heads": 32, "vocab_size": 32128, "feed_forward_proj": "gated-gelu"
            }
        }))
        .unwrap()
    }

    #[test]
    fn the_weights_are_those_of_the_published_checkpoint() {
        let costs = Costs::of(&flan_t5_xl(), 9, 1.0);
        // ViT-g/14 without its last layer has about 986 million parameters, nearly all in these matrices.
        assert!((costs.vision.bytes / 986e6 - 1.0).abs() < 0.01, "{}", costs.vision.bytes);
        // The Q-Former has about 105 million without word embeddings.
        assert!((costs.qformer.bytes / 105e6 - 1.0).abs() < 0.02, "{}", costs.qformer.bytes);
        // flan-t5-xl: 2.85 billion, two embeddings of 66 million of which the shared one is not multiplied.
        let text = costs.encoder.bytes - 768.0 * 2048.0 + costs.decoder.bytes;
        assert!((text / (2.85e9 - 66e6) - 1.0).abs() < 0.01, "{text}");
    }

    #[test]
    fn a_step_reads_weights_once_and_multiplies_them_once_per_row() {
        let costs = Costs::of(&flan_t5_xl(), 9, Q8_BYTES);
        let (one, four) = (costs.step(1, 1), costs.step(4, 1));
        assert_eq!(one.bytes, four.bytes);
        assert_eq!(4.0 * one.flop, four.flop);
        assert!(costs.step(1, 30).flop > one.flop);
        // Two operations per weight, and a little for attention.
        let per_weight = one.flop / (one.bytes / Q8_BYTES);
        assert!((2.0..2.02).contains(&per_weight), "{per_weight}");
    }

    #[test]
    fn an_image_costs_what_its_tokens_do() {
        let costs = Costs::of(&flan_t5_xl(), 9, 2.0);
        // 257 tokens × 986 million weights × 2, and attention.
        let vision = costs.vision(1).flop;
        assert!((vision / (2.0 * 257.0 * 986e6) - 1.0).abs() < 0.03, "{vision:e}");
        assert_eq!(costs.vision(3).flop, 3.0 * vision);
        assert_eq!(costs.vision(3).bytes, costs.vision(1).bytes);
    }
}
