//! Writes a BLIP-2 checkpoint of full size with random weights: real configuration, real tensor names, bf16 shards.
//!
//!     cargo run --release --example random_blip2 -- DIR [--config config.json] [--tokenizer tokenizer.json]
//!
//! For measuring time and memory where the real 7.9 GB are not at hand; the captions are nonsense. Without `--config` it
//! is blip2-flan-t5-xl. Without `--tokenizer` the tiny one of the tests is used, whose ids are valid for any model. The
//! tensors are streamed, so that little memory is needed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fgd_captioner::config::Config;
use fgd_captioner::tensors_of;
use serde_json::json;

const SHARD_BYTES: usize = 2_000_000_000;
const TOKENIZER: &[u8] = include_bytes!("../fixtures/tiny-blip2/base/tokenizer.json");

fn main() -> anyhow::Result<()> {
    let (dir, options) = arguments()?;
    fs::create_dir_all(&dir)?;
    match options.get("--config") {
        Some(path) => {
            fs::write(dir.join("config.json"), fs::read(path).with_context(|| path.clone())?)?
        }
        None => fs::write(dir.join("config.json"), serde_json::to_vec_pretty(&flan_t5_xl())?)?,
    }
    match options.get("--tokenizer") {
        Some(path) => {
            fs::write(dir.join("tokenizer.json"), fs::read(path).with_context(|| path.clone())?)?
        }
        None => fs::write(dir.join("tokenizer.json"), TOKENIZER)?,
    }
    let config = Config::read(&dir)?;
    let generation = json!({ "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0 });
    fs::write(dir.join("generation_config.json"), serde_json::to_vec_pretty(&generation)?)?;

    let tensors = tensors_of(&config)?;
    let shards = into_shards(tensors);
    let mut weight_map = BTreeMap::new();
    let mut parameters = 0;
    for (index, shard) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", index + 1, shards.len());
        parameters += write_shard(&dir.join(&name), shard, index as u64)?;
        weight_map.extend(shard.iter().map(|(tensor, _)| (tensor.clone(), name.clone())));
        eprintln!("{name}: {} tensors", shard.len());
    }
    let index = json!({ "metadata": { "total_size": parameters * 2 }, "weight_map": weight_map });
    fs::write(dir.join("model.safetensors.index.json"), serde_json::to_vec_pretty(&index)?)?;
    println!("{}: {parameters} parameters in {} shards", dir.display(), shards.len());
    Ok(())
}

fn arguments() -> anyhow::Result<(PathBuf, BTreeMap<String, String>)> {
    let mut dir = None;
    let mut options = BTreeMap::new();
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--config" | "--tokenizer" => {
                let value = rest.next().with_context(|| format!("{argument} needs a file"))?;
                options.insert(argument, value);
            }
            other if dir.is_none() && !other.starts_with('-') => dir = Some(PathBuf::from(other)),
            other => bail!(
                "unexpected {other:?}; usage: random_blip2 DIR [--config FILE] [--tokenizer FILE]"
            ),
        }
    }
    Ok((dir.context("usage: random_blip2 DIR [--config FILE] [--tokenizer FILE]")?, options))
}

/// The published configuration: what differs from the defaults of the vision tower and the Q-Former is nothing.
fn flan_t5_xl() -> serde_json::Value {
    json!({
        "architectures": ["Blip2ForConditionalGeneration"],
        "model_type": "blip-2",
        "num_query_tokens": 32,
        "image_token_index": 32100,
        "use_decoder_only_language_model": false,
        "vision_config": { "model_type": "blip_2_vision_model" },
        "qformer_config": { "model_type": "blip_2_qformer" },
        "text_config": {
            "model_type": "t5", "d_model": 2048, "d_kv": 64, "d_ff": 5120, "num_layers": 24, "num_decoder_layers": 24,
            "num_heads": 32, "vocab_size": 32128, "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu",
            "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6,
            "tie_word_embeddings": false, "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0
        }
    })
}

type Tensors = Vec<(String, Vec<usize>)>;

fn into_shards(tensors: Tensors) -> Vec<Tensors> {
    let mut shards: Vec<Tensors> = vec![Vec::new()];
    let mut bytes = 0;
    for (name, shape) in tensors {
        let size = 2 * shape.iter().product::<usize>();
        if bytes > 0 && bytes + size > SHARD_BYTES {
            shards.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(shard) = shards.last_mut() {
            shard.push((name, shape));
        }
    }
    shards
}

/// One safetensors file (<https://github.com/huggingface/safetensors>): length of the header, header, tensors.
fn write_shard(path: &Path, tensors: &[(String, Vec<usize>)], seed: u64) -> anyhow::Result<usize> {
    let mut header = serde_json::Map::new();
    let mut at = 0;
    for (name, shape) in tensors {
        let end = at + 2 * shape.iter().product::<usize>();
        header.insert(
            name.clone(),
            json!({ "dtype": "BF16", "shape": shape, "data_offsets": [at, end] }),
        );
        at = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for (name, shape) in tensors {
        let is_norm = name.to_lowercase().contains("norm") && name.ends_with("weight");
        write_tensor(&mut file, shape.iter().product(), is_norm, &mut random)?;
    }
    file.flush()?;
    Ok(at / 2)
}

/// bf16 bit patterns: around 1 for a norm's scale, else either sign and a magnitude from 2⁻⁷ to 2⁻⁵, which keeps the
/// activations of these widths near 1.
fn write_tensor(
    file: &mut impl Write,
    count: usize,
    is_norm: bool,
    random: &mut Random,
) -> anyhow::Result<()> {
    let pattern = |r: u16| {
        if is_norm { 0x3F80 | (r & 0x1F) } else { (r & 0x807F) | ((120 + ((r >> 7) & 1)) << 7) }
    };
    let mut buffer = Vec::with_capacity(1 << 16);
    let mut left = count;
    while left > 0 {
        buffer.clear();
        while buffer.len() < 1 << 16 && left > 0 {
            let bits = random.next();
            for quarter in 0..left.min(4) {
                buffer.extend(pattern((bits >> (16 * quarter)) as u16).to_le_bytes());
            }
            left -= left.min(4);
        }
        file.write_all(&buffer)?;
    }
    Ok(())
}

/// xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
